# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reads a DAG for mistakes that cost money or sleep: what would launch twice, at the wrong time, or fail unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_mkt.testing import dag_rules, launch_rules, source_rules
from airflow_provider_mkt.testing.declared import Declared, declared
from airflow_provider_mkt.testing.parsed import load

if TYPE_CHECKING:
    from airflow.sdk import DAG

Rule = Callable[["DAG", list[Declared]], Iterator[tuple[str, str]]]

RULES: dict[str, Rule] = {
    "same-launch": launch_rules.same_launch,
    "no-retries": launch_rules.no_retries,
    "no-retry-policy": launch_rules.no_retry_policy,
    "resubmit": launch_rules.resubmit,
    "naive-time": launch_rules.naive_time,
    "past-time": launch_rules.past_time,
    "fixed-time": launch_rules.fixed_time,
    "changing-template": launch_rules.changing_template,
    "trigger-rule": launch_rules.trigger_rule,
    "unwatched": launch_rules.unwatched,
    "short-timeout": launch_rules.short_timeout,
    "short-interval": launch_rules.short_interval,
    "held-worker": launch_rules.held_worker,
    "no-connection": launch_rules.no_connection,
    "wrong-connection": launch_rules.wrong_connection,
    "catchup": dag_rules.catchup,
    "fail-fast": dag_rules.fail_fast,
    "no-callback": dag_rules.no_callback,
    "no-preflight": dag_rules.no_preflight,
    "hook-launch": source_rules.hook_launch,
    "clock-in-file": source_rules.clock_in_file,
    "chance-in-file": source_rules.chance_in_file,
}
"""What is looked for, by name. Each yields the task (or the DAG) and what is wrong."""


@dataclass(frozen=True)
class Finding:
    """A mistake.

    :param rule: name of the rule
    :param place: id of the task, or of the DAG
    :param message: what is wrong, and what to do
    """

    rule: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.rule}]"


def launch_warnings(dag: DAG | str | Path, *, dag_id: str | None = None, ignore: Collection[str] = ()) -> list[Finding]:
    """Return the mistakes of a DAG.

    :param dag: the DAG, or the file that makes it
    :param dag_id: which DAG of a file that makes several
    :param ignore: names of rules that are not applied, or one name
    :raises ValueError: when there is no such rule
    :raises DagImportError: when the file makes no DAG, or cannot be imported
    """
    ignore = {ignore} if isinstance(ignore, str) else ignore
    if unknown := set(ignore) - set(RULES):
        raise ValueError(f"there is no rule {min(unknown)!r}; there are {', '.join(RULES)}")
    parsed = load(dag, dag_id)
    tasks = [declared(each) for each in parsed.task_dict.values()]
    return [
        Finding(name, place, message)
        for name, rule in RULES.items()
        if name not in ignore
        for place, message in rule(parsed, tasks)
    ]


def assert_launch_safe(dag: DAG | str | Path, *, dag_id: str | None = None, ignore: Collection[str] = ()) -> None:
    """Fail when a DAG has mistakes; parameters as for :func:`launch_warnings`.

    :raises AssertionError: names each of them
    """
    found = launch_warnings(dag, dag_id=dag_id, ignore=ignore)
    if found:
        raise AssertionError("\n".join(str(each) for each in found))
