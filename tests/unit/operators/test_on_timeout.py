# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What becomes of it at the vendor when ``wait_timeout`` is over: it is left, or stopped."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralTimeout

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostsOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, deferral
from tests.unit.operators.kinds import CAMPAIGN, LATER, LATER_POST, POST, SYNC, Kind

pytestmark = pytest.mark.usefixtures("waits", "no_analytics")

STOPPED = {"flow_living": "campaign.status_updated", "flow_social": "post.deleted"}
TIMEOUT = {"error": "Trigger timeout"}
LAST_WORD = {**ApiError("The wait ends at its deadline.").to_event(), "timed_out": True}


def options(kind: Kind, **more: Any) -> dict[str, Any]:
    return {**(LATER_POST if kind is POST else {}), "wait_timeout": 600, **more}


def timed_out(kind: Kind, task: Task, how: str, **more: Any) -> Any:
    """Wait until the time is over: on a worker, in the triggerer, or there while the vendor is out of reach."""
    if how == "worker":
        return kind(**options(kind, **more)).execute(task.context)
    deferral(kind(**options(kind, deferrable=True, **more)).execute, task.context)
    operator = kind(**options(kind, deferrable=True, **more))
    if how == "triggerer":
        return operator.resume_execution("__fail__", dict(TIMEOUT), task.context)
    return operator.resume_execution("execute_complete", {"event": LAST_WORD}, task.context)


HOW = pytest.mark.parametrize("how", ["worker", "triggerer", "last word"])


@HOW
@pytest.mark.parametrize(("kind", "parts"), [(CAMPAIGN, 2), (POST, 1)])
def test_it_is_stopped(kind: Kind, parts: int, how: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(AirflowFailException, match=r"not done after 600 s.*on_timeout is 'stop': (stopped|deleted)"):
        timed_out(kind, task, how, on_timeout="stop")
    assert len(vendors.ledger(kind.vendor, STOPPED[kind.vendor])) == parts


@HOW
@pytest.mark.parametrize("kind", [CAMPAIGN, POST])
def test_it_is_left(kind: Kind, how: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises((ApiError, TaskDeferralTimeout)):
        timed_out(kind, task, how)
    assert vendors.ledger(kind.vendor, STOPPED[kind.vendor]) == []


@HOW
def test_what_cannot_be_stopped_goes_on_and_says_so(how: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ApiError, match="cannot be stopped there from here"):
        timed_out(SYNC, task, how, on_timeout="stop")


@HOW
def test_a_stop_that_fails_says_so(how: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault("POST /flow-living/campaigns/status/{id}", "status", status=422, message="Too late", count=None)
    with pytest.raises(ApiError, match=r"could not be stopped there, and may go on: .*Too late"):
        timed_out(CAMPAIGN, task, how, on_timeout="stop")


def test_what_is_done_by_then_is_a_success(vendors: Sandbox, task: Task) -> None:
    deferral(CAMPAIGN(**options(CAMPAIGN, deferrable=True)).execute, task.context)
    vendors.advance(LATER)
    operator = CAMPAIGN(**options(CAMPAIGN, deferrable=True, on_timeout="stop"))
    result = operator.resume_execution("__fail__", dict(TIMEOUT), task.context)
    assert result["status"] == "published"
    assert vendors.ledger("flow_living", "campaign.status_updated") == []


def test_other_failures_of_a_trigger_stop_nothing(vendors: Sandbox, task: Task) -> None:
    deferral(CAMPAIGN(**options(CAMPAIGN, deferrable=True)).execute, task.context)
    operator = CAMPAIGN(**options(CAMPAIGN, deferrable=True, on_timeout="stop"))
    with pytest.raises(Exception, match="Trigger failure"):
        operator.resume_execution("__fail__", {"error": "Trigger failure"}, task.context)
    assert vendors.ledger("flow_living", "campaign.status_updated") == []


@HOW
def test_the_posts_of_a_batch_are_deleted(how: str, vendors: Sandbox, task: Task) -> None:
    rows = [{"channelId": "channel_1", "content": f"p{each}", "scheduledFor": "2099-01-01"} for each in range(3)]

    def operator(**more: Any) -> Any:
        return FlowSocialSchedulePostsOperator(
            task_id="publish",
            posts=rows,
            wait_timeout=600,
            poll_interval=60.0,
            on_timeout="stop",
            wait_for_completion=True,
            **more,
        )

    if how == "worker":
        end = lambda: operator(deferrable=False).execute(task.context)  # noqa: E731
    else:
        deferral(operator(deferrable=True).execute, task.context)
        over = ("__fail__", dict(TIMEOUT)) if how == "triggerer" else ("execute_complete", {"event": LAST_WORD})
        end = lambda: operator(deferrable=True).resume_execution(*over, task.context)  # noqa: E731
    with pytest.raises(AirflowFailException, match="deleted post_1, post_2, post_3"):
        end()
    assert len(vendors.ledger("flow_social", "post.deleted")) == 3


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="on_timeout must be 'leave' or 'stop', got 'pause'"):
        CAMPAIGN(on_timeout="pause")
