# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audiences: batches, people named twice, refusals that do not name anybody."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, ServerError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

BATCH = "POST /flodesk/v1/subscribers/batch"


def upserting(subscribers: Any = None, **options: Any) -> FlodeskUpsertSubscribersOperator:
    return FlodeskUpsertSubscribersOperator(task_id="audience", subscribers=subscribers, **options)


def people(number: int) -> list[dict[str, Any]]:
    return [{"email": f"person{index}@example.com", "first_name": f"Person {index}"} for index in range(number)]


def clean(number: int) -> dict[str, Any]:
    """The result when nobody is refused."""
    return {"upserted": number, "failed": 0, "failed_by_code": {}}


def sent(vendors: Sandbox) -> list[list[dict[str, Any]]]:
    return [entry["body"]["subscribers"] for entry in vendors.requests("flodesk")]


@pytest.mark.parametrize(("number", "sizes"), [(1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_batches_of_fifty(number: int, sizes: list[int], vendors: Sandbox, task: Task) -> None:
    assert upserting(people(number)).execute(task.context) == clean(number)
    assert [len(batch) for batch in sent(vendors)] == sizes
    assert len(vendors.ledger("flodesk", "subscriber.created")) == number


def test_repeating_creates_nobody_twice(vendors: Sandbox, task: Task) -> None:
    for _ in range(3):
        upserting(people(60)).execute(task.context)
        task.retry()
    assert len(vendors.ledger("flodesk", "subscriber.created")) == 60


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "malformed", "html", "truncate"])
def test_lost_answers_are_repeated(fault: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(BATCH, fault, skip=1)
    assert upserting(people(60)).execute(task.context) == clean(60)
    assert len(vendors.ledger("flodesk", "subscriber.created")) == 60


def test_outage(vendors: Sandbox, task: Task) -> None:
    vendors.fault(BATCH, "status", status=503, skip=1, count=5)
    with pytest.raises(ServerError) as caught:
        upserting(people(60)).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    task.retry()
    assert upserting(people(60)).execute(task.context)["upserted"] == 60


def test_people_named_twice_are_merged(vendors: Sandbox, task: Task) -> None:
    named = [
        {
            "email": "ada@example.com",
            "first_name": "Ada",
            "custom_fields": {"city": "Cork"},
            "segment_ids": ["seg_vips"],
        },
        {"email": "bo@example.com"},
        {"email": "ADA@Example.com", "last_name": "K", "custom_fields": {"budget": "5"}, "segment_ids": ["seg_news"]},
        {"email": "ada@example.com", "first_name": "Adeline", "segment_ids": ["seg_vips"]},
    ]
    assert upserting(named, segment_ids=["seg_buyers"]).execute(task.context) == clean(2)
    (batch,) = sent(vendors)
    assert len(batch) == 2
    ada = FlodeskHook().get_subscriber("ada@example.com")
    assert (ada["first_name"], ada["last_name"]) == ("Adeline", "K")
    assert ada["custom_fields"] == {"city": "Cork", "budget": "5"}
    assert {segment["id"] for segment in ada["segments"]} == {"seg_vips", "seg_buyers", "seg_news"}


def test_refusals_are_counted_and_name_nobody(vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    secret = {"email": "ada.keeper@example.com", "first_name": "Adeline", "custom_fields": {"shoe_size": "Forty-two"}}
    mixed = [*people(3), secret, {"email": "bo@example.com", "segment_ids": ["seg_nowhere"]}]
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(ApiError, match="Flodesk refused 2 of 5 subscribers: ") as caught,
    ):
        upserting(mixed).execute(task.context)
    assert "bad_request (2)" in str(caught.value)
    told = caplog.text + repr(caught.value) + str(caught.value.__dict__)
    assert not any(word in told for word in ("ada.keeper", "Adeline", "Forty-two", "person1@"))
    task.retry()
    assert upserting(mixed, allow_failures=True).execute(task.context) == {
        "upserted": 3,
        "failed": 2,
        "failed_by_code": {"bad_request": 2},
    }


def test_vendor_that_quotes_people(vendors: Sandbox, task: Task) -> None:
    failure = {"index": 0, "code": "bad", "message": "Adeline Keeper <ada@example.com> from 10.1.2.3 likes Forty-two"}
    vendors.fault(BATCH, "status", status=200, body={"successes": [], "failures": [failure, "odd", {"index": 1}]})
    person = {
        "email": "ada@example.com",
        "first_name": "Adeline",
        "last_name": "Keeper",
        "optin_ip": "10.1.2.3",
        "custom_fields": {"city": "Forty-two"},
    }
    with pytest.raises(ApiError, match="refused 3 of 3") as caught:
        upserting([person, *people(2)]).execute(task.context)
    message = str(caught.value)
    assert not any(word in message for word in ("Adeline", "Keeper", "ada@", "10.1.2.3", "Forty-two"))
    assert "refused (2)" in message


def test_file(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    csv, lines = tmp_path / "buyers.csv", tmp_path / "buyers.jsonl"
    csv.write_text("email,first_name,city\nada@example.com,Ada,Cork\nbo@example.com,Bo,\n")
    lines.write_text("\n".join(json.dumps(person) for person in people(55)))
    assert upserting(path=str(csv), segment_ids=["seg_buyers"]).execute(task.context)["upserted"] == 2
    assert upserting(path=str(lines)).execute(task.context)["upserted"] == 55
    assert FlodeskHook().get_subscriber("ada@example.com")["custom_fields"] == {"city": "Cork"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("email\nada@example.com\nada example.com\n", "buyers.csv, line 3.email is not an e-mail address; correct"),
        ("email,city\nada@example.com,Cork\n,Cork\n", "buyers.csv, line 3 has neither 'email' nor 'id'"),
        ("email\nada@example.com,x\n", "buyers.csv, line 2: it has more cells"),
        ("email\n", "There are no subscribers to upsert; check the audience file"),
    ],
)
def test_bad_files_are_refused_whole(text: str, problem: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "buyers.csv"
    path.write_text(text)
    with pytest.raises(ValidationError) as caught:
        upserting(path=str(path)).execute(task.context)
    assert problem in str(caught.value)
    assert "@" not in str(caught.value)
    assert vendors.requests() == []


MANY = [f"seg_{number}" for number in range(51)]


@pytest.mark.parametrize(
    ("person", "problem"),
    [
        ("ada@example.com", "subscribers[60] must be an object with an 'email' or an 'id'"),
        (None, "subscribers[60] must be an object"),
        ({}, "subscribers[60] has neither 'email' nor 'id'"),
        ({"email": ""}, "subscribers[60] has neither 'email' nor 'id'"),
        ({"email": "ada@example"}, "subscribers[60].email is not an e-mail address"),
        ({"email": "ada @example.com"}, "subscribers[60].email is not an e-mail address"),
        ({"email": ["ada@example.com"]}, "subscribers[60].email is not an e-mail address"),
        (
            {"email": "ada@example.com", "phone": "1", "fax": "2"},
            "subscribers[60] has unknown fields fax, phone; known",
        ),
        ({"email": "ada@example.com", "custom_fields": {"budget": 5}}, "subscribers[60].custom_fields must map field"),
        ({"email": "ada@example.com", "custom_fields": "city"}, "subscribers[60].custom_fields must map field"),
        ({"email": "ada@example.com", "custom_fields": []}, "subscribers[60].custom_fields must map field"),
        ({"email": "ada@example.com", "first_name": 5}, "subscribers[60].first_name must be text"),
        ({"email": "ada@example.com", "double_optin": "yes"}, "subscribers[60].double_optin must be true or false"),
        ({"email": "ada@example.com", "segment_ids": "seg_1"}, "subscribers[60].segment_ids must be a list"),
        ({"email": "ada@example.com", "segment_ids": 0}, "subscribers[60].segment_ids must be a list"),
        ({"email": "ada@example.com", "segment_ids": False}, "subscribers[60].segment_ids must be a list"),
        ({"email": "ada@example.com", "segment_ids": MANY}, "subscribers[60].segment_ids has 51 entries; at most 50"),
        ({"email": "ada@example.com", "segment_ids": MANY[:50]}, "subscribers[60]: segment_ids has 51 entries"),
        ({"email": "ada@example.com", "segment_ids": ["a", "a"]}, "subscribers[60].segment_ids names a more than once"),
    ],
)
def test_bad_people_are_refused_before_anybody_is_sent(person: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        upserting([*people(60), person], segment_ids=["seg_buyers"]).execute(task.context)
    assert problem in str(caught.value)
    assert "@" not in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize(
    ("segments", "problem"),
    [
        (MANY, "segment_ids has 51 entries; at most 50 are allowed. Split the request"),
        ("seg_buyers", "segment_ids must be a list, got 'seg_buyers'; write ['seg_buyers']"),
        (["a", "a"], "segment_ids names a more than once"),
    ],
)
def test_bad_segments(segments: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        upserting(people(1), segment_ids=segments).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("number", [0, 51])
def test_size_of_the_hooks_batch(number: int, vendors: Sandbox) -> None:
    with pytest.raises(ValidationError, match=f"subscribers has {number} entries; a batch takes 1 to 50"):
        FlodeskHook().upsert_subscribers(people(number))
    assert vendors.requests() == []


def test_nobody(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="There are no subscribers"):
        upserting([]).execute(task.context)
    assert vendors.requests() == []


@pytest.mark.parametrize("both", [{}, {"subscribers": [], "path": "a.csv"}])
def test_either_people_or_a_file(both: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give either subscribers or path"):
        FlodeskUpsertSubscribersOperator(task_id="audience", **both)


def test_people_are_not_rendered() -> None:
    assert "subscribers" not in FlodeskUpsertSubscribersOperator.template_fields


@pytest.mark.parametrize("size", [0, 101])
def test_page_sizes(size: int, vendors: Sandbox) -> None:
    with pytest.raises(ValidationError, match="per_page must be between 1 and 100"):
        next(FlodeskHook().list_segments(per_page=size))
    assert vendors.requests() == []
