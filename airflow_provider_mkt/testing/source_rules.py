# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Mistakes in the Python of a DAG: launches that nobody records, and what differs whenever the file is read."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_mkt.testing.declared import Declared

if TYPE_CHECKING:
    from airflow.sdk import DAG

Found = Iterator[tuple[str, str]]

LAUNCHING = frozenset(
    {
        "create_campaign",
        "create_post",
        "create_posts",
        "generate_report",
        "publish_campaign",
        "trigger_sync",
    }
)
"""Methods of hooks that start something."""
CLOCK = frozenset({"now", "utcnow", "today"})
CHANCE = frozenset({"uuid1", "uuid4", "random", "randint", "choice", "token_hex"})


def _calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id, node.lineno


def hook_launch(_: DAG, tasks: list[Declared]) -> Found:
    """A retry of the function launches again: there is no record."""
    for each in tasks:
        function = each.get("python_callable")
        if function is None:
            continue
        called = {name for name, _ in _calls(ast.parse(textwrap.dedent(inspect.getsource(function))))}
        for name in sorted(called & LAUNCHING):
            yield each.task_id, f"calls {name}() of a hook: a retry launches again. Use the operator, which records it."


def _while_read(dag: DAG, names: frozenset[str]) -> Iterator[tuple[str, int]]:
    """Yield the calls that happen whenever the file is read: those outside of tasks."""
    path = Path(dag.fileloc)
    if not path.is_file():
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        # What a task does, it does when it runs.
        if isinstance(node, ast.FunctionDef) and any("task" in ast.unparse(each) for each in node.decorator_list):
            node.body = []
    yield from ((name, line) for name, line in _calls(tree) if name in names)


def clock_in_file(dag: DAG, tasks: list[Declared]) -> Found:
    """The time of reading the file is not the time of the run."""
    if any(each.launches for each in tasks):
        for name, line in _while_read(dag, CLOCK):
            why = (
                f"line {line} calls {name}() whenever the file is read, so tries differ. Use a template: logical_date."
            )
            yield dag.dag_id, why


def chance_in_file(dag: DAG, tasks: list[Declared]) -> Found:
    """Every try would send something else."""
    if any(each.launches for each in tasks):
        for name, line in _while_read(dag, CHANCE):
            yield dag.dag_id, f"line {line} calls {name}() whenever the file is read, so tries differ. Use run_id."
