# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tries that die and answers that are lost: one subscription all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    OutcomeUnknownError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.record import Record
from tests.unit.context import Task, WorkerDiedError, step_of
from tests.unit.operators.ensure_webhook.kinds import (
    FLINQUE,
    FLODESK,
    FLOW_SOCIAL,
    OTHER,
    URL,
    Kind,
    effects,
    every_kind,
    every_signed,
    settle,
)

pytestmark = pytest.mark.usefixtures("store_file", "flodesk_token")


def die(moment: str, step: str) -> Callable[[str, Any], None]:
    def interrupt(when: str, record: Any) -> None:
        if (when, step_of(record)) == (moment, step):
            raise WorkerDiedError

    return interrupt


@every_kind
def test_killed_after_the_intent(kind: Kind, vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = die("after", "intent")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    task.store.interrupt = None
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == 1


@every_kind
def test_killed_when_it_leaves(kind: Kind, vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = die("after", "leaving")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    assert kind.made(vendors) == 0
    task.store.interrupt = None
    task.retry()
    if kind is not FLOW_SOCIAL:
        # It may still be on its way.
        with pytest.raises(OutcomeUnknownError) as caught:
            kind().execute(task.context)
        decision = DEFAULT.evaluate(caught.value, 1, 2)
        assert decision.retry_delay is not None
        assert 100 < decision.retry_delay.total_seconds() <= 180
        settle(task)
        task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == 1


@every_kind
def test_killed_before_the_receipt(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """The vendor has answered and the secret is kept; the record does not know of it."""
    task.store.interrupt = die("before", "submitted")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    task.store.interrupt = None
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert result["created"]
    assert effects(vendors, kind) == ["webhook.created"]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_kind
def test_answer_lost(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError) as caught:
        kind().execute(task.context)
    assert caught.value.resolvable
    vendors.clear_faults()
    (lost,) = kind.there()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    if kind is FLINQUE:
        assert effects(vendors, kind) == ["webhook.created", "webhook.created", "webhook.deleted"]
    else:
        assert result["webhook_id"] == lost["id"]
        assert effects(vendors, kind) == ["webhook.created"]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_kind
def test_answer_unreadable(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "truncate", count=5)
    with pytest.raises((MalformedResponseError, OutcomeUnknownError)) as caught:
        kind().execute(task.context)
    assert caught.value.resolvable
    vendors.clear_faults()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_signed
def test_answer_without_a_secret(kind: Kind, vendors: Sandbox, task: Task) -> None:
    body: dict[str, Any] = {"id": "wh_77", "url": URL, "events": kind.events}
    vendors.fault(kind.create, "status", status=201, body=body if kind is FLINQUE else {"data": body}, processed=False)
    with pytest.raises(MalformedResponseError, match="without telling its secret") as caught:
        kind().execute(task.context)
    assert caught.value.executed
    assert task.record["state"] == "intent"
    assert not kind.secret("wh_77")


def test_person_hands_over_the_id_and_the_secret(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    """``airflow mkt submissions adopt``, after the vendor has told the secret in another way."""
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    (lost,) = FLINQUE.there()
    task.store.set("mkt.submission.0", asdict(Record.of(task.record).adopt([lost["id"]])))
    connect("flinque", "flinque_default", extra={"webhook_secret": "told-by-the-vendors-support"})
    task.clear()
    assert FLINQUE().execute(task.context)["webhook_id"] == lost["id"]
    assert effects(vendors, FLINQUE) == ["webhook.created"]


def test_events_changed_between_two_tries(vendors: Sandbox, task: Task) -> None:
    """The lost creation is settled as it was sent, then corrected."""
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    task.retry()
    FLOW_SOCIAL(events=FLOW_SOCIAL.others).execute(task.context)
    assert [row["events"] for row in FLOW_SOCIAL.there()] == [FLOW_SOCIAL.others]
    assert effects(vendors, FLOW_SOCIAL) == ["webhook.created", "webhook.updated"]


def test_address_changed_between_two_tries(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match="these fields differ: url"):
        FLINQUE(url=OTHER).execute(task.context)


def test_replayed_answer_about_a_webhook_that_is_gone(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    (lost,) = FLOW_SOCIAL.there()
    FlowSocialHook().delete_webhook(lost["id"])
    task.retry()
    result = FLOW_SOCIAL().execute(task.context)
    assert [row["id"] for row in FLOW_SOCIAL.there()] == [result["webhook_id"]] != [lost["id"]]


def test_old_key_is_not_trusted(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    task.store.set("mkt.submission.0", {**task.record, "intent_at": task.record["intent_at"] - 80_000})
    task.retry()
    result = FLOW_SOCIAL().execute(task.context)
    assert [row["id"] for row in FLOW_SOCIAL.there()] == [result["webhook_id"]]
    assert FLOW_SOCIAL.secret(result["webhook_id"])


@every_kind
def test_deletion_that_fails_is_made_up_for(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.add()
    kind.add()
    vendors.fault(f"DELETE {kind.path}/*", "status", status=500, count=None, processed=False)
    with pytest.raises(ServerError):
        kind().execute(task.context)
    vendors.clear_faults()
    created = kind.made(vendors)
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == created
    assert result["created"] == (kind is not FLODESK)


@every_kind
def test_refusal_leaves_nothing_open(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "status", status=400, processed=False)
    with pytest.raises(ValidationError):
        kind().execute(task.context)
    assert task.record["state"] == "refused"
    task.retry()
    assert kind().execute(task.context)["created"]
    assert kind.made(vendors) == 1


@every_kind
def test_long_rate_limit_hands_the_worker_back(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "rate_limit", retry_after=600)
    with pytest.raises(AirflowRescheduleException):
        kind().execute(task.context)
    assert kind.made(vendors) == 0
