# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows that cannot be sent: all of them are told at once, or they go where the vendor's refusals go. Never to Flodesk.

The same rules for a list, a file and a query.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flodesk import SqlToFlodeskSubscribersOperator
from tests.unit.context import Task

ROWS = [("ada@example.com", "Ada"), ("Bo Keeper", "Bo"), ("cy@example.com", "Cy"), ("", "Dee Keeper")]
Audience = Callable[..., Any]


def listed(rows: list[tuple[Any, ...]], folder: Path, **options: Any) -> Any:
    people = [{"email": email, "first_name": name} for email, name in rows]
    return FlodeskUpsertSubscribersOperator(task_id="audience", subscribers=people, **options)


def filed(rows: list[tuple[Any, ...]], folder: Path, **options: Any) -> Any:
    path = folder / "buyers.csv"
    path.write_text("email,first_name\n" + "".join(f"{email},{name}\n" for email, name in rows))
    return FlodeskUpsertSubscribersOperator(task_id="audience", path=str(path), **options)


def queried(rows: list[tuple[Any, ...]], folder: Path, **options: Any) -> Any:
    with closing(sqlite3.connect(folder / "crm.db")) as base, base:
        base.execute("CREATE TABLE people (email, first_name)")
        base.executemany("INSERT INTO people VALUES (?, ?)", rows)
    sql = "SELECT email, first_name FROM people ORDER BY rowid"
    return SqlToFlodeskSubscribersOperator(task_id="audience", sql=sql, sql_conn_id="crm", **options)


SOURCES: dict[str, tuple[Audience, str, str]] = {
    "list": (listed, "subscribers[1]", "subscribers[3]"),
    "file": (filed, "buyers.csv, line 3", "buyers.csv, line 5"),
    "query": (queried, "row 2 of the query", "row 4 of the query"),
}
every_source = pytest.mark.parametrize("source", SOURCES)


@pytest.fixture(autouse=True)
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def sent(vendors: Sandbox) -> list[str]:
    return [person["email"] for entry in vendors.requests("flodesk") for person in entry["body"]["subscribers"]]


@every_source
def test_allowed_failures_go_to_the_file_and_the_others_are_sent(
    source: str, vendors: Sandbox, task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make, second, fourth = SOURCES[source]
    path = tmp_path / "refused.jsonl"
    with caplog.at_level(logging.DEBUG):
        result = make(ROWS, tmp_path, allow_failures=True, failures_path=str(path)).execute(task.context)
    assert result == {"upserted": 2, "failed": 2, "failed_by_code": {"invalid": 2}}
    assert sent(vendors) == ["ada@example.com", "cy@example.com"]
    first, last = lines(path)
    assert (first["place"], first["code"], first["email"]) == (second, "invalid", "Bo Keeper")
    assert "not an e-mail address" in first["message"]
    assert (last["place"], last["code"]) == (fourth, "invalid")
    assert "Keeper" not in caplog.text + repr(result)


@every_source
def test_otherwise_all_are_told_at_once_and_nobody_is_sent(
    source: str, vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    make, second, fourth = SOURCES[source]
    path = tmp_path / "refused.jsonl"
    with pytest.raises(ValidationError, match="2 of 4 people cannot be sent") as caught:
        make(ROWS, tmp_path, failures_path=str(path)).execute(task.context)
    assert second in str(caught.value)
    assert fourth in str(caught.value)
    assert "Keeper" not in str(caught.value)
    assert vendors.requests() == []
    assert [line["place"] for line in lines(path)] == [second, fourth]


@every_source
def test_nobody_is_left(source: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    make = SOURCES[source][0]
    result = make([("ada", "Ada"), ("bo", "Bo")], tmp_path, allow_failures=True).execute(task.context)
    assert result == {"upserted": 0, "failed": 2, "failed_by_code": {"invalid": 2}}
    assert vendors.requests() == []


def test_beside_what_the_vendor_refuses(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    people: list[Any] = [{"email": "ada@example.com"}, "bo", {"email": "cy@example.com", "segment_ids": ["seg_none"]}]
    path = tmp_path / "refused.jsonl"
    operator = FlodeskUpsertSubscribersOperator(
        task_id="audience", subscribers=people, allow_failures=True, failures_path=str(path)
    )
    result = operator.execute(task.context)
    assert result == {"upserted": 1, "failed": 2, "failed_by_code": {"invalid": 1, "bad_request": 1}}
    assert [line["place"] for line in lines(path)] == ["subscribers[1]", "subscribers[2]"]


def test_only_twenty_are_told(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"30 of 30 people cannot be sent.* … and 10 more") as caught:
        listed([(f"nobody {number}", "") for number in range(30)], tmp_path).execute(task.context)
    assert str(caught.value).count("is not an e-mail address") == 20


def test_too_many_segments_in_all(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    """One who is named twice, each time with few segments: the row that makes them too many is the bad one."""
    path = tmp_path / "refused.jsonl"
    people = [
        {"email": "ada@example.com", "segment_ids": [f"seg_{number}" for number in range(start, start + 30)]}
        for start in (0, 30)
    ]
    operator = FlodeskUpsertSubscribersOperator(
        task_id="audience", subscribers=people, allow_failures=True, failures_path=str(path)
    )
    with pytest.raises(ValidationError, match="segment_ids has 60 entries"):
        FlodeskUpsertSubscribersOperator(task_id="audience", subscribers=people).execute(task.context)
    operator.execute(task.context)
    assert [line["place"] for line in lines(path)][:1] == ["subscribers[1]"]
    (entry,) = vendors.requests("flodesk")
    assert len(entry["body"]["subscribers"][0]["segment_ids"]) == 30


def test_an_error_of_the_vendor_is_no_bad_row(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    vendors.fault("POST /flodesk/v1/subscribers/batch", "status", status=400, message="no")
    with pytest.raises(ApiError, match="refused POST"):
        listed(ROWS[:1], tmp_path, allow_failures=True).execute(task.context)


# A query's own ids


def test_the_databases_id_is_never_sent_as_flodesks(
    vendors: Sandbox, task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    operator = queried([*ROWS[:1], (None, "Bo"), *ROWS[2:3]], tmp_path, allow_failures=True)
    operator.sql = "SELECT 4000 + rowid AS id, email, first_name FROM people ORDER BY rowid"
    operator.failures_path = str(tmp_path / "refused.jsonl")
    with caplog.at_level(logging.INFO):
        assert operator.execute(task.context)["upserted"] == 2
    (entry,) = vendors.requests("flodesk")
    assert entry["body"]["subscribers"] == [
        {"email": "ada@example.com", "first_name": "Ada"},
        {"email": "cy@example.com", "first_name": "Cy"},
    ]
    (line,) = lines(tmp_path / "refused.jsonl")
    assert line["place"] == "row 2 of the query"
    assert "'email' is empty" in line["message"]
    assert caplog.text.count("column 'id' beside 'email' is not sent") == 1


def test_an_id_without_an_address_is_flodesks(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    queried(ROWS[:1], tmp_path).execute(task.context)
    known = next(row["id"] for row in FlodeskHook().list_subscribers() if row["email"] == "ada@example.com")
    operator = SqlToFlodeskSubscribersOperator(
        task_id="audience", sql=f"SELECT '{known}' AS id, 'Adeline' AS first_name", sql_conn_id="crm"
    )
    assert operator.execute(task.context)["upserted"] == 1
    assert vendors.requests("flodesk")[-1]["body"]["subscribers"] == [{"id": known, "first_name": "Adeline"}]
