# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns: what is refused before anything is sent, dry runs, references, status updates."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    NotFoundError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.testing.movable_clock import MovableClock
from tests.unit.context import Task, deferral
from tests.unit.publishing import CAMPAIGN, FUTURE, LATER, PUBLISH, publishing

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "end before start": (
        {"campaign_start_date": LATER, "campaign_end_date": FUTURE},
        ["end_date must be after start_date", "2099-06-08", "2099-06-22", "move one of them"],
    ),
    "end at start": ({"campaign_start_date": FUTURE, "campaign_end_date": FUTURE}, ["must be after start_date"]),
    "start in the past": ({"campaign_start_date": "2020-01-01"}, ["start_date is in the past", "choose a later one"]),
    "end in the past": ({"campaign_end_date": "2020-01-01T00:00"}, ["end_date is in the past", "choose a later one"]),
    "not a date": ({"campaign_start_date": "next Monday"}, ["start_date must be a date and time", "'next Monday'"]),
    "a number": ({"campaign_start_date": 1_780_000_000}, ["start_date must be a date and time like", "1780000000"]),
    "beyond the calendar": ({"campaign_start_date": "9999-12-31T23:59:59-12:00"}, ["start_date must be a date and"]),
    "no listings": ({"listing_external_ids": []}, ["listing_external_ids is empty", "name at least one"]),
    "one listing as text": ({"listing_external_ids": "listing_1"}, ["ids must be a list", "['listing_1']"]),
    "no listing at all": ({"listing_external_ids": None}, ["listing_external_ids must be a list"]),
    "too many listings": (
        {"listing_external_ids": [f"listing_{number}" for number in range(51)]},
        ["listing_external_ids has 51 entries", "at most 50", "Split"],
    ),
    "empty listing": ({"listing_external_ids": ["a", " "]}, ["listing_external_ids[1] must be non-empty text"]),
    "listing twice": ({"listing_external_ids": ["a", "b", "a"]}, ["names a more than once", "remove"]),
    "listing is an object": ({"listing_external_ids": [{"id": 1}]}, ["listing_external_ids[0] must be non-empty text"]),
    "no plan": ({"plan_ref": ""}, ["plan_ref must be non-empty text"]),
    "no branch": ({"branch_id": None}, ["branch_id must be non-empty text"]),
    "agent is a list": ({"agent_external_id": ["a"]}, ["agent_external_id must be non-empty text"]),
    "budget of nothing": ({"budget_override": 0}, ["budget_override must be a number above 0", "got 0"]),
    "budget of nothing, rendered": ({"budget_override": "0"}, ["budget_override must be a number above 0"]),
    "negative budget": ({"budget_override": -1}, ["budget_override must be a number above 0", "got -1"]),
    "budget in words": ({"budget_override": "much"}, ["budget_override must be a number above 0", "'much'"]),
    "budget is true": ({"budget_override": True}, ["budget_override must be a number above 0"]),
    "budget without end": ({"budget_override": float("inf")}, ["budget_override must be a number above 0"]),
    "budget beyond reason": ({"budget_override": "1e400"}, ["budget_override must be below", "check the amount"]),
    "parts of a cent": ({"budget_override": 99.999}, ["budget_override must have at most two decimals", "round it"]),
    "long reference": ({"order_ref": "x" * 256}, ["order_ref has 256 characters", "at most 255", "Shorten"]),
    "long plan": ({"plan_ref": "x" * 256}, ["plan_ref has 256 characters"]),
    "branch of an empty template": ({"branch_id": "None"}, ["branch_id must be non-empty", "a template had nothing"]),
}  # fmt: skip


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, dry_run: bool, vendors: Sandbox, task: Task) -> None:
    arguments, words = BAD[case]
    with pytest.raises(ValidationError) as caught:
        publishing(dry_run=dry_run, **arguments).execute(task.context)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"


