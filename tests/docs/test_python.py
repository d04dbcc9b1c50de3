# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every Python block of the documentation runs: DAGs and tasks by ``dag.test()``, the rest as a script.

A block that makes a DAG is a DAG file. One that makes tasks is put into a DAG. Both run against the simulated vendors.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.docs.blocks import Block, blocks

MAKES_DAG = re.compile(r"^@dag\b|^with DAG\(|= DAG\(", re.MULTILINE)
MAKES_TASK = re.compile(r"\btask_id=")
IMPORT = re.compile(r"^(from|import) ", re.MULTILINE)

PYTHON = blocks("python")
DAGS = [block for block in PYTHON if MAKES_DAG.search(block.text) or MAKES_TASK.search(block.text)]
SCRIPTS = [block for block in PYTHON if block not in DAGS]


def _dag_file(block: Block) -> str:
    """Return the block as a DAG file: as it is, or its tasks put into a DAG."""
    if MAKES_DAG.search(block.text):
        return block.text
    dag_id = re.sub(r"\W+", "_", block.place)
    tasks = textwrap.indent(block.text, "    ")
    return f"from airflow.sdk import DAG\nwith DAG({dag_id!r}, schedule=None):\n{tasks}"


def test_there_is_something_to_run() -> None:
    assert len(DAGS) >= 10
    assert len(SCRIPTS) >= 5


@pytest.mark.parametrize("block", DAGS, ids=lambda block: block.place)
def test_dag(block: Block, dags_folder: Path, quick_vendors: Sandbox, no_naps: None) -> None:
    from airflow.dag_processing.dagbag import DagBag

    file = dags_folder / f"{re.sub(r'[^a-z0-9]+', '_', block.place.lower())}.py"
    file.write_text(_dag_file(block), encoding="utf-8")
    bag = DagBag(file)
    assert not bag.import_errors
    assert bag.dags, "the block makes no DAG"
    for dag in bag.dags.values():
        run = dag.test()
        assert run.state == "success", {ti.task_id: ti.state for ti in run.get_task_instances()}


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: block.place)
def test_script(block: Block, dags_folder: Path, quick_vendors: Sandbox) -> None:
    names: dict[str, object] = {"__name__": "example"}
    exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)
    for name, value in names.items():
        if name.startswith("test_") and callable(value):
            value()
