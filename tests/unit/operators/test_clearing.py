# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What docs/launching-once.md says of backfills, changed lists, deleted runs, and of asking for a second launch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.testing.movable_clock import MovableClock
from tests.unit.context import Task

LATER = 700.0
DAY = 24 * 3600.0
BACKFILLS = [f"backfill__2026-06-0{day}T00:00:00+00:00" for day in range(1, 4)]


def campaign(listing: str = "listing_1001", **options: Any) -> Any:
    return FlowLivingPublishCampaignOperator(
        task_id="publish",
        plan_ref="facebookv2",
        listing_external_ids=[listing],
        branch_id="branch_harbour",
        wait_for_completion=False,
        **options,
    )


def post(content: str = "Open house on Sunday", **options: Any) -> Any:
    return FlowSocialSchedulePostOperator(task_id="publish", channel_id="channel_1", content=content, **options)


def report(campaign_id: str = "ca_1", **options: Any) -> Any:
    order = {"type": "campaign", "campaign_id": campaign_id}
    return FlinqueGenerateReportOperator(task_id="publish", report=order, wait_for_completion=False, **options)


def sync(integration_id: str = "int_adjust", **options: Any) -> Any:
    return FlokitTriggerSyncOperator(
        task_id="publish", integration_id=integration_id, wait_for_completion=False, **options
    )


# What makes a task, and what the vendor calls its effect
KINDS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "campaign": (campaign, "flow_living", "campaign.published"),
    "post": (post, "flow_social", "post.created"),
    "report": (report, "flinque", "report.generated"),
    "sync": (sync, "flokit", "sync.started"),
}
every_kind = pytest.mark.parametrize(("make", "vendor", "effect"), KINDS.values(), ids=KINDS)


@pytest.fixture(autouse=True)
def no_analytics(connect: Callable[..., str]) -> None:
    """Nobody is asked about campaigns here."""
    connect("flow_living", "flow_living_default", extra={"analytics_host": ""})


# Backfills


@every_kind
def test_every_run_of_a_backfill_launches_once(make: Any, vendor: str, effect: str, vendors: Sandbox) -> None:
    tasks = [Task(run_id=run_id) for run_id in BACKFILLS]
    results = []
    for task in tasks:
        results.append(make().execute(task.context))
        vendors.advance(LATER)
    assert len(vendors.ledger(vendor, effect)) == len({task.record["key"] for task in tasks}) == len(BACKFILLS)
    # Airflow runs a run of an earlier backfill again: it keeps its id, and its tasks are cleared.
    for task, result in zip(tasks, results, strict=True):
        task.clear()
        assert make().execute(task.context) == result
    assert len(vendors.ledger(vendor, effect)) == len(BACKFILLS)


@pytest.mark.parametrize("run_id", BACKFILLS)
def test_a_backfill_with_a_start_in_the_past_is_refused(run_id: str, vendors: Sandbox) -> None:
    task = Task(run_id=run_id)
    day = run_id.removeprefix("backfill__").replace("2026", "2020")
    with pytest.raises(ValidationError, match=f"start_date is in the past: {day[:10]}.*choose a later one") as caught:
        campaign(campaign_start_date=day).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert vendors.requests() == []
    assert task.store.values == {}


def test_a_backfill_again_attaches_although_its_start_has_passed(vendors: Sandbox) -> None:
    start = "2099-06-08T09:00:00Z"
    task = Task(run_id=BACKFILLS[0])
    first = campaign(campaign_start_date=start).execute(task.context)
    task.clear()
    with clock.using(MovableClock(datetime(2100, 1, 1, tzinfo=timezone.utc))):
        assert campaign(campaign_start_date=start).execute(task.context) == first
        with pytest.raises(ValidationError, match="start_date is in the past"):
            campaign(campaign_start_date=start).execute(Task(run_id=BACKFILLS[1]).context)
    assert len(vendors.ledger("flow_living", "campaign.published")) == 1


# A mapped list that changed