@pytest.mark.parametrize("case", [case for case in BAD if "campaign_" not in str(BAD[case][0])])
def test_bad_input_of_the_hook(case: str, vendors: Sandbox) -> None:
    arguments, words = BAD[case]
    with pytest.raises(ValidationError) as caught:
        FlowLivingHook().publish_campaign(**{**CAMPAIGN, **arguments})
    assert all(word in str(caught.value) for word in words)
    assert vendors.requests() == []


@pytest.mark.parametrize(
    "option", [{"poll_interval": 0}, {"poll_interval": -1}, {"wait_timeout": timedelta(0)}, {"wait_timeout": "1h"}]
)
def test_bad_options_are_told_when_the_dag_is_parsed(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be a number of seconds above 0"):
        publishing(**option)


def test_everything_is_sent_as_the_vendor_wants_it(vendors: Sandbox, task: Task) -> None:
    publishing(
        listing_external_ids=("listing_1001", "listing_1002"),
        agent_external_id="agent_7",
        campaign_start_date=datetime(2099, 6, 8, 11, tzinfo=timezone(timedelta(hours=2))),
        campaign_end_date=date(2099, 6, 22),
        budget_override="150.50",
        order_ref="PO-7",
    ).execute(task.context)
    sent = vendors.requests("flow_living")[-1]
    assert sent["query"] == {"clientId": "sandbox-organisation"}
    assert sent["body"] == {
        "planRef": "facebookv2",
        "listingExternalIds": ["listing_1001", "listing_1002"],
        "branchId": "branch_harbour",
        "agentExternalId": "agent_7",
        "startDate": "2099-06-08T09:00:00.000Z",
        "endDate": "2099-06-22T00:00:00.000Z",
        "budgetOverride": 150.5,
        "orderRef": "PO-7",
    }


@pytest.mark.parametrize("empty", ["", None])
def test_rendered_to_nothing_means_not_given(empty: str | None, vendors: Sandbox, task: Task) -> None:
    names = ("agent_external_id", "campaign_start_date", "campaign_end_date", "budget_override", "order_ref")
    publishing(**dict.fromkeys(names, empty)).execute(task.context)
    sent = vendors.requests("flow_living")[-1]["body"]
    assert sorted(sent) == ["branchId", "listingExternalIds", "orderRef", "planRef"]


def test_order_ref_is_made_of_where_the_task_is(vendors: Sandbox, task: Task) -> None:
    result = publishing().execute(task.context)
    assert result["order_ref"] == f"tests/launch/{task.run_id}/publish"
    long = Task(dag_id="d" * 250, map_index=3)
    reference = publishing().execute(long.context)["order_ref"]
    assert len(reference) == 255
    assert [entry["reference"] for entry in vendors.ledger("flow_living", "campaign.published")] == [
        result["order_ref"],
        reference,
    ]


def test_retry_after_the_start_still_attaches(vendors: Sandbox, task: Task) -> None:
    first = publishing(campaign_start_date=FUTURE).execute(task.context)
    task.retry()
    with clock.using(MovableClock(datetime(2100, 1, 1, tzinfo=timezone.utc))):
        assert publishing(campaign_start_date=FUTURE).execute(task.context) == first
        with pytest.raises(ValidationError, match="start_date is in the past"):
            publishing(campaign_start_date=FUTURE).execute(Task(run_id="other").context)
    assert len(vendors.ledger(effect="campaign.published")) == 1


@pytest.mark.slow
def test_a_new_tracking_id_has_two_minutes_from_its_acceptance(vendors: Sandbox, task: Task) -> None:
    """The request may have waited for long between the intent and its turn."""
    vendors.fault(PUBLISH, "rate_limit", retry_after=2)
    publishing().execute(task.context)
    record = Record.of(task.record)
    assert record.accepted_at - record.intent_at >= 2
    watch = publishing().watch(record)
    assert watch is not None
    assert watch.published_at == record.accepted_at


def test_unusable_tracking_ids(vendors: Sandbox, task: Task) -> None:
    body = {"campaign_tracking_ids": ["queue_1", ""], "status": "queued"}
    vendors.fault(PUBLISH, "status", status=202, body=body, processed=True)
    with pytest.raises(ApiError, match="without usable campaign_tracking_ids") as caught:
        publishing().execute(task.context)
    assert caught.value.executed  # type: ignore[attr-defined]
    task.retry()
    with pytest.raises(MalformedResponseError, match="was submitted"):
        publishing().execute(task.context)
    assert len(vendors.ledger(effect="campaign.published")) == 1


def test_sandbox_refuses_what_only_it_can_know(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(NotFoundError, match="Resource not found: planRef"):
        publishing(plan_ref="nosuchplan").execute(task.context)
    assert vendors.ledger(effect="campaign.published") == []


# Dry runs


def test_dry_run_publishes_nothing(vendors: Sandbox, task: Task) -> None:
    result = publishing(dry_run=True, deferrable=True).execute(task.context)
    assert result == {
        "status": "queued",
        "order_ref": f"tests/launch/{task.run_id}/publish",
        "campaign_tracking_ids": [],
    }
    assert vendors.requests("flow_living")[-1]["body"]["dryRun"] is True
    assert vendors.ledger(effect="campaign.published") == []
    assert task.store.values == {}


@pytest.mark.parametrize("given", ["False", "false", " FALSE ", False])
def test_dry_run_that_is_off_publishes(given: Any, vendors: Sandbox, task: Task) -> None:
    operator = publishing(dry_run="{{ params.dry }}")
    operator.render_template_fields({**task.context, "params": {"dry": given}})
    assert operator.execute(task.context)["campaign_tracking_ids"]
    assert len(vendors.ledger(effect="campaign.published")) == 1


@pytest.mark.parametrize("given", ["True", "true", True])
def test_dry_run_that_is_on_publishes_nothing(given: Any, vendors: Sandbox, task: Task) -> None:
    operator = publishing(dry_run="{{ params.dry }}")
    operator.render_template_fields({**task.context, "params": {"dry": given}})
    assert operator.execute(task.context)["campaign_tracking_ids"] == []
    assert vendors.ledger(effect="campaign.published") == []


@pytest.mark.parametrize("given", ["", "yes", "None", None, 1, 0, "{{ params.dry }}"])
def test_dry_run_that_is_neither(given: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="dry_run must be true or false"):
        publishing(dry_run=given).execute(task.context)
    assert vendors.requests() == []


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "target_statuses must be a list"),
        (5, "target_statuses must be a list"),
        ([], "target_statuses is empty"),
        ("", "target_statuses must be non-empty text"),
        (["published", None], r"target_statuses\[1\] must be non-empty text"),
        ("publishd", "'published' is probably meant"),
        (["published", "Completed"], "'completed' is probably meant"),
    ],
)
def test_bad_targets_are_refused_before_money_is_spent(
    *, given: Any, problem: str, dry_run: bool, vendors: Sandbox, task: Task
) -> None:
    with pytest.raises(ValidationError, match=problem):
        publishing(target_statuses=given, dry_run=dry_run, wait_for_completion=True).execute(task.context)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("given", ["in_progress", ["in_progress", "under_review"], "{{ params.target }}"])
def test_targets(given: Any, vendors: Sandbox, task: Task) -> None:
    operator = publishing(target_statuses=given, wait_for_completion=True, deferrable=True)
    operator.render_template_fields({**task.context, "params": {"target": "in_progress"}})
    trigger = deferral(operator.execute, task.context).trigger
    expected = given if isinstance(given, list) else ["in_progress"]
    assert trigger.serialize()[1]["arguments"]["targets"] == expected


def test_dry_run_that_is_refused(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(NotFoundError, match="branchId"):
        publishing(dry_run=True, branch_id="branch_nowhere").execute(task.context)


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "malformed"])
def test_dry_run_is_repeated_after_a_lost_answer(fault: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(PUBLISH, fault)
    assert publishing(dry_run=True).execute(task.context)["status"] == "queued"
    assert vendors.ledger(effect="campaign.published") == []
