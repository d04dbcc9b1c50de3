# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's database restored from a backup, or copied: the records are gone, and what they launched is still there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from airflow.sdk import NEVER_EXPIRE

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.flinque import FlinqueCreateCampaignOperator
from airflow_provider_mkt.operators.flodesk import FlodeskCreateSegmentOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.record import Record
from tests.unit.context import Task, Waits
from tests.unit.operators.kinds import CAMPAIGN, LATER, POST, REPORT, Kind

DRAFT = Kind(
    FlinqueCreateCampaignOperator,
    {"campaign": {"budget": "1000.00", "currency": "USD"}},
    "flinque",
    "campaign.created",
    "POST /flinque/v1/campaigns",
    "",
    "look",
)
LISTED = {"order": CAMPAIGN, "report": REPORT, "campaign": DRAFT}
"""What the vendor lists with the reference of the task; an order's campaigns are shown by the analytics host."""
every_listed = pytest.mark.parametrize("kind", LISTED.values(), ids=LISTED)


def launched_and_forgotten(kind: Kind, vendors: Sandbox, task: Task, **options: Any) -> dict[str, Any]:
    """Launch, and restore a backup from before that."""
    result: dict[str, Any] = kind(wait_for_completion=False, **options).execute(task.context)
    vendors.advance(LATER)
    task.store.values.clear()
    return result


def held(kind: Kind, task: Task, **options: Any) -> ValidationError:
    with pytest.raises(ValidationError, match="under this task's own reference") as caught:
        kind(wait_for_completion=False, **options).execute(task.context)
    assert (task.record["state"], task.record["sent"]) == ("held", False)
    return caught.value


def by_a_person(task: Task, settle: Callable[[Record], Record]) -> None:
    task.store.set("mkt.submission.0", asdict(settle(Record.of(task.record))), retention=NEVER_EXPIRE)
    task.clear()


@every_listed
def test_what_the_vendor_lists_as_ours_is_not_launched_again(kind: Kind, vendors: Sandbox, task: Task) -> None:
    launched_and_forgotten(kind, vendors, task)
    error = held(kind, task)
    for word in (kind.reference(task), "restored from a backup", "adopt", "forget", "Nothing was sent"):
        assert word in str(error)
    assert DEFAULT.evaluate(error, 1, 2).action.value == "fail"
    # Neither a retry nor a clear changes that.
    task.retry()
    held(kind, task)
    task.clear()
    held(kind, task)
    assert kind.effects(vendors) == 1


@every_listed
def test_it_goes_on_with_what_is_there(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    first = launched_and_forgotten(kind, vendors, task)
    held(kind, task)
    by_a_person(task, lambda record: record.adopt(list(map(str, record.baseline["ours"]))))
    result = kind(wait_for_completion=kind is CAMPAIGN).execute(task.context)
    if kind is CAMPAIGN:
        # Analytics show no tracking ids, so there is nothing to wait for.
        assert result["flow_campaign_ids"]
        assert result["campaign_tracking_ids"] == []
    else:
        assert result == {**first, "status": "adopted"}
    assert kind.effects(vendors) == 1


@every_listed
def test_it_is_launched_again_on_purpose(kind: Kind, vendors: Sandbox, task: Task) -> None:
    launched_and_forgotten(kind, vendors, task)
    held(kind, task)
    by_a_person(task, Record.forget)
    assert kind(wait_for_completion=False).execute(task.context)
    assert task.record["generation"] == 2
    assert kind.effects(vendors) == 2


@pytest.mark.parametrize("kind", [REPORT, DRAFT])
def test_a_name_of_the_users_that_holds_the_run_is_ours_too(kind: Kind, vendors: Sandbox, task: Task) -> None:
    parameter, body = next(iter(kind.arguments.items()))
    named = {parameter: {**body, "name": f"Spring {task.run_id}"}}
    launched_and_forgotten(kind, vendors, task, **named)
    with pytest.raises(ValidationError, match="lists a"):
        kind(wait_for_completion=False, **named).execute(task.context)
    # A sibling of the run with that name and other content is another launch.
    sibling = {parameter: {**named[parameter], **({"type": "dashboard"} if kind is REPORT else {"currency": "EUR"})}}
    assert kind(wait_for_completion=False, **sibling).execute(Task(map_index=1).context)
    # And a name without the run is anybody's.
    anybodys = {parameter: {**body, "name": "Spring"}}
    launched_and_forgotten(kind, vendors, Task(task_id="other"), **anybodys)
    assert kind(wait_for_completion=False, **anybodys).execute(Task(task_id="another").context)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [REPORT, DRAFT])
def test_it_is_found_behind_many_newer_ones(kind: Kind, vendors: Sandbox, task: Task) -> None:
    launched_and_forgotten(kind, vendors, task)
    for number in range(45):
        kind(wait_for_completion=False).execute(Task(run_id=f"later_{number}").context)
    held(kind, task)


def test_a_first_launch_reads_one_page(vendors: Sandbox, task: Task) -> None:
    REPORT(wait_for_completion=False).execute(task.context)
    assert [entry["method"] for entry in vendors.requests("flinque")].count("GET") == 1


def test_a_post_is_answered_with_the_first_one(vendors: Sandbox, task: Task) -> None:
    """Its key is the same, and the vendor keeps keys for a day."""
    first = launched_and_forgotten(POST, vendors, task)
    assert POST(wait_for_completion=False).execute(task.context)["post_id"] == first["post_id"]
    assert POST.effects(vendors) == 1


def test_a_segment_is_taken_as_it_is(vendors: Sandbox, task: Task) -> None:
    first = FlodeskCreateSegmentOperator(task_id="publish", name="Restored").execute(task.context)
    task.store.values.clear()
    again = FlodeskCreateSegmentOperator(task_id="publish", name="Restored").execute(task.context)
    assert again == {"segment_id": first["segment_id"], "created": False}
    assert len(vendors.ledger("flodesk", "segment.created")) == 1
