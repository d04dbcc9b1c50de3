# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A vendor that wants more than a minute of quiet: the worker is handed back, and nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.flodesk import (
    FlodeskAddToSegmentsOperator,
    FlodeskCreateSegmentOperator,
    FlodeskUnsubscribeOperator,
    FlodeskUpsertSubscribersOperator,
)
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from tests.unit.context import Task
from tests.unit.publishing import PUBLISH, publishing


def test_a_long_wait_hands_the_worker_back_and_publishes_once(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors.fault(PUBLISH, "rate_limit", retry_after=300)
    before = datetime.now(timezone.utc)
    with pytest.raises(AirflowRescheduleException) as caught:
        publishing().execute(task.context)
    assert timedelta(seconds=299) <= caught.value.reschedule_date - before <= timedelta(seconds=330)
    assert vendors.ledger("flow_living", "campaign.published") == []

    # The five minutes are over: another process, which knows nothing of the cooldown, takes up the same try.
    from airflow_provider_mkt.hooks.account import Account

    known = Account.identity.fget
    assert known is not None
    monkeypatch.setattr(Account, "identity", property(lambda account: (*known(account), "later")))
    assert publishing().execute(task.context)["campaign_tracking_ids"]
    assert len(vendors.ledger("flow_living", "campaign.published")) == 1


LONG_WAITS: dict[str, tuple[str, Callable[[], MarketingOperator]]] = {
    "dry run": (PUBLISH, lambda: publishing(dry_run=True)),
    "adding to segments": (
        "POST /flodesk/v1/subscribers/{id}/segments",
        lambda: FlodeskAddToSegmentsOperator(task_id="join", id_or_email="ada@example.com", segment_ids=["seg_vips"]),
    ),
    "unsubscribing": (
        "POST /flodesk/v1/subscribers/{id}/unsubscribe",
        lambda: FlodeskUnsubscribeOperator(task_id="leave", id_or_email="ada@example.com"),
    ),
    "upserting": (
        "POST /flodesk/v1/subscribers/batch",
        lambda: FlodeskUpsertSubscribersOperator(task_id="upsert", subscribers=[{"email": "ada@example.com"}]),
    ),
    "creating a segment": (
        "POST /flodesk/v1/segments",
        lambda: FlodeskCreateSegmentOperator(task_id="segment", name="Open house"),
    ),
}


@pytest.mark.parametrize("what", LONG_WAITS)
def test_a_long_wait_hands_the_worker_back(what: str, vendors: Sandbox, task: Task) -> None:
    route, make = LONG_WAITS[what]
    vendors.fault(route, "rate_limit", retry_after=300)
    with pytest.raises(AirflowRescheduleException):
        make().execute(task.context)


def test_an_upsert_under_way_does_not_start_over_for_ever(vendors: Sandbox, task: Task) -> None:
    """Coming back uses up no try: a quota smaller than the audience would be met again each time."""
    people = [{"email": f"guest{number}@example.com"} for number in range(60)]
    vendors.fault("POST /flodesk/v1/subscribers/batch", "rate_limit", retry_after=300, skip=1)
    with pytest.raises(RateLimitError):
        FlodeskUpsertSubscribersOperator(task_id="upsert", subscribers=people).execute(task.context)
    assert len(vendors.ledger("flodesk", "subscriber.created")) == 50


@pytest.mark.parametrize(
    ("error", "comes_back"),
    [
        (RateLimitError("The rate budget is taken for the next 20 s.", retry_after=20.0), True),
        (RateLimitError("429", status=429, retry_after=20.0), False),
        (RateLimitError("429", status=429, retry_after=61.0), True),
        (RateLimitError("429", status=429), False),
    ],
    ids=["no room", "refused for a while", "refused for long", "refused"],
)
def test_what_is_worth_coming_back_for(error: RateLimitError, comes_back: bool) -> None:
    """Without room nothing was sent, and the worker has waited; a vendor that goes on refusing costs tries."""
    with pytest.raises(AirflowRescheduleException if comes_back else RateLimitError), reschedule_when_rate_limited():
        raise error


@pytest.mark.parametrize("asked", [86_400, 10**400, 1e308, float("inf")])
def test_no_answer_sends_a_task_away_for_a_day(asked: float, caplog: pytest.LogCaptureFixture) -> None:
    """It looks again after a quarter of an hour: somebody may have lifted the wait."""
    before = datetime.now(timezone.utc)
    with pytest.raises(AirflowRescheduleException) as caught, reschedule_when_rate_limited():
        raise RateLimitError("429", status=429, retry_after=asked)
    assert caught.value.reschedule_date - before <= timedelta(minutes=16)
    assert "airflow mkt budgets reset" in caplog.text


@pytest.mark.parametrize("asked", [float("nan"), -5.0, -1e308])
def test_what_is_no_time_is_no_reason_to_come_back(asked: float) -> None:
    with pytest.raises(RateLimitError), reschedule_when_rate_limited():
        raise RateLimitError("429", status=429, retry_after=asked)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), reschedule_when_rate_limited():
        raise KeyError
