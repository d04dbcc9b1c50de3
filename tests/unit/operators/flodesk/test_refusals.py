# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whom Flodesk refused: the file about them, the counts, and answers that do not add up."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, ServerError, ValidationError
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flodesk import refusals as refusals_module
from airflow_provider_mkt.operators.flodesk.answer import refused
from airflow_provider_mkt.operators.flodesk.refusals import Refusal, Refusals
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

BATCH = "POST /flodesk/v1/subscribers/batch"
GOOD = [{"email": f"person{number}@example.com"} for number in range(60)]
UNKNOWN_SEGMENT = {"email": "ada.keeper@example.com", "segment_ids": ["seg_nowhere"]}
UNKNOWN_ID = {"id": "sub_nobody", "first_name": "Nobody"}


def upserting(subscribers: Any = None, **options: Any) -> FlodeskUpsertSubscribersOperator:
    return FlodeskUpsertSubscribersOperator(task_id="audience", subscribers=subscribers, **options)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("allowed", [True, False])
def test_file_names_place_reason_and_person(
    *, allowed: bool, vendors: Sandbox, task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "refused.jsonl"
    operator = upserting([*GOOD, UNKNOWN_SEGMENT, UNKNOWN_ID], failures_path=str(path), allow_failures=allowed)
    with caplog.at_level(logging.DEBUG):
        if allowed:
            told = repr(operator.execute(task.context))
            assert json.loads(told.replace("'", '"'))["failed_by_code"] == {"bad_request": 2}
        else:
            with pytest.raises(ApiError, match="refused 2 of 62") as caught:
                operator.execute(task.context)
            told = str(caught.value)
    assert lines(path) == [
        {
            "place": "subscribers[60]",
            "code": "bad_request",
            "message": "segment_ids holds an unknown segment",
            "email": "ada.keeper@example.com",
        },
        {"place": "subscribers[61]", "code": "bad_request", "message": "id is unknown", "id": "sub_nobody"},
    ]
    assert "keeper" not in caplog.text + told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_place_of_a_file_is_its_line(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    audience, path = tmp_path / "buyers.csv", tmp_path / "refused.jsonl"
    audience.write_text("email,shoe_size\nada@example.com,\nbo@example.com,42\n")
    upserting(path=str(audience), failures_path=str(path), allow_failures=True).execute(task.context)
    assert [line["place"] for line in lines(path)] == ["buyers.csv, line 3"]


def test_without_refusals_the_file_is_empty_and_replaces_an_earlier_one(
    vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    path = tmp_path / "refused.jsonl"
    path.write_text('{"place": "of an earlier try"}\n')
    upserting(GOOD, failures_path=str(path)).execute(task.context)
    assert path.read_text() == ""


def test_interrupted_tries_leave_no_part_of_a_file(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    vendors.fault(BATCH, "status", status=503, skip=1, count=5)
    with pytest.raises(ServerError):
        upserting([UNKNOWN_SEGMENT, *GOOD], failures_path=str(path)).execute(task.context)
    assert list(tmp_path.iterdir()) == []


def test_object_storage(vendors: Sandbox, task: Task) -> None:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    target = ObjectStoragePath("memory://exports/refused.jsonl")
    upserting([UNKNOWN_ID], failures_path=str(target), allow_failures=True).execute(task.context)
    assert [json.loads(line)["id"] for line in target.read_text().splitlines()] == ["sub_nobody"]


def test_bad_paths_are_refused_before_anybody_is_sent(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="failures_path must name a file"):
        upserting(GOOD, failures_path=f"{tmp_path}/").execute(task.context)
    assert vendors.requests() == []


def test_many_codes_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals_module, "MAX_CODES", 2)
    with Refusals(None) as refusals:
        for code in ("a", "b", "c", "d", "a", "likes ada@example.com"):
            refusals.add(Refusal("line 1", code, "no", {}))
    assert refusals.codes == {"a": 2, "b": 1, "other": 3}
    assert len(refusals) == 6


ADA, BO, CY = ({"email": f"{name}@example.com"} for name in ("ada", "bo", "cy"))
NO = {"code": "bad", "message": "no"}


@pytest.mark.parametrize(
    ("successes", "failures", "indexes"),
    [
        ([ADA, BO, CY], [], []),
        ([{"email": "ADA@Example.com"}, CY], [{"index": 1, **NO}], [1]),
        ([CY, ADA], [{"email": "bo@example.com", **NO}], [1]),
        # A name is trusted more than a number.
        ([CY, ADA], [{"index": 0, "email": "bo@example.com", **NO}], [1]),
        # Fewer results than asked for: whoever is not mentioned was not stored.
        ([], [], [0, 1, 2]),
        ([ADA], [{"index": 1, **NO}], [1, 2]),
        ([ADA, ADA, ADA], [], [1, 2]),
        (["odd", 5, None], [], [0, 1, 2]),
        # The vendor spells an address in another way.
        ([{"email": "ada+@example.com"}, BO, CY], [], []),
        # Failures of nobody in particular belong to whom the answer does not mention.
        ([ADA, BO], [{"index": 7, **NO}], [2]),
        ([ADA, BO], [{"index": True, **NO}], [2]),
        ([ADA, BO, CY], ["odd"], [None]),
        # Both: then it is no success.
        ([ADA, BO, CY], [{"index": 2, **NO}], [2]),
        ([ADA, BO, CY], [{"index": 2, **NO}] * 9, [2, None, None]),
    ],
)
def test_answers_that_do_not_add_up(successes: list[Any], failures: list[Any], indexes: list[int | None]) -> None:
    found = refused([ADA, BO, CY], {"successes": successes, "failures": failures})
    assert [index for index, _ in found] == indexes


def test_one_person_by_address_and_by_id(vendors: Sandbox, task: Task) -> None:
    from airflow_provider_mkt.hooks.flodesk import FlodeskHook

    ada = FlodeskHook().get_subscriber("ada@example.com")["id"]
    result = upserting([{"email": "ada@example.com"}, {"id": ada, "first_name": "Ada"}]).execute(task.context)
    assert (result["upserted"], result["failed"]) == (2, 0)


def test_fewer_results_than_asked_for_fail_the_task(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    stored = {"successes": [{"id": "s1", "status": "active", **GOOD[0]}], "failures": []}
    vendors.fault(BATCH, "status", status=200, body=stored)
    with pytest.raises(ApiError, match=r"refused 2 of 3 subscribers: unaccounted \(2\)\. See failures_path"):
        upserting(GOOD[:3], failures_path=str(path)).execute(task.context)
    assert [(line["place"], line["code"]) for line in lines(path)] == [
        ("subscribers[1]", "unaccounted"),
        ("subscribers[2]", "unaccounted"),
    ]
    task.retry()
    assert upserting(GOOD[:3], failures_path=str(path)).execute(task.context)["upserted"] == 3
    assert lines(path) == []


def test_code_that_quotes_somebody_is_no_code(vendors: Sandbox, task: Task) -> None:
    failure = {"index": 0, "code": "Adeline", "message": "Adeline is odd"}
    vendors.fault(BATCH, "status", status=200, body={"successes": [], "failures": [failure]})
    person = {"email": "ada@example.com", "first_name": "Adeline"}
    result = upserting([person], allow_failures=True).execute(task.context)
    assert result == {"upserted": 0, "failed": 1, "failed_by_code": {"other": 1}}


@pytest.mark.parametrize("value", ["Bob", "HIV", "ADELINE"])
def test_the_vendors_words_stay_out_of_errors(
    value: str, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    failure = {"index": 0, "code": value.lower(), "message": f"{value.title()} is odd, {value}!"}
    vendors.fault(BATCH, "status", status=200, body={"successes": [], "failures": [failure]})
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(ApiError, match=r"refused 1 of 1 subscribers: other \(1\)") as caught,
    ):
        upserting([{"email": "ada@example.com", "first_name": value}]).execute(task.context)
    assert value.lower() not in (str(caught.value) + caplog.text).lower()


@pytest.mark.parametrize("value", ["{{ ti.xcom_pull('a') }}", 5, True, {"email": "ada@example.com"}, object()])
def test_subscribers_that_are_no_list(value: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=r"subscribers must be a list of objects, got .*name it in path"):
        upserting(value).execute(task.context)
    assert vendors.requests() == []


def test_merged_segments_are_counted_before_anybody_is_sent(vendors: Sandbox, task: Task) -> None:
    twice = [{"email": "ada@example.com", "segment_ids": [f"{name}{n}" for n in range(30)]} for name in "ab"]
    with pytest.raises(ValidationError, match=r"subscribers\[61\]: segment_ids has 60 entries"):
        upserting([*GOOD, *twice]).execute(task.context)
    assert vendors.requests() == []


def test_ids_that_differ_in_case_are_two_people() -> None:
    people = [{"id": "aB1"}, {"id": "Ab1"}]
    answer = {"successes": [{"id": "aB1"}], "failures": [{"id": "Ab1", **NO}]}
    assert [index for index, _ in refused(people, answer)] == [1]
