# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Segments and subscribers, in all three modes; addresses stay on the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.flodesk import FlodeskSegmentSizeSensor, FlodeskSubscriberStatusSensor
from airflow_provider_mkt.waiting.flodesk import AddressWatch
from tests.unit.context import FIRST_LOOK, Task, Waits, deferral
from tests.unit.sensors.conftest import MODES

Outcome = Callable[[Any], tuple[str, Any]]
NEW = "poppy.lane@example.com"
READ = "GET /flodesk/v1/subscribers/{id}"


def options(mode: str) -> dict[str, Any]:
    modes = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
    return {"task_id": "wait", "poke_interval": 60, "timeout": 600, **modes}


def size(mode: str, minimum: Any = 3, segment_id: str = "seg_news", **more: Any) -> FlodeskSegmentSizeSensor:
    return FlodeskSegmentSizeSensor(segment_id=segment_id, minimum=minimum, **{**options(mode), **more})


def status(mode: str, who: Any = NEW, **more: Any) -> FlodeskSubscriberStatusSensor:
    return FlodeskSubscriberStatusSensor(id_or_email=who, **{**options(mode), **more})


def join(*names: str, **fields: Any) -> None:
    for name in names:
        FlodeskHook().upsert_subscriber({"email": name, "segment_ids": ["seg_news"], **fields})


