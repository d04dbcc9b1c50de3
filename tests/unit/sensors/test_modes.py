# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Poking, rescheduling and deferring come to the same end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from tests.unit.context import FIRST_LOOK, Task, Waits, deferral
from tests.unit.sensors.conftest import MODES

STATUS = "GET /flow-living/campaigns/status/{id}"
LATER = 601.0
Outcome = Callable[[Any], tuple[str, Any]]


@pytest.fixture
def tracking_ids(vendors: Sandbox) -> list[str]:
    """A campaign in the queue."""
    answer = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour", order_ref="PO-1")
    ids: list[str] = answer["campaign_tracking_ids"]
    return ids


def sensor(mode: str, tracking_ids: list[str], **options: Any) -> FlowLivingCampaignStatusSensor:
    defaults: dict[str, Any] = {"poke_interval": 60, "timeout": 600, "campaign_tracking_id": tracking_ids}
    modes = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
    return FlowLivingCampaignStatusSensor(task_id="wait", **{**defaults, **modes, **options})


@pytest.mark.parametrize("mode", MODES)
def test_done_at_once(mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome) -> None:
    vendors.advance(LATER)
    end, result = outcome(sensor(mode, tracking_ids))
    assert end == "success"
    assert {key: answer["status"] for key, answer in result.items()} == dict.fromkeys(tracking_ids, "published")
    assert waits.each == []


@pytest.mark.parametrize("mode", MODES)
def test_done_later(mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome) -> None:
    waits.happenings = [lambda: None, lambda: vendors.advance(LATER)]
    end, result = outcome(sensor(mode, tracking_ids))
    assert end == "success"
    assert sorted(result) == tracking_ids
    assert [round(each) for each in waits.each] == ([FIRST_LOOK, 60] if mode == "deferrable" else [60, 60])


class Upstream(Sequence[str]):
    """What mapped tasks have returned: each time that it is read, Airflow's API is asked for every item."""

    def __init__(self, ids: list[str]) -> None:
        self.ids, self.reads = ids, 0

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        return self.ids[index]

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        return iter(self.ids)


@pytest.mark.parametrize("mode", MODES)
def test_a_try_reads_what_to_wait_for_once(
    mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    """However often it polls: a calendar of a thousand mapped posts would be a thousand requests each time."""
    waits.happenings = [lambda: None, lambda: None, lambda: vendors.advance(LATER)]
    upstream = Upstream(tracking_ids)
    end, _ = outcome(sensor(mode, upstream))  # type: ignore[arg-type]
    tries = 4 if mode == "reschedule" else 1
    assert (end, len(waits.each), upstream.reads) == ("success", 3, tries)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_look_that_would_have_to_wait_for_long_is_left_out(
    mode: str, vendors: Sandbox, tracking_ids: list[str], task: Task
) -> None:
    """It neither holds the worker nor fails: the next look is a ``poke_interval`` away."""
    vendors.fault(STATUS, "rate_limit", retry_after=1800)
    before = len(vendors.requests("flow_living"))
    waiting = sensor(mode, tracking_ids)
    assert [waiting.poke(task.context).is_done for _ in range(12)] == [False] * 12
    assert len(vendors.requests("flow_living")) == before + 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "failed"),
        ({"soft_fail": True}, "skipped"),
        ({"never_fail": True}, "skipped"),
        ({"silent_fail": True}, "failed"),
    ],
)
def test_failed_at_the_vendor(
    *,
    mode: str,
    at_once: bool,
    options: dict[str, Any],
    expected: str,
    vendors: Sandbox,
    waits: Waits,
    outcome: Outcome,
) -> None:
    vendors.outcome("flow_living", "failed", limit=1)
    ids = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    if at_once:
        vendors.advance(LATER)
    waits.happenings = [lambda: vendors.advance(LATER)]
    end, message = outcome(sensor(mode, ids, **options))
    assert end == expected
    assert message == "AirflowFailException" if end == "skipped" else "failed" in message
    assert (waits.each == []) is at_once


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "timeout"),
        ({"soft_fail": True}, "skipped"),
        ({"never_fail": True}, "timeout"),
        ({"silent_fail": True}, "timeout"),
    ],
)
def test_timeout(
    *, mode: str, options: dict[str, Any], expected: str, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    end, _ = outcome(sensor(mode, tracking_ids, timeout=150, **options))
    assert end == expected
    assert 150 <= waits.passed <= 150 + 60


@pytest.mark.parametrize("mode", MODES)
def test_unknown_status_is_waited_through_and_named(
    mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.outcome("flow_living", "under_review")
    ids = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.advance(LATER)
    with caplog.at_level(logging.WARNING, "airflow_provider_mkt"):
        end, _ = outcome(sensor(mode, ids, timeout=150))
    assert end == "timeout"
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("under_review" in message for message in warned)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, "NotFoundError"), ({"soft_fail": True}, "NotFoundError"), ({"never_fail": True}, "skipped")],
)
def test_not_found(
    *,
    mode: str,
    at_once: bool,
    options: dict[str, Any],
    expected: str,
    vendors: Sandbox,
    tracking_ids: list[str],
    waits: Waits,
    outcome: Outcome,
) -> None:
    vendors.fault(STATUS, "status", status=404, skip=0 if at_once else 2, count=None)
    end, message = outcome(sensor(mode, tracking_ids, **options))
    assert end == expected
    assert "HTTP 404" in message or message == "NotFoundError"
    assert (waits.each == []) is at_once


