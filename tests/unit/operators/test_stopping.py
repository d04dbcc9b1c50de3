# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Stopping a submitting operator: what leaves no more, what is cancelled at the vendor, and what goes on there."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mkt.exceptions import (
    RateLimitError,
    StoppedError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.submit import Submission
from tests.unit.context import Task, Waits, WorkerDiedError
from tests.unit.operators.kinds import CAMPAIGN, LATER, LATER_POST, POST, SYNC, Kind, every_kind

pytestmark = pytest.mark.usefixtures("waits", "no_analytics")


# Stopped


def stopped(kind: Kind, task: Task, state: str, waits: Waits, error: BaseException, **options: Any) -> None:
    """Wait on the worker until ``error`` ends the process, and stop as Airflow's task runner does."""
    killed(kind(**options), task, state, waits, error)


def killed(operator: Any, task: Task, state: str, waits: Waits, error: BaseException) -> None:
    """Have Airflow give a task this state while it waits, and end it by ``error``."""
    timed_out = isinstance(error, AirflowTaskTimeout)

    def end() -> None:
        task.state = state
        try:
            raise error
        finally:
            if not timed_out:
                operator.on_kill()

    waits.happenings = [end]
    with pytest.raises(type(error)):
        operator.execute(task.context)
    if timed_out:
        operator.on_kill()


STOPPED = {"flow_living": "campaign.status_updated", "flow_social": "post.deleted"}


