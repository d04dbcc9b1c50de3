# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a query to an audience."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_mkt.exceptions import ApiError, ServerError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.planning.audience import queried_audience
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flodesk import SqlToFlodeskSubscribersOperator
from tests.unit.context import Task

BATCH = "POST /flodesk/v1/subscribers/batch"
QUERY = "SELECT email, first_name, city FROM people ORDER BY rowid"
Crm = Callable[..., str]


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crm:
    """Fill a database with people: e-mail address, first name, city."""
    path = tmp_path / "crm.db"
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def fill(*people: tuple[Any, ...]) -> str:
        with sqlite3.connect(path) as base:
            base.execute("CREATE TABLE people (email, first_name, city)")
            base.executemany("INSERT INTO people VALUES (?, ?, ?)", people)
        return "crm"

    return fill


def syncing(sql: str = QUERY, **options: Any) -> SqlToFlodeskSubscribersOperator:
    return SqlToFlodeskSubscribersOperator(task_id="sync", sql=sql, **{"sql_conn_id": "crm", **options})


def clean(number: int) -> dict[str, Any]:
    return {"upserted": number, "failed": 0, "failed_by_code": {}}


def batches(vendors: Sandbox) -> list[list[dict[str, Any]]]:
    return [entry["body"]["subscribers"] for entry in vendors.requests("flodesk")]


def test_rows_become_subscribers(crm: Crm, vendors: Sandbox, task: Task) -> None:
    crm(*((f"person{number}@example.com", f"Person {number}", "Cork") for number in range(120)))
    assert syncing(segment_ids=["seg_buyers"]).execute(task.context) == clean(120)
    assert [len(batch) for batch in batches(vendors)] == [50, 50, 20]
    last = FlodeskHook().get_subscriber("person119@example.com")
    assert (last["first_name"], last["custom_fields"]) == ("Person 119", {"city": "Cork"})
    assert [segment["id"] for segment in last["segments"]] == ["seg_buyers"]


def test_same_person_twice_and_empty_cells(crm: Crm, vendors: Sandbox, task: Task) -> None:
    crm(("ada@example.com", "Adeline", None), ("ADA@example.com", None, " "), ("bo@example.com", "", "Cork"))
    assert syncing().execute(task.context) == clean(2)
    assert batches(vendors) == [
        [
            {"email": "ADA@example.com", "first_name": "Adeline"},
            {"email": "bo@example.com", "custom_fields": {"city": "Cork"}},
        ]
    ]


def test_no_rows_are_no_error(crm: Crm, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    crm()
    path = tmp_path / "refused.jsonl"
    assert syncing(failures_path=str(path)).execute(task.context) == clean(0)
    assert path.read_text() == ""
    assert vendors.requests() == []


def test_parameters_are_rendered_and_private(crm: Crm, vendors: Sandbox, task: Task) -> None:
    crm(("ada@example.com", "Ada", None), ("bo@example.com", "Bo", None))
    operator = syncing("SELECT email FROM people WHERE email = ?", parameters=["{{ person }}@example.com"])
    assert operator.execute({**task.context, "person": "bo"}) == clean(1)
    assert batches(vendors) == [[{"email": "bo@example.com"}]]
    assert "parameters" not in operator.template_fields


def test_refused_rows_are_placed(crm: Crm, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    crm(("ada@example.com", "Ada", None), ("bo@example.com", "Bo", None))
    path = tmp_path / "refused.jsonl"
    sql = "SELECT email, city AS shoe_size FROM (SELECT email, 'x' AS city FROM people WHERE email LIKE 'bo%')"
    with pytest.raises(ApiError, match="refused 1 of 1 subscribers"):
        syncing(sql, failures_path=str(path)).execute(task.context)
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["place"], line["email"]) == ("row 1 of the query", "bo@example.com")


@pytest.mark.parametrize(
    ("rows", "sql", "problem"),
    [
        ([("ada@example.com", "Ada", None), ("Ada Keeper", "Ada", None)], QUERY, "row 2 of the query.email is not an"),
        ([("ada@example.com", "Ada", None), (None, "Keeper", None)], QUERY, "row 2 of the query has neither 'email'"),
        ([("ada@example.com", "Keeper", None)], "SELECT first_name FROM people", "no column is called 'email'"),
        (
            [("ada@example.com", "Keeper", None)],
            "SELECT email, CAST(first_name AS BLOB) AS photo FROM people",
            "row 1 of the query: the column 'photo' holds a bytes",
        ),
        ([], "SELECT email FROM nowhere", "no such table: nowhere"),
    ],
)
def test_bad_rows_are_refused_before_anybody_is_sent(
    *, rows: list[Any], sql: str, problem: str, crm: Crm, vendors: Sandbox, task: Task
) -> None:
    crm(*rows)
    with pytest.raises(ValidationError, match=problem) as caught:
        syncing(sql).execute(task.context)
    assert "Keeper" not in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "malformed"])
def test_lost_answers_are_repeated(fault: str, crm: Crm, vendors: Sandbox, task: Task) -> None:
    crm(*((f"person{number}@example.com", None, None) for number in range(60)))
    vendors.fault(BATCH, fault, skip=1)
    assert syncing().execute(task.context) == clean(60)
    assert len(vendors.ledger("flodesk", "subscriber.created")) == 60


def test_outage_is_repeated_from_the_start(crm: Crm, vendors: Sandbox, task: Task) -> None:
    crm(*((f"person{number}@example.com", None, None) for number in range(60)))
    vendors.fault(BATCH, "status", status=503, skip=1, count=5)
    with pytest.raises(ServerError):
        syncing().execute(task.context)
    task.retry()
    assert syncing().execute(task.context) == clean(60)
    assert len(vendors.ledger("flodesk", "subscriber.created")) == 60


WINTER = datetime(2026, 1, 31, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("optin_timestamp", WINTER, "2026-01-31T10:30:00.000Z"),
        ("optin_timestamp", date(2026, 1, 31), "2026-01-31T00:00:00.000Z"),
        ("optin_timestamp", "2026-01-31T10:30:00.000Z", "2026-01-31T10:30:00.000Z"),
        ("viewed", WINTER, "2026-01-31T12:30:00+02:00"),
        ("viewed", date(2026, 1, 31), "2026-01-31"),
        ("budget", Decimal("250000.00"), "250000.00"),
        ("budget", Decimal("1E+6"), "1000000"),
        ("budget", 250_000, "250000"),
        ("share", 0.5, "0.5"),
        ("buyer", True, "true"),
        ("buyer", False, "false"),
        ("key", UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ("city", " Cork ", "Cork"),
        ("city", None, None),
        ("city", "  ", None),
    ],
)
def test_values_become_text(column: str, value: Any, expected: str | None) -> None:
    ((place, person),) = queried_audience([{"email": "ada@example.com", column: value}])
    assert place == "row 1 of the query"
    assert isinstance(person, dict)
    found = person if column == "optin_timestamp" else person.get("custom_fields", {})
    assert found.get(column) == expected


def test_sql_files(tmp_path: Path, crm: Crm, vendors: Sandbox, task: Task) -> None:
    from airflow.sdk import DAG

    crm(("ada@example.com", "Ada", None))
    (tmp_path / "buyers.sql").write_text("SELECT email FROM people WHERE first_name = '{{ name }}'")
    with DAG("a", schedule=None, template_searchpath=str(tmp_path)):
        operator = syncing("buyers.sql")
    operator.render_template_fields({"name": "Ada"})  # type: ignore[arg-type]
    assert operator.execute(task.context) == clean(1)