@pytest.mark.parametrize("mode", MODES)
def test_refused_credentials(mode: str, vendors: Sandbox, connect: Any, waits: Waits, outcome: Outcome) -> None:
    conn_id = connect("flow_living", password="wrong-key-4711")
    end, message = outcome(sensor(mode, ["queue_1"], flow_living_conn_id=conn_id))
    assert end == "AuthenticationError"
    assert "HTTP 401" in message
    assert "4711" not in message


@pytest.mark.parametrize("mode", MODES)
def test_silent_fail_outlasts_whatever_the_vendor_says(
    mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    vendors.fault(STATUS, "status", status=404, count=None)

    def recover() -> None:
        vendors.clear_faults()
        vendors.advance(LATER)

    waits.happenings = [lambda: None, recover]
    end, result = outcome(sensor(mode, tracking_ids, silent_fail=True))
    assert end == "success"
    assert sorted(result) == tracking_ids


@pytest.mark.parametrize("mode", MODES)
def test_short_outage_is_not_noticed(
    mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    vendors.advance(LATER)
    vendors.fault(STATUS, "status", status=503, count=3)
    assert outcome(sensor(mode, tracking_ids))[0] == "success"


def test_long_outage_is_outlasted_while_deferred(
    vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    vendors.fault(STATUS, "drop_before", skip=2, count=None)

    def recover() -> None:
        vendors.clear_faults()
        vendors.advance(LATER)

    waits.happenings = [*([lambda: None] * 8), recover]
    assert outcome(sensor("deferrable", tracking_ids, timeout=3600))[0] == "success"
    assert len(waits.each) == 9
    assert waits.each[1:] == [60] * 8


def test_outage_without_end_is_told_after_ten_looks(
    vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    vendors.fault(STATUS, "drop_before", skip=2, count=None)
    end, message = outcome(sensor("deferrable", tracking_ids, timeout=3600))
    assert end == "ServerError"
    assert "GET /campaigns/status/" in message
    assert len(waits.each) == 10


@pytest.mark.parametrize("max_wait", [None, 100])
def test_backoff_while_deferred(
    max_wait: float | None, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    waits.happenings = [*([lambda: None] * 4), lambda: vendors.advance(LATER)]
    waiting = sensor("deferrable", tracking_ids, timeout=5000, exponential_backoff=True, max_wait=max_wait)
    assert outcome(waiting)[0] == "success"
    assert waits.each == [FIRST_LOOK, *([60, 100, 100, 100] if max_wait else [60, 120, 240, 480])]


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_backoff_otherwise_is_airflows(
    mode: str, vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    waits.happenings = [*([lambda: None] * 4), lambda: vendors.advance(LATER)]
    waiting = sensor(mode, tracking_ids, timeout=5000, exponential_backoff=True, max_wait=100)
    assert outcome(waiting)[0] == "success"
    assert all(1 <= each <= 100.1 for each in waits.each)
    assert waits.each[-1] > waits.each[0]


def test_deferral_looks_first_and_keeps_the_timeout(task: Task, tracking_ids: list[str], vendors: Sandbox) -> None:
    before = len(vendors.requests())
    deferred = deferral(sensor("deferrable", tracking_ids, timeout=timedelta(hours=1)).execute, task.context)
    assert len(vendors.requests()) == before + len(tracking_ids)
    assert 3590 <= deferred.timeout.total_seconds() <= 3600  # type: ignore[union-attr]
    assert deferred.trigger.cancel_on_kill is False  # type: ignore[attr-defined]
    assert "key" not in repr(deferred.trigger.serialize()).lower()


def test_timeout_of_nothing_means_one_look(
    vendors: Sandbox, tracking_ids: list[str], waits: Waits, outcome: Outcome
) -> None:
    ends = {outcome(sensor(mode, tracking_ids, timeout=0))[0] for mode in MODES}
    assert ends == {"timeout"}
    vendors.advance(LATER)
    ends = {outcome(sensor(mode, tracking_ids, timeout=0))[0] for mode in MODES}
    assert ends == {"success"}