@pytest.mark.parametrize("kind", [CAMPAIGN, POST])
def test_given_up_by_a_user(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    stopped(kind, task, "failed", waits, WorkerDiedError(), **(LATER_POST if kind is POST else {}))
    assert len(vendors.ledger(kind.vendor, STOPPED[kind.vendor])) == (2 if kind is CAMPAIGN else 1)


def test_live_campaign_is_paused_when_stopped(vendors: Sandbox, task: Task, waits: Waits) -> None:
    CAMPAIGN(wait_for_completion=False).execute(task.context)
    vendors.advance(LATER)
    task.retry()
    stopped(CAMPAIGN, task, "failed", waits, WorkerDiedError(), target_statuses=["completed"])
    assert len(vendors.ledger("flow_living", "campaign.status_updated")) == 2


@pytest.mark.parametrize("kind", [CAMPAIGN, POST])
@pytest.mark.parametrize(
    ("state", "error", "options"),
    [
        ("running", WorkerDiedError(), {}),
        ("restarting", WorkerDiedError(), {}),
        ("success", WorkerDiedError(), {}),
        ("None", WorkerDiedError(), {}),
        ("failed", AirflowTaskTimeout(), {}),
        ("failed", WorkerDiedError(), {"cancel_on_kill": False}),
    ],
)
def test_ended_otherwise_it_goes_on_at_the_vendor(
    *, kind: Kind, state: str, error: BaseException, options: dict[str, Any], vendors: Sandbox, task: Task, waits: Waits
) -> None:
    more = LATER_POST if kind is POST else {"target_statuses": ["completed"]}
    kind(wait_for_completion=False, **more).execute(task.context)
    vendors.advance(LATER)
    stopped(kind, task, state, waits, error, **options, **more)
    assert vendors.ledger(kind.vendor, STOPPED[kind.vendor]) == []


@pytest.mark.parametrize("kind", [CAMPAIGN, POST])
def test_what_another_deployment_started_goes_on(
    kind: Kind, vendors: Sandbox, task: Task, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the database may be tried out: whoever stops its tasks must not stop the original's."""
    more = LATER_POST if kind is POST else {"target_statuses": ["completed"]}
    kind(wait_for_completion=False, **more).execute(task.context)
    vendors.advance(LATER)
    monkeypatch.setenv("AIRFLOW__MKT__DEPLOYMENT", "staging")
    stopped(kind, task, "failed", waits, WorkerDiedError(), **more)
    assert vendors.ledger(kind.vendor, STOPPED[kind.vendor]) == []


def test_stopping_that_takes_too_long_is_told(
    vendors: Sandbox, task: Task, waits: Waits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow_provider_mkt.operators import waiting

    free = threading.Event()
    monkeypatch.setattr(waiting, "CANCEL_TIMEOUT", 0.05)
    monkeypatch.setattr(waiting.WaitingOperator, "_cancel", lambda *_: free.wait(30))
    try:
        stopped(POST, task, "failed", waits, WorkerDiedError(), **LATER_POST)
    finally:
        free.set()
    assert "Stopping it at the vendor was not finished" in capsys.readouterr().out


def test_stopped_before_anything_was_submitted(vendors: Sandbox, task: Task) -> None:
    task.state = "failed"
    POST().on_kill()
    assert vendors.requests() == []


@every_kind
@pytest.mark.parametrize("state", ["failed", "running", "success", "restarting"])
def test_stopped_while_it_waits_for_its_turn(
    kind: Kind, state: str, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow goes on with a task after its ``on_kill``: whatever asked it to end, it must not launch any more."""
    operator = kind(wait_for_completion=False)
    real = operator.hook.client.send

    def send(call: Any, **options: Any) -> Any:
        if "fence" in options:
            task.state = state
            operator.on_kill()
        return real(call, **options)

    monkeypatch.setattr(operator.hook.client, "send", send)
    with pytest.raises(StoppedError) as caught:
        operator.execute(task.context)
    assert kind.effects(vendors) == 0
    assert (task.record["state"], task.record["sent"]) == ("intent", False)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    # What never left costs nobody anything: the next try submits by itself.
    task.clear()
    task.state = "running"
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("back", [True, False])
def test_stopped_while_airflow_cannot_be_asked(
    *,
    kind: Kind,
    back: bool,
    vendors: Sandbox,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The channel to Airflow may be in use when the signal comes, or gone for good: it must not launch either way."""
    operator, context = kind(), task.context
    real, states = operator.hook.client.send, context["ti"].get_task_states

    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError("the channel is broken")

    def send(call: Any, **options: Any) -> Any:
        if "fence" in options:
            context["ti"].get_task_states = unreachable
            operator.on_kill()
            if back:
                context["ti"].get_task_states = states
        return real(call, **options)

    monkeypatch.setattr(operator.hook.client, "send", send)
    with pytest.raises(StoppedError):
        operator.execute(context)
    assert kind.effects(vendors) == 0
    assert (task.record["state"], task.record["sent"]) == ("intent", False)
    assert "Airflow could not tell whether a user stopped this task" in capsys.readouterr().out
    task.clear()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_timed_out_while_it_waits_for_its_turn(
    kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = kind(wait_for_completion=False)
    real = operator.hook.client.send

    def send(call: Any, **options: Any) -> Any:
        if "fence" in options:
            raise AirflowTaskTimeout("time is up")
        return real(call, **options)

    monkeypatch.setattr(operator.hook.client, "send", send)
    with pytest.raises(AirflowTaskTimeout):
        operator.execute(task.context)
    assert (task.record["state"], task.record["sent"]) == ("intent", False)
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


@pytest.mark.parametrize("kind", [CAMPAIGN, POST])
def test_stopped_between_the_answer_and_the_wait(
    kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = kind(**(LATER_POST if kind is POST else {}))

    def wait(_: Any) -> None:
        task.state = "failed"
        operator.on_kill()
        raise WorkerDiedError

    monkeypatch.setattr(operator, "wait", wait)
    with pytest.raises(WorkerDiedError):
        operator.execute(task.context)
    assert vendors.ledger(kind.vendor, STOPPED[kind.vendor])


def test_stopped_before_it_is_submitted_anew_the_former_one_goes_on(
    vendors: Sandbox, task: Task, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    POST(wait_for_completion=False, **LATER_POST).execute(task.context)
    task.clear()
    operator = POST(resubmit=True, **LATER_POST)
    real = operator.submission_request

    def request(task_key: Any) -> Any:
        task.state = "failed"
        operator.on_kill()
        return real(task_key)

    monkeypatch.setattr(operator, "submission_request", request)
    with pytest.raises(StoppedError):
        operator.execute(task.context)
    assert POST.effects(vendors) == 1
    assert vendors.ledger("flow_social", "post.deleted") == []


def test_stopped_when_it_is_accepted_and_not_waited_for(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = POST(wait_for_completion=False, **LATER_POST)
    monkeypatch.setattr(operator, "result", lambda *_: "accepted")
    monkeypatch.setattr(operator, "watch", lambda _: pytest.fail("nothing is stopped"))
    real = Submission._submitted

    def submitted(*args: Any) -> Any:
        saved = real(*args)
        task.state = "failed"
        operator.on_kill()
        return saved

    monkeypatch.setattr(Submission, "_submitted", submitted)
    assert operator.execute(task.context) == "accepted"


def test_a_dag_that_fails_fast_stops_nothing_at_the_vendor(
    vendors: Sandbox, task: Task, waits: Waits, capsys: pytest.CaptureFixture[str]
) -> None:
    """There Airflow marks running tasks as failed as soon as any other task fails."""
    with DAG("launch", schedule=None, fail_fast=True):
        operator = POST(**LATER_POST)
    killed(operator, task, "failed", waits, WorkerDiedError())
    assert vendors.ledger("flow_social", "post.deleted") == []
    assert "check there" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [CAMPAIGN, SYNC])
def test_a_look_that_has_to_wait_for_the_rate_limit_is_no_failure(
    kind: Kind, vendors: Sandbox, task: Task, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_mkt.waiting import base as waiting

    monkeypatch.setattr(waiting, "TOLERATED", 2)
    operator = kind()
    real, refusals = operator.hook.client.run, itertools.count()

    def run(conversation: Any, **options: Any) -> Any:
        if next(refusals) < 3:
            assert options == {"longest": 60.0}
            raise RateLimitError("The rate budget is taken for the next 1800 s.", retry_after=1800.0)
        vendors.advance(LATER)
        return real(conversation, **options)

    monkeypatch.setattr(operator.hook.client, "run", run)
    waits.happenings = [lambda: None] * 5
    assert operator.execute(task.context)
    assert kind.effects(vendors) == 1
