# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Everybody once, the old list or the new one, and nobody's data anywhere else."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk import Asset

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flodesk import FlodeskSubscribersToObjectStorageOperator
from tests.unit.context import Task

PEOPLE = Asset("people")
LIST = "GET /flodesk/v1/subscribers"


@pytest.fixture
def people(vendors: Sandbox) -> list[str]:
    hook = FlodeskHook()
    emails = [f"person.{number}@planted.example" for number in range(230)]
    for at in range(0, len(emails), 50):
        hook.upsert_subscribers([{"email": email, "first_name": "Planted"} for email in emails[at : at + 50]])
    return [row["email"] for row in hook.list_subscribers()]


def export(task: Task, path: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Export, and return the result and the event."""
    event = SimpleNamespace(extra={})
    operator = FlodeskSubscribersToObjectStorageOperator(task_id="people", path=str(path), outlets=[PEOPLE], **options)
    return operator.execute({**task.context, "outlet_events": {PEOPLE: event}}), event.extra


def emails(path: Path) -> list[str]:
    return [json.loads(line)["email"] for line in path.read_text().splitlines()]


def test_everybody(people: list[str], task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "people.jsonl"
    result, event = export(task, path)
    assert sorted(emails(path)) == sorted(people)
    assert result == event
    assert result["rows"] == len(people)
    assert path.stat().st_mode & 0o077 == 0
    said = f"{caplog.text}{result}{event}{task.store.values}"
    assert "planted" not in said.lower().replace(str(tmp_path).lower(), "")


def test_parquet(people: list[str], task: Task, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    export(task, path)
    rows = pq.read_table(path).to_pylist()
    assert sorted(row["email"] for row in rows) == sorted(people)
    whole = {row["id"]: row for row in FlodeskHook().list_subscribers()}
    for row in rows:
        assert json.loads(row["segments"]) == whole[row["id"]]["segments"]
        assert json.loads(row["custom_fields"]) == whole[row["id"]]["custom_fields"]
        assert row["extra_json"] is None


def test_filters(people: list[str], vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    hook = FlodeskHook()
    segment = next(iter(hook.list_segments()))["id"]
    for email in people[:3]:
        hook.add_subscriber_to_segments(email, [segment])
    hook.unsubscribe(people[0])
    wanted = [row["email"] for row in hook.list_subscribers(segment_id=segment)]
    export(task, tmp_path / "a.jsonl", segment_id=segment)
    assert sorted(emails(tmp_path / "a.jsonl")) == sorted(wanted)
    result, _ = export(task, tmp_path / "b.jsonl", status="unsubscribed")
    assert people[0] in emails(tmp_path / "b.jsonl")
    assert result["status"] == "unsubscribed"


def test_nobody_is_an_empty_file_in_place_of_the_old_one(people: list[str], task: Task, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")
    result, _ = export(task, path, status="cleaned")
    assert (result["rows"], path.read_text()) == (0, "")


def test_people_who_join_while_the_list_is_read(
    people: list[str], vendors: Sandbox, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_mkt.client.api_client import ApiClient

    send, hook, joined = ApiClient.send, FlodeskHook(), []

    def busy(self: ApiClient, call: Any) -> Any:
        if call.query.get("page") == 2 and not joined:
            joined.append(True)
            hook.upsert_subscribers([{"email": f"late.{number}@planted.example"} for number in range(7)])
        return send(self, call)

    monkeypatch.setattr(ApiClient, "send", busy)
    export(task, tmp_path / "a.jsonl")
    found = emails(tmp_path / "a.jsonl")
    assert len(found) == len(set(found))
    assert set(people) <= set(found)


def test_the_old_list_stays_when_a_page_fails(people: list[str], vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")
    vendors.fault(LIST, "status", status=500, count=None)
    with pytest.raises(ApiError):
        export(task, path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.jsonl", "old\n")]


def lying(monkeypatch: pytest.MonkeyPatch, lie: Any) -> None:
    """Let each answer to a list go through ``lie(page, answer)``."""
    from airflow_provider_mkt.client.api_client import ApiClient

    send = ApiClient.send
    monkeypatch.setattr(ApiClient, "send", lambda self, call: _lied(lie, call, send(self, call)))


def _lied(lie: Any, call: Any, answer: Any) -> Any:
    return lie(call.query["page"], answer) if "page" in call.query else answer


@pytest.mark.parametrize("lie", ["caps", "empty", "ends"])
def test_a_list_that_is_cut_short_does_not_replace_the_old_one(
    lie: str, people: list[str], task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")

    def cut(page: int, answer: dict[str, Any]) -> dict[str, Any]:
        if lie == "caps":
            meta = {name: value for name, value in answer["meta"].items() if name != "total_pages"}
            return {"data": answer["data"][:20], "meta": meta}
        if lie == "ends":
            return {**answer, "meta": {**answer["meta"], "total_pages": 1}}
        return {**answer, "data": []} if page == 2 else answer

    lying(monkeypatch, cut)
    with pytest.raises(MalformedResponseError, match="Flodesk counts"):
        export(task, path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.jsonl", "old\n")]


def test_who_leaves_hides_nobody(
    people: list[str], task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, left = FlodeskHook(), []

    def leave(page: int, answer: dict[str, Any]) -> dict[str, Any]:
        if page == 1 and not left:
            left.append(answer["data"][10]["email"])
            hook.unsubscribe(left[0])
        return answer

    active = [row["email"] for row in hook.list_subscribers(status="active")]
    lying(monkeypatch, leave)
    export(task, tmp_path / "a.jsonl", status="active")
    assert sorted(emails(tmp_path / "a.jsonl")) == sorted(active)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"status": "archived"}, "status must be one of"),
        ({"status": ""}, "status must be one of"),
        ({"segment_id": "x" * 300}, "segment_id has 300 characters"),
        ({"segment_id": ""}, "segment_id must be non-empty text"),
        ({"segment_id": []}, "segment_id must be non-empty text"),
        ({"segment_id": "None"}, "segment_id must be non-empty text"),
    ],
)
def test_bad_input(options: dict[str, Any], problem: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=problem):
        export(task, tmp_path / "a.jsonl", **options)
    assert vendors.requests() == []
    assert list(tmp_path.iterdir()) == []
