# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audience files as other programs write them, on their whole way to Flodesk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flodesk import FlodeskSubscribersToObjectStorageOperator
from tests.unit.context import Task


def upserting(path: Path, text: str | None = None, **options: Any) -> FlodeskUpsertSubscribersOperator:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return FlodeskUpsertSubscribersOperator(task_id="audience", path=str(path), **options)


def sent(vendors: Sandbox) -> list[dict[str, Any]]:
    bodies = [entry["body"] for entry in vendors.requests("flodesk") if entry["method"] == "POST"]
    return [person for body in bodies for person in body["subscribers"]]


def test_what_is_clear_is_sent_as_it_was_meant(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    text = (
        "ID;Email; First Name ;city;optin_timestamp\r\n"
        '64c0; "mailto:Ada@B\u00fccher.example,";Ada;Cork;2026-04-03 10:00:00 UTC\r\n'
        ";;;;\r\n"
        "64c1;\u200bbo@example.com;Bo;;\r\n"
    )
    assert upserting(tmp_path / "people.csv", text).execute(task.context)["upserted"] == 2
    assert sent(vendors) == [
        {
            "email": "Ada@xn--bcher-kva.example",
            "first_name": "Ada",
            "optin_timestamp": "2026-04-03T10:00:00.000Z",
            "custom_fields": {"city": "Cork"},
        },
        {"email": "bo@example.com", "first_name": "Bo"},
    ]


LINES = "email,city\nada@example.com,Cork\nbo@example.com,Cork, City\ncy@example.com,Cork\ndee@example..com,Cork\n"


def test_bad_lines_are_allowed_to_fail(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    refused = tmp_path / "refused.jsonl"
    operator = upserting(tmp_path / "people.csv", LINES, allow_failures=True, failures_path=str(refused))
    assert operator.execute(task.context) == {"upserted": 2, "failed": 2, "failed_by_code": {"invalid": 2}}
    places = [json.loads(line)["place"] for line in refused.read_text().splitlines()]
    assert places == ["people.csv, line 3", "people.csv, line 5"]


def test_otherwise_all_of_them_are_told_and_nobody_is_sent(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="2 of 4 people cannot be sent") as caught:
        upserting(tmp_path / "people.csv", LINES).execute(task.context)
    assert "people.csv, line 3: it has more cells than" in str(caught.value)
    assert "people.csv, line 5" in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("bad", ["", "dee@example..com,Cork\n"])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_quote_that_swallows_people_is_no_line_that_may_fail(
    bad: str, allowed: bool, vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    """Nobody knows how many people are behind it."""
    text = f'email,city\nada@example.com,Cork\n{bad}bo@example.com,"Cork\ncy@example.com,Cork\n'
    with pytest.raises(ValidationError, match=r"people.csv, line \d: it is not CSV: a quote .* never closed") as caught:
        upserting(tmp_path / "people.csv", text, allow_failures=allowed).execute(task.context)
    assert ("line 3.email is not an e-mail address" in str(caught.value)) is bool(bad)
    assert vendors.requests() == []


@pytest.mark.parametrize("name", ["people.jsonl", "people.jsonl.gz", "people.ndjson"])
def test_our_own_exports_are_read_back(name: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    first = upserting(tmp_path / "people.csv", "email,first_name,city\nada@example.com,Ada,Cork\nbo@example.com,,\n")
    first.execute(task.context)
    export = FlodeskSubscribersToObjectStorageOperator(task_id="export", path=str(tmp_path / name))
    export.execute(task.context)
    before = len(sent(vendors))
    result = upserting(tmp_path / name).execute(Task(run_id="other").context)
    again = {person["email"]: person for person in sent(vendors)[before:]}
    assert result["failed"] == 0
    assert again["ada@example.com"] == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "custom_fields": {"city": "Cork"},
    }
    assert not {"id", "status", "source", "segments", "created_at"} & set().union(*again.values())
