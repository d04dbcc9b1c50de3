# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Syncs: an earlier one, or an earlier error, is never taken for the one that was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.exceptions import ApiError, NotFoundError, ValidationError
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, Waits, deferral, resumed

READ = "GET /flokit/v1/integrations/{id}"


def syncing(integration_id: str = "int_adjust", **options: Any) -> FlokitTriggerSyncOperator:
    return FlokitTriggerSyncOperator(
        task_id="sync", integration_id=integration_id, **{"deferrable": False, "poll_interval": 60.0, **options}
    )


def started(vendors: Sandbox) -> int:
    return len(vendors.ledger("flokit", "sync.started"))


def shown(vendors: Sandbox, *answers: dict[str, Any], count: int = 1) -> None:
    """Have the next reads of the integration answer so."""
    for answer in answers:
        row = {"id": "int_adjust", "type": "adjust", "last_synced_at": None, "error_message": None, **answer}
        vendors.fault(READ, "status", status=200, body={"integration": row}, count=count)


def test_earlier_sync_does_not_count(vendors: Sandbox, task: Task, waits: Waits) -> None:
    before = FlokitHook().get_integration("int_adjust")["last_synced_at"]
    still = {"status": "connected", "last_synced_at": before}
    # Read before the sync, and three times after it, before the vendor shows it.
    shown(vendors, still, count=4)
    waits.happenings = [lambda: None, lambda: None, lambda: None, lambda: vendors.advance(301)]
    result = syncing().execute(task.context)
    assert len(waits.each) == 4
    assert result["integration"]["last_synced_at"] > before
    assert started(vendors) == 1


def test_first_sync_of_an_integration(vendors: Sandbox, task: Task, waits: Waits) -> None:
    shown(vendors, {"status": "connected"}, {"status": "connected"})
    waits.happenings = [lambda: vendors.advance(301)]
    assert syncing().execute(task.context)["sync_id"] == "sync_1"
    assert len(waits.each) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_error_fails_the_task(deferrable: bool, vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.outcome("flokit", "failed")
    waits.happenings = [lambda: vendors.advance(301)]
    operator = syncing(deferrable=deferrable)

    def finish() -> Any:
        if deferrable:
            return resumed(operator, deferral(operator.execute, task.context), task.context)
        return operator.execute(task.context)

    with pytest.raises(AirflowFailException, match=r"int_adjust: error .The sync failed"):
        finish()
    assert started(vendors) == 1


def test_error_of_before_is_no_result(vendors: Sandbox, task: Task, waits: Waits) -> None:
    old = {"status": "error", "error_message": "The password was changed"}
    shown(vendors, old, count=3)
    waits.happenings = [lambda: None, lambda: vendors.advance(301)]
    result = syncing(poll_interval=20.0).execute(task.context)
    assert result["integration"]["status"] == "connected"
    assert "password" not in "".join(task.store.values.values())


def test_new_error_is_a_result(vendors: Sandbox, task: Task, waits: Waits) -> None:
    shown(vendors, {"status": "error", "error_message": "old"}, {"status": "error", "error_message": "new"})
    with pytest.raises(AirflowFailException, match=r"error .new"):
        syncing().execute(task.context)


def test_integration_that_was_in_error_can_be_synced(vendors: Sandbox, task: Task, waits: Waits) -> None:
    waits.happenings = [lambda: vendors.advance(301)]
    assert syncing("int_google_play").execute(task.context)["integration"]["status"] == "connected"


def test_disconnected_before(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="int_appsflyer is disconnected; connect it") as caught:
        syncing("int_appsflyer").execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert started(vendors) == 0
    assert task.store.values == {}


def test_disconnected_meanwhile(vendors: Sandbox, task: Task, waits: Waits) -> None:
    shown(vendors, {"status": "connected"}, {"status": "disconnected"})
    with pytest.raises(AirflowFailException, match="disconnected"):
        syncing().execute(task.context)


def test_already_syncing_is_tried_later(vendors: Sandbox, task: Task, waits: Waits) -> None:
    FlokitHook().trigger_sync("int_adjust")
    with pytest.raises(ApiError, match="is syncing already; a retry asks again") as caught:
        syncing().execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    assert task.store.values == {}
    vendors.advance(301)
    waits.happenings = [lambda: vendors.advance(301)]
    assert syncing().execute(task.retry())["sync_id"] == "sync_2"


def test_syncing_between_the_look_and_the_request(vendors: Sandbox, task: Task) -> None:
    shown(vendors, {"status": "connected"})
    FlokitHook().trigger_sync("int_adjust")
    with pytest.raises(ValidationError, match="A sync is running already"):
        syncing().execute(task.context)
    assert task.record["state"] == "refused"
    assert started(vendors) == 1


def test_no_such_integration(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(NotFoundError):
        syncing("int_nowhere").execute(task.context)
    assert started(vendors) == 0


@pytest.mark.parametrize("integration_id", ["", "  ", None, ["int_adjust"], True])
def test_bad_input(integration_id: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="integration_id must be non-empty text"):
        syncing(integration_id).execute(task.context)
    assert vendors.requests() == []
