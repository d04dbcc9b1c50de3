# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Exactly once, through real operators and real HTTP: every lost answer and every death of a worker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.record import SETTLED
from tests.unit.context import Task, Waits, WorkerDiedError, deferral, resumed, step_of
from tests.unit.operators.kinds import LATER, POST, Kind, every_kind

pytestmark = pytest.mark.usefixtures("waits", "no_analytics")


# Lost answers


STEPS = ("intent", "leaving", "submitted")
LOST = {
    "drop_after": {},
    "reset_after": {},
    "drop_before": {},
    "reset_before": {},
    "status": {"status": 503, "processed": True},
    "drop_mid": {},
    "malformed": {},
    "html": {"status": 200, "processed": True},
    "wrong_types": {},
    "empty": {},
}


@every_kind
@pytest.mark.parametrize("fault", LOST)
def test_lost_answer(kind: Kind, fault: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.route, fault, **LOST[fault])
    operator = kind(wait_for_completion=False)
    happened = 0 if fault.endswith("before") else 1
    if kind.settled_by == "key":
        # Repeated within the try, with the same key.
        assert operator.execute(task.context)
        assert kind.effects(vendors) == 1
        return
    with pytest.raises((OutcomeUnknownError, MalformedResponseError)) as caught:
        operator.execute(task.context)
    assert kind.effects(vendors) == happened
    assert kind.reference(task) in str(caught.value)
    assert not isinstance(caught.value, MalformedResponseError) or caught.value.executed
    task.retry()
    if kind.settled_by == "look" and happened:
        assert kind(wait_for_completion=False).execute(task.context) == kind.found
        assert kind.effects(vendors) == 1
        return
    # Neither a retry nor a clear guesses.
    for following in (task.retry, task.clear, task.retry):
        with pytest.raises((OutcomeUnknownError, MalformedResponseError)) as caught:
            kind(wait_for_completion=False).execute(task.context)
        assert kind.reference(task) in str(caught.value)
        following()
    assert kind.effects(vendors) == happened
    # Where the vendor can be asked, the next try waits until it must show the request.
    policy = DEFAULT.evaluate(caught.value, 1, 2).action.value
    assert policy == ("retry" if kind.settled_by == "look" else "fail")
    if kind.settled_by == "look":
        operator = kind(wait_for_completion=False)
        operator.clock = lambda: time.time() + SETTLED + 1
        assert operator.execute(task.context)
        assert kind.effects(vendors) == 1


def test_keyed_answer_lost_for_a_whole_try(vendors: Sandbox, task: Task) -> None:
    vendors.fault(POST.route, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError, match="launch/scheduled") as caught:
        POST(wait_for_completion=False).execute(task.context)
    assert caught.value.resolvable
    task.retry()
    result = POST(wait_for_completion=False).execute(task.context)
    assert result["post_id"] == "post_1"
    assert POST.effects(vendors) == 1
    sent = [entry for entry in vendors.requests("flow_social") if entry["method"] == "POST"]
    assert len({entry["headers"]["idempotency-key"] for entry in sent}) == 1
    assert len(sent) == 6


# The worker dies


@every_kind
@pytest.mark.parametrize("step", [f"{when} {step}" for step in STEPS for when in ("before", "after")])
def test_worker_dies_around_a_write(kind: Kind, step: str, vendors: Sandbox, task: Task) -> None:
    def die(when: str, value: dict[str, Any]) -> None:
        if f"{when} {step_of(value)}" == step:
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        kind(wait_for_completion=False).execute(task.context)
    task.store.interrupt = None
    happened = int("submitted" in step)
    assert kind.effects(vendors) == happened
    task.retry()
    certain = step not in ("after leaving", "before submitted") or kind.settled_by == "key"
    if certain or (kind.settled_by == "look" and happened):
        assert kind(wait_for_completion=False).execute(task.context)
        assert kind.effects(vendors) == 1
    else:
        with pytest.raises(OutcomeUnknownError, match="the task died before an answer was recorded"):
            kind(wait_for_completion=False).execute(task.context)
        assert kind.effects(vendors) == happened


@every_kind
@pytest.mark.parametrize("executed", [True, False])
def test_worker_dies_while_sending(
    kind: Kind, executed: bool, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = kind(wait_for_completion=False)
    send = operator.hook.client.send

    def die(call: Any, **options: Any) -> Any:
        if call.endpoint.method == "GET" or not call.endpoint.authenticated:
            return send(call, **options)
        if executed:
            send(call, **options)
        else:
            options["fence"]()
        raise WorkerDiedError

    monkeypatch.setattr(operator.hook.client, "send", die)
    with pytest.raises(WorkerDiedError):
        operator.execute(task.context)
    assert kind.effects(vendors) == int(executed)
    task.retry()
    if kind.settled_by == "key" or (kind.settled_by == "look" and executed):
        kind(wait_for_completion=False).execute(task.context)
        assert kind.effects(vendors) == 1
    else:
        with pytest.raises(OutcomeUnknownError):
            kind(wait_for_completion=False).execute(task.context)
        assert kind.effects(vendors) == int(executed)


@every_kind
def test_worker_dies_while_waiting(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    def die() -> None:
        raise WorkerDiedError

    waits.happenings = [die]
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    task.retry()
    waits.happenings = [lambda: vendors.advance(LATER)]
    assert kind().execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_worker_dies_on_resume(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    deferred = deferral(kind(deferrable=True).execute, task.context)
    waits.happenings = [lambda: vendors.advance(LATER)]
    operator = kind(deferrable=True)
    first = resumed(operator, deferred, task.context)
    # Its process died before the success was recorded: the next try starts from the beginning.
    task.retry()
    assert kind(deferrable=True).execute(task.context) == first
    assert kind.effects(vendors) == 1


@every_kind
def test_trigger_that_gives_up_raises_the_vendors_error(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    deferred = deferral(kind(deferrable=True).execute, task.context)
    vendors.fault("GET /*", "drop_before", count=None)
    with pytest.raises(ServerError) as caught:
        resumed(kind(deferrable=True), deferred, task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    assert caught.value.vendor
    vendors.clear_faults()
    vendors.advance(LATER)
    task.retry()
    assert kind(deferrable=True).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_record_that_is_gone_is_an_error_not_a_second_order(kind: Kind, vendors: Sandbox, task: Task) -> None:
    deferred = deferral(kind(deferrable=True).execute, task.context)
    vendors.advance(LATER)
    task.store.values.clear()
    with pytest.raises(AirflowFailException, match="record of the submission is gone"):
        resumed(kind(deferrable=True), deferred, task.context)
    assert kind.effects(vendors) == 1


def test_looks_that_fail_for_a_while_are_outlasted_on_the_worker(vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.fault("GET /flow-social/v1/posts/{id}", "drop_before", count=None)

    def recover() -> None:
        vendors.clear_faults()
        vendors.advance(LATER)

    waits.happenings = [*([lambda: None] * 7), recover]
    assert POST().execute(task.context)["status"] == "done"


def test_looks_at_what_is_gone_end_at_once(vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.fault("GET /flow-social/v1/posts/{id}", "status", status=404, count=None)
    with pytest.raises(NotFoundError):
        POST().execute(task.context)
    assert waits.each == []
