# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Exactly once, through real operators and real HTTP: every way to die, every answer, every next try."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    StoppedError,
    ValidationError,
)
from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.submit import Submission
from tests.unit.context import FIRST_LOOK, Task, Waits, WorkerDiedError, deferral, resumed, step_of


@dataclass(frozen=True)
class Kind:
    """One submitting operator and how the vendor names what it does.

    :param settled_by: how a later try settles a lost answer: "key", "list" or "nobody"
    """

    operator: type[SubmittingOperator]
    arguments: dict[str, Any]
    vendor: str
    effect: str
    route: str
    failure: str
    settled_by: str
    retried_after_failure: bool = True

    def __call__(self, **options: Any) -> Any:
        defaults = {"wait_for_completion": True, "deferrable": False, "poll_interval": 60.0}
        return self.operator(task_id="publish", **{**self.arguments, **defaults, **options})

    def effects(self, vendors: Sandbox) -> int:
        return len(vendors.ledger(self.vendor, self.effect))


CAMPAIGN = Kind(
    FlowLivingPublishCampaignOperator,
    {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"},
    "flow_living",
    "campaign.published",
    "POST /flow-living/campaigns/publish",
    "failed",
    "nobody",
    # The sandbox's failed campaigns have an id: something of them exists.
    retried_after_failure=False,
)
POST = Kind(
    FlowSocialSchedulePostOperator,
    {"channel_id": "channel_1", "content": "Open house on Sunday"},
    "flow_social",
    "post.created",
    "POST /flow-social/v1/posts",
    "blocked",
    "key",
    retried_after_failure=False,
)
REPORT = Kind(
    FlinqueGenerateReportOperator,
    {"report": {"type": "campaign", "campaign_id": "ca_1"}},
    "flinque",
    "report.generated",
    "POST /flinque/v1/reports/generate",
    "failed",
    "list",
)
SYNC = Kind(
    FlokitTriggerSyncOperator,
    {"integration_id": "int_adjust"},
    "flokit",
    "sync.started",
    "POST /flokit/v1/integrations/int_adjust/sync",
    "error",
    "nobody",
    retried_after_failure=False,
)
KINDS = {"campaign": CAMPAIGN, "post": POST, "report": REPORT, "sync": SYNC}
LATER = 700.0
STEPS = ("intent", "leaving", "submitted")

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
pytestmark = pytest.mark.usefixtures("waits", "no_analytics")


@pytest.fixture
def no_analytics(connect: Callable[..., str]) -> None:
    """Nobody can be asked about campaigns here; see test_flow_living for those who have analytics."""
    connect("flow_living", "flow_living_default", extra={"analytics_host": ""})


# The good course


@every_kind
def test_waits_on_the_worker(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    waits.happenings = [lambda: None, lambda: vendors.advance(LATER)]
    result = kind().execute(task.context)
    assert kind.effects(vendors) == 1
    assert waits.each == [60, 60]
    assert all(isinstance(name, str) for name in result)
    json.dumps(result)


@every_kind
def test_waits_in_the_triggerer(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    on_worker = Task(run_id="other")
    waits.happenings = [lambda: vendors.advance(LATER)]
    expected = kind().execute(on_worker.context)
    before = kind.effects(vendors)
    waits.each.clear()
    waits.happenings = [lambda: None, lambda: vendors.advance(LATER)]
    operator = kind(deferrable=True)
    deferred = deferral(operator.execute, task.context)
    assert waits.each == []
    result = resumed(kind(deferrable=True), deferred, task.context)
    assert waits.each == [FIRST_LOOK, 60]
    assert kind.effects(vendors) == before + 1
    assert set(result) == set(expected)
    assert result.get("status") == expected.get("status")


@every_kind
def test_deferral_carries_ids_only(kind: Kind, vendors: Sandbox, task: Task) -> None:
    deferred = deferral(kind(deferrable=True, wait_timeout=timedelta(hours=2)).execute, task.context)
    path, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
    assert path == "airflow_provider_mkt.triggers.watch.WatchTrigger"
    assert kwargs["conn_id"] == f"{kind.vendor}_default"
    secrets = [vendors.connections[f"{kind.vendor}_default"]["password"], "Bearer", "Basic"]
    assert not any(secret in repr(deferred.trigger) + json.dumps(kwargs) for secret in secrets)
    assert deferred.timeout == timedelta(hours=2)
    assert kwargs["cancel_on_kill"] is True


@every_kind
def test_accepted_is_enough_without_waiting(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    result = kind(wait_for_completion=False, deferrable=True).execute(task.context)
    assert result
    assert kind.effects(vendors) == 1
    assert waits.each == []


@every_kind
def test_finished_at_once_is_not_deferred(kind: Kind, vendors: Sandbox, task: Task) -> None:
    deferral(kind(deferrable=True).execute, task.context)
    vendors.advance(LATER)
    task.retry()
    assert kind(deferrable=True).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_record_shows_no_secret(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind(wait_for_completion=False).execute(task.context)
    connection = vendors.connections[f"{kind.vendor}_default"]
    stored = "".join(task.store.values.values())
    assert connection["password"] not in stored
    assert task.record["state"] == "submitted"


# Later tries


@every_kind
def test_later_tries_attach(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind(wait_for_completion=False).execute(task.context)
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context) == first
    task.clear()
    assert kind(wait_for_completion=False).execute(task.context) == first
    assert kind.effects(vendors) == 1


@every_kind
def test_giving_up_waiting_does_not_give_up_the_submission(
    kind: Kind, vendors: Sandbox, task: Task, waits: Waits
) -> None:
    with pytest.raises(ApiError, match="was not done after 150 s") as caught:
        kind(wait_timeout=150).execute(task.context)
    assert "attaches to it" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    assert waits.passed <= 150
    vendors.advance(LATER)
    task.retry()
    assert kind(wait_timeout=150).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("deferrable", [False, True])
def test_failure_at_the_vendor(kind: Kind, deferrable: bool, vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.outcome(kind.vendor, kind.failure)
    waits.happenings = [lambda: vendors.advance(LATER)]

    def attempt() -> Any:
        operator = kind(deferrable=deferrable)
        if not deferrable:
            return operator.execute(task.context)
        return resumed(kind(deferrable=True), deferral(operator.execute, task.context), task.context)

    expected = ApiError if kind.retried_after_failure else AirflowFailException
    with pytest.raises(expected, match=kind.failure) as caught:
        attempt()
    task.retry()
    waits.happenings = [lambda: vendors.advance(LATER)]
    if kind.retried_after_failure:
        assert "a retry submits it again" in str(caught.value)
        assert attempt()
        assert task.record["generation"] == 2
        assert kind.effects(vendors) == 2
    else:
        assert "nothing is submitted again" in str(caught.value)
        with pytest.raises(AirflowFailException):
            kind().execute(task.context)
        assert kind.effects(vendors) == 1


def test_campaign_that_left_no_trace_is_published_again(vendors: Sandbox, task: Task, waits: Waits) -> None:
    ids = CAMPAIGN(wait_for_completion=False).execute(task.context)["campaign_tracking_ids"]
    gone = {"status": 200, "body": {"status": "failed", "message": "No budget left."}, "processed": False}
    vendors.fault("GET /flow-living/campaigns/status/{id}", "status", count=len(ids), **gone)
    with pytest.raises(ApiError, match=r"No budget left\..*a retry submits it again"):
        CAMPAIGN().execute(task.context)
    assert task.record["state"] == "failed"
    task.retry()
    vendors.advance(LATER)
    waits.happenings = [lambda: vendors.advance(LATER)]
    assert CAMPAIGN().execute(task.context)["status"] == "published"
    assert CAMPAIGN.effects(vendors) == 2


def test_campaign_that_failed_in_part_is_never_published_again(vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.outcome("flow_living", "failed", limit=1)
    waits.happenings = [lambda: vendors.advance(LATER)]
    for _ in range(3):
        with pytest.raises(AirflowFailException, match="nothing is submitted again"):
            CAMPAIGN().execute(task.context)
        task.retry()
    assert CAMPAIGN.effects(vendors) == 1


# Refusals


@every_kind
def test_refused_is_corrected_and_sent_again(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.route, "status", status=422, message="not like this")
    with pytest.raises(ValidationError, match="not like this") as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert kind.effects(vendors) == 0
    task.clear()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1
    assert task.record["generation"] == 2


@every_kind
def test_never_connected_is_safe_to_retry(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    conn_id = connect(kind.vendor, host="http://127.0.0.1:1/v1")
    with pytest.raises(ApiError, match="could not be reached") as caught:
        kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    connect(kind.vendor)
    task.retry()
    assert kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_wrong_credentials_leave_no_doubt(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    conn_id = connect(kind.vendor, password="wrong-key-4711")
    with pytest.raises(AuthenticationError) as caught:
        kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert "4711" not in str(caught.value)
    connect(kind.vendor)
    task.clear()
    assert kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert kind.effects(vendors) == 1


@pytest.mark.parametrize(
    ("kind", "token_route"),
    [(CAMPAIGN, "GET /flow-living/auth/access-key/publickey"), (REPORT, "POST /flinque/v1/oauth/token")],
)
def test_unreadable_token_is_not_taken_for_a_launch(kind: Kind, token_route: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(token_route, "malformed", count=None)
    with pytest.raises(ApiError) as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert not getattr(caught.value, "executed", False)
    assert "was submitted" not in str(caught.value)
    assert kind.effects(vendors) == 0
    vendors.clear_faults()
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


# Lost answers


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
    assert _reference(kind, task) in str(caught.value)
    assert not isinstance(caught.value, MalformedResponseError) or caught.value.executed
    task.retry()
    if kind.settled_by == "list" and happened:
        assert kind(wait_for_completion=False).execute(task.context) == {"report_id": "re_1"}
        assert kind.effects(vendors) == 1
        return
    # Neither a retry nor a clear guesses.
    for following in (task.retry, task.clear, task.retry):
        with pytest.raises((OutcomeUnknownError, MalformedResponseError)) as caught:
            kind(wait_for_completion=False).execute(task.context)
        assert _reference(kind, task) in str(caught.value)
        following()
    assert kind.effects(vendors) == happened
    # Where the vendor can be asked, the next try waits until its list must show the request.
    policy = DEFAULT.evaluate(caught.value, 1, 2).action.value
    assert policy == ("retry" if kind.settled_by == "list" else "fail")


def _reference(kind: Kind, task: Task) -> str:
    return f"tests/{task.dag_id}/{task.run_id}/{task.task_id}"


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
    if certain or (kind.settled_by == "list" and happened):
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
    if kind.settled_by == "key" or (kind.settled_by == "list" and executed):
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
LATER_POST = {"scheduled_for": "2099-06-08T09:00:00Z"}


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


# Changed, cleared, resubmitted, mapped


@pytest.mark.parametrize(
    ("kind", "change", "fields"),
    [
        (CAMPAIGN, {"plan_ref": "googlev1", "budget_override": 90}, "budgetOverride, planRef"),
        (CAMPAIGN, {"listing_external_ids": ["listing_1002"]}, "listingExternalIds"),
        (POST, {"content": "Open house on Monday"}, "content"),
        (REPORT, {"report": {"type": "campaign", "campaign_id": "ca_2"}}, "campaign_id"),
        (SYNC, {"integration_id": "int_stripe"}, "integration_id"),
    ],
)
def test_changed_request(kind: Kind, change: dict[str, Any], fields: str, vendors: Sandbox, task: Task) -> None:
    kind(wait_for_completion=False).execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match=f"these fields differ: {fields}") as caught:
        kind(wait_for_completion=False, **change).execute(task.context)
    assert "not submitted a second time" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("asked_by", ["operator", "conf"])
def test_resubmission_counts_once_per_clear(kind: Kind, asked_by: str, vendors: Sandbox, waits: Waits) -> None:
    task = Task(conf={"mkt_resubmit": True} if asked_by == "conf" else None)
    operator = kind(wait_for_completion=False, resubmit=asked_by == "operator")
    counts = []
    for following in (task.retry, task.clear, task.retry, task.retry, task.clear, task.retry):
        operator.execute(task.context)
        counts.append(kind.effects(vendors))
        vendors.advance(LATER)
        following()
    assert counts == [1, 1, 2, 2, 2, 3]


@every_kind
@pytest.mark.parametrize("conf", [None, {}, {"mkt_resubmit": False}, {"other": True}])
def test_cleared_is_attached_to_unless_asked(kind: Kind, conf: dict[str, Any] | None, vendors: Sandbox) -> None:
    task = Task(conf=conf)
    kind(wait_for_completion=False).execute(task.context)
    task.clear()
    kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


def test_mapped_tasks_submit_each_for_itself(vendors: Sandbox) -> None:
    tasks = [Task(map_index=index) for index in range(4)]
    for task in tasks:
        for kind in (CAMPAIGN, POST, REPORT):
            kind(wait_for_completion=False).execute(task.context)
            task.store.values.clear()
    assert [entry["reference"] for entry in vendors.ledger("flow_living", "campaign.published")] == [
        f"tests/launch/{task.run_id}/publish/{task.map_index}" for task in tasks
    ]
    assert len({entry["idempotency_key"] for entry in vendors.ledger("flow_social", "post.created")}) == 4
    assert REPORT.effects(vendors) == 4


def test_other_runs_and_renamed_tasks_submit_anew(vendors: Sandbox) -> None:
    for task in (Task(), Task(run_id="manual"), Task(task_id="renamed"), Task(dag_id="renamed")):
        POST(wait_for_completion=False).execute(task.context)
    assert len({entry["idempotency_key"] for entry in vendors.ledger("flow_social", "post.created")}) == 4