def idle() -> None:
    """Nothing happens."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("minimum", [2, "2"])
def test_segment_that_is_large_enough(
    *, minimum: Any, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome
) -> None:
    assert outcome(size(mode, minimum)) == ("success", {"segment_id": "seg_news", "total_active_subscribers": 2})
    assert waits.each == []


@pytest.mark.parametrize("mode", MODES)
def test_segment_that_grows(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    waits.happenings = [lambda: join(NEW, double_optin=True), lambda: join("henry@example.com")]
    end, result = outcome(size(mode))
    assert (end, result["total_active_subscribers"]) == ("success", 3)
    assert [round(each) for each in waits.each] == ([FIRST_LOOK, 60] if mode == "deferrable" else [60, 60])


@pytest.mark.parametrize("mode", MODES)
def test_segment_that_does_not_tell(
    mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    answer = {"id": "seg_news", "name": "Newsletter", "total_active_subscribers": "many"}
    vendors.fault("GET /flodesk/v1/segments/{id}", "status", status=200, body=answer, count=None)
    with caplog.at_level(logging.WARNING, "airflow_provider_mkt"):
        assert outcome(size(mode))[0] == "timeout"
    assert "does not tell how many active subscribers" in caplog.text


@pytest.mark.parametrize("mode", MODES)
def test_no_such_segment(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    assert outcome(size(mode, segment_id="seg_nowhere"))[0] == "NotFoundError"


@pytest.mark.parametrize("minimum", [0, -1, True, None, "many", "2.5", ""])
def test_bad_minimum(minimum: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="minimum must be a whole number"):
        size("poke", minimum).execute(task.context)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("targets", [["activ"], "activ", ["active", "asleep"], [], None, 5])
def test_bad_targets(targets: Any, mode: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="target_statuses"):
        status(mode, target_statuses=targets).execute(task.context)
    assert vendors.requests() == []


@pytest.mark.parametrize("targets", ["archived", ["unsubscribed", "archived"]])
def test_archived_is_a_target(targets: Any, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    body = {"id": "sub_1", "status": "archived"}
    vendors.fault(READ, "status", status=200, body=body)
    assert outcome(status("poke", "sub_1", target_statuses=targets)) == (
        "success",
        {"subscriber_id": "sub_1", "status": "archived"},
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("by", ["address", "id"])
def test_active_subscriber(by: str, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    join(NEW)
    known = FlodeskHook().get_subscriber(NEW)["id"]
    assert outcome(status(mode, NEW.upper() if by == "address" else known)) == (
        "success",
        {"subscriber_id": known, "status": "active"},
    )
    assert waits.each == []


@pytest.mark.parametrize("mode", MODES)
def test_from_nobody_to_unconfirmed_to_active(
    mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    waits.happenings = [idle, idle, lambda: join(NEW, double_optin=True), lambda: vendors.advance(700)]
    with caplog.at_level(logging.INFO):
        end, result = outcome(status(mode))
    assert (end, result["status"]) == ("success", "active")
    # A deferrable sensor is rescheduled until she is there, and deferred only then.
    assert [round(each) for each in waits.each] == ([60, 60, 60, FIRST_LOOK] if mode == "deferrable" else [60] * 4)
    assert "poppy" not in caplog.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("who", ["cy@example.com", "di@example.com"])
def test_ended_otherwise(who: str, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    known = FlodeskHook().get_subscriber(who)
    end, message = outcome(status(mode, who))
    assert end == "failed"
    assert message == f"Flodesk subscriber {known['id']}: {known['status']}"


@pytest.mark.parametrize("mode", MODES)
def test_ends_otherwise_later(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    waits.happenings = [lambda: FlodeskHook().unsubscribe("ada@example.com") and None]
    end, result = outcome(status(mode, "ada@example.com", target_statuses=["unsubscribed"]))
    assert (end, result["status"]) == ("success", "unsubscribed")
    waits.happenings = []
    join(NEW, double_optin=True)
    waits.happenings = [lambda: FlodeskHook().unsubscribe(NEW) and None]
    assert outcome(status(mode))[0] == "failed"


@pytest.mark.parametrize("mode", MODES)
def test_nobody_comes(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    assert outcome(status(mode, timeout=150))[0] == "timeout"
    assert 150 <= waits.passed <= 150 + 60
    assert outcome(status(mode, timeout=150, soft_fail=True))[0] == "skipped"


@pytest.mark.parametrize("mode", MODES)
def test_waiting_for_an_address_is_part_of_the_timeout(
    mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome
) -> None:
    vendors.switch({"flodesk.confirm_after": -1})
    waits.happenings = [idle, idle, idle, lambda: join(NEW, double_optin=True)]
    assert outcome(status(mode))[0] == "timeout"
    assert 599 <= waits.passed <= 600 + 60


@pytest.mark.parametrize("mode", MODES)
def test_unknown_id_is_an_error(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    assert outcome(status(mode, "sub_nobody"))[0] == "NotFoundError"


@pytest.mark.parametrize("mode", MODES)
def test_vendor_that_names_somebody_else(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    vendors.fault(READ, "status", status=200, body={"id": "sub_9", "status": "active", "email": "bo@example.com"})
    assert outcome(status(mode))[0] == "MalformedResponseError"


@pytest.mark.parametrize("mode", MODES)
def test_unheard_of_status(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    join(NEW)
    known = FlodeskHook().get_subscriber(NEW)["id"]
    vendors.fault(READ, "status", status=200, body={"id": known, "status": "asleep", "email": NEW}, count=None)
    assert outcome(status(mode))[0] == "timeout"


def test_trigger_holds_the_id_and_no_address(vendors: Sandbox, task: Task) -> None:
    join(NEW, double_optin=True)
    known = FlodeskHook().get_subscriber(NEW)["id"]
    deferred = deferral(status("deferrable", "{{ person }}").execute, {**task.context, "person": NEW})
    told = repr(deferred.trigger.serialize()) + repr(deferred.kwargs)
    assert known in told
    assert "poppy" not in told


def test_nothing_is_deferred_for_an_unknown_address(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(AirflowRescheduleException):
        status("deferrable").execute(task.context)


def test_address_is_never_handed_over() -> None:
    watch = AddressWatch(NEW, ["active"])
    assert "poppy" not in repr(watch)
    with pytest.raises(TypeError, match="never handed to a trigger"):
        watch.arguments()


def test_silent_fail_defers_again(vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    join(NEW, double_optin=True)
    vendors.fault(READ, "status", status=403, skip=2, count=1)
    waits.happenings = [idle, lambda: vendors.advance(700)]
    assert outcome(status("deferrable", silent_fail=True))[0] == "success"