@pytest.mark.parametrize(
    ("kind", "before", "after", "field"),
    [
        ("campaign", ["listing_1001", "listing_1002", "listing_1003"], ["listing_1001", "listing_1003"], "listingExt"),
        ("post", ["One", "Two", "Three"], ["One", "Three"], "content"),
        ("report", ["ca_1", "ca_2", "ca_3"], ["ca_1", "ca_3"], "campaign_id"),
        ("sync", ["int_adjust", "int_stripe", "int_adjust"], ["int_adjust", "int_adjust"], "integration_id"),
    ],
)
def test_a_mapped_list_that_changed(
    kind: str, before: list[str], after: list[str], field: str, vendors: Sandbox
) -> None:
    """An element was taken out of the middle, so the last one moves up."""
    make, vendor, effect = KINDS[kind]
    tasks = [Task(map_index=index) for index in range(len(before))]
    results = []
    for task, each in zip(tasks, before, strict=True):
        results.append(make(each).execute(task.context))
        vendors.advance(LATER)
    sent = len(vendors.requests())
    for task in tasks:
        task.clear()
    assert make(after[0]).execute(tasks[0].context) == results[0]
    for _ in range(2):
        with pytest.raises(ValidationError, match=f"these fields differ: {field}") as caught:
            make(after[1]).execute(tasks[1].context)
        assert "not submitted a second time" in str(caught.value)
        tasks[1].clear()
    assert len(vendors.requests()) == sent
    # The list as it was: all attach.
    assert [make(each).execute(task.context) for task, each in zip(tasks, before, strict=True)] == results
    assert len(vendors.ledger(vendor, effect)) == len(before)


def test_a_longer_mapped_list_launches_what_is_new(vendors: Sandbox) -> None:
    tasks = [Task(map_index=index) for index in range(3)]
    contents = ["One", "Two", "Three"]
    first = [post(contents[at]).execute(tasks[at].context)["post_id"] for at in range(2)]
    tasks[0].clear()
    tasks[1].clear()
    again = [post(contents[at]).execute(tasks[at].context)["post_id"] for at in range(3)]
    assert again[:2] == first
    assert len(vendors.ledger("flow_social", "post.created")) == len(set(again)) == 3


# A run that was deleted


@every_kind
def test_a_deleted_run_submits_again_unless_the_vendor_knows_it(
    make: Any, vendor: str, effect: str, vendors: Sandbox
) -> None:
    """Flow Social knows its key, and Flinque lists its name; there is no analytics host to ask about the campaign."""
    first, second = Task(), Task()
    result = make().execute(first.context)
    vendors.advance(LATER)
    if vendor == "flinque":
        with pytest.raises(ValidationError, match="under this task's own reference"):
            make().execute(second.context)
    else:
        again = make().execute(second.context)
        assert vendor != "flow_social" or again["post_id"] == result["post_id"]
    assert first.record["key"] == second.record["key"]
    assert first.record["reference"] == second.record["reference"]
    assert len(vendors.ledger(vendor, effect)) == (1 if vendor in ("flow_social", "flinque") else 2)


def test_a_deleted_run_submits_a_post_again_once_its_key_is_forgotten(vendors: Sandbox) -> None:
    posts = []
    for _ in range(2):
        posts.append(post().execute(Task().context)["post_id"])
        vendors.advance(DAY + 1)
    assert len(set(posts)) == 2


# Records that are thrown away


@pytest.mark.parametrize("on", [True, False])
@every_kind
def test_clear_on_success_is_warned_of(
    *,
    make: Any,
    vendor: str,
    effect: str,
    on: bool,
    vendors: Sandbox,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", str(on))
    make().execute(task.context)
    told = [line for line in capsys.readouterr().out.splitlines() if "clear_on_success is on" in line]
    assert len(told) == on
    assert all("warning" in line and "submits again instead of attaching" in line for line in told)
    assert len(vendors.ledger(vendor, effect)) == 1


# A second launch on purpose


@pytest.mark.parametrize(
    ("value", "anew"),
    [(True, True), ("true", True), ("True", True), (False, False), ("false", False), ("False", False)],
)
@every_kind
def test_a_run_asks_for_a_second_launch(  # noqa: PLR0917 - a table
    make: Any, vendor: str, effect: str, value: Any, anew: bool, vendors: Sandbox
) -> None:
    """A form of Airflow, or a caller of its API, may well hand over text."""
    task = Task(conf={"mkt_resubmit": value})
    counts = []
    for following in (task.retry, task.clear, task.retry):
        make().execute(task.context)
        counts.append(len(vendors.ledger(vendor, effect)))
        vendors.advance(LATER)
        following()
    assert counts == [1, 1, 2 if anew else 1]


@pytest.mark.parametrize("value", ["yes", "tru", 1])
@every_kind
def test_a_run_that_asks_unclearly_is_refused(
    make: Any, vendor: str, effect: str, value: Any, vendors: Sandbox
) -> None:
    task = Task(conf={"mkt_resubmit": value})
    with pytest.raises(ValidationError, match="mkt_resubmit must be true or false") as caught:
        make().execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert vendors.requests() == []
    assert task.store.values == {}
