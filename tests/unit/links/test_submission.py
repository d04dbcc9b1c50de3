# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From every task that starts something to its launch: an address made of ids, and of nothing else."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.types import TaskInstanceKey

from airflow_provider_mkt.hooks import account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.links.submission import SubmissionLink
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.operators.submitting import RecordingOperator
from airflow_provider_mkt.provider_info import get_provider_info
from airflow_provider_mkt.vendors import VENDORS

INFO = get_provider_info()
BASE = "https://airflow.example.com/marketing"
STARTING = (RecordingOperator, EnsureWebhookBase)
PREFIXES = ("SqlTo", *(vendor.hook.removesuffix("Hook") for vendor in VENDORS))
"""Beginnings of the names of operators that users know; the others are bases."""


def _operators() -> Iterator[type[MarketingOperator]]:
    """Find every operator that the provider tells Airflow of."""
    named = [name for entry in INFO["operators"] for name in entry["python-modules"]]
    for module in (*named, *(entry["python-module"] for entry in INFO["transfers"])):
        for name, cls in vars(importlib.import_module(module)).items():
            if name.startswith(PREFIXES) and issubclass(cls, MarketingOperator):
                yield cls


OPERATORS = sorted(set(_operators()), key=lambda cls: cls.__name__)
FIRST = next(cls for cls in OPERATORS if issubclass(cls, RecordingOperator))
every_operator = pytest.mark.parametrize("cls", OPERATORS, ids=[cls.__name__ for cls in OPERATORS])
every_starting_one = pytest.mark.parametrize(
    "cls", [cls for cls in OPERATORS if issubclass(cls, STARTING)], ids=lambda cls: cls.__name__
)


@pytest.fixture(autouse=True)
def base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"{BASE}/")


@pytest.fixture(autouse=True)
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a hook, or asks for a connection, fails."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a link needs neither a hook nor a connection")

    monkeypatch.setattr(MarketingHook, "__init__", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    monkeypatch.setattr(account, "account_of", refuse)


def made(cls: Any) -> Any:
    """Make a task whose every argument is a marker, so that none of them can go into an address unseen."""
    parameters = {
        name
        for each in cls.__mro__
        if issubclass(each, MarketingOperator)
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
    }
    return cls(task_id="publish", **dict.fromkeys(parameters - {"conn_id"}, "marker"))


def address(task: Any, map_index: int | None = -1, **ids: str) -> str:
    place = {"dag_id": "launch", "run_id": "manual__2026-06-01T09:00:00+00:00", "task_id": "publish", **ids}
    key = TaskInstanceKey(try_number=3, map_index=map_index, **place)  # type: ignore[arg-type]
    link = next(each for each in task.operator_extra_links if isinstance(each, SubmissionLink))
    return str(link.get_link(task, ti_key=key))


def test_all_that_start_something_are_known() -> None:
    """docs/launching-once.md names them, and three keep webhooks."""
    assert sum(issubclass(cls, RecordingOperator) for cls in OPERATORS) == 10
    assert sum(issubclass(cls, EnsureWebhookBase) for cls in OPERATORS) == 3


def test_the_link_is_declared() -> None:
    assert f"{SubmissionLink.__module__}.{SubmissionLink.__qualname__}" in INFO["extra-links"]


@every_operator
def test_who_starts_something_has_the_link(cls: type[MarketingOperator]) -> None:
    declared: Any = cls.operator_extra_links
    named = declared.__get__(cls) if isinstance(declared, property) else declared
    links = [link for link in named if isinstance(link, SubmissionLink)]
    assert len(links) == issubclass(cls, STARTING)
    assert all(link.name == "Submission" for link in links)


@every_starting_one
@pytest.mark.parametrize(("map_index", "mapped"), [(-1, ""), (None, ""), (0, "/mapped/0"), (12, "/mapped/12")])
def test_address(cls: type[MarketingOperator], map_index: int | None, mapped: str) -> None:
    run = "manual__2026-06-01T09%3A00%3A00%2B00%3A00"
    expected = f"{BASE}/dags/launch/runs/{run}/tasks/publish{mapped}/plugin/marketing-launch"
    assert address(made(cls), map_index) == expected


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
@pytest.mark.parametrize("odd", ["a/b", "a?b=c", "a#b", "a b", "100%", "a%2Fb", "../..", "größe", "a&b;c", "'\"<x>"])
def test_address_with_odd_ids(name: str, odd: str) -> None:
    """None of them leads elsewhere: the path keeps its parts, and there is neither query nor fragment."""
    parts = urlsplit(address(made(FIRST), 7, **{name: odd}))
    assert (parts.query, parts.fragment) == ("", "")
    assert parts.path.isascii()
    assert not set(parts.path) & set(" \"<>'")
    expected = {"dag_id": "launch", "run_id": "manual__2026-06-01T09:00:00+00:00", "task_id": "publish", name: odd}
    dag, run, task = (expected[each] for each in ("dag_id", "run_id", "task_id"))
    assert [unquote(part) for part in parts.path.split("/")] == [
        *("", "marketing", "dags", dag, "runs", run, "tasks", task, "mapped", "7", "plugin", "marketing-launch")
    ]


@every_starting_one
def test_address_holds_ids_only(cls: type[MarketingOperator]) -> None:
    """Neither the task's arguments nor its connection: links stand in browsers and in logs of proxies."""
    task = made(cls)
    assert "marker" not in address(task)
    assert task.conn_id not in address(task)
    assert address(task) == address(made(FIRST))
    assert "hook" not in vars(task)


@pytest.mark.parametrize("configured", [None, "/", "http://localhost:8080", "http://localhost:8080/"])
def test_address_of_a_plain_installation(configured: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a base URL the browser goes by the host that it is on."""
    if configured is None:
        monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    else:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", configured)
    host = configured.rstrip("/") if configured else ""
    assert address(made(FIRST)).startswith(f"{host}/dags/launch/runs/manual")
