# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns: lost answers, where the connection knows the analytics host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    OutcomeUnknownError,
)
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task
from tests.unit.publishing import PUBLISH, publishing


def lost(vendors: Sandbox, task: Task, fault: str, **arguments: Any) -> None:
    vendors.fault(PUBLISH, fault)
    with pytest.raises(OutcomeUnknownError) as caught:
        publishing(**arguments).execute(task.context)
    assert caught.value.resolvable
    vendors.advance(700)
    task.retry()


def published(vendors: Sandbox) -> list[str]:
    return [entry["reference"] for entry in vendors.ledger("flow_living", "campaign.published")]


@pytest.mark.parametrize("order_ref", [None, "PO-1 {run_id}"])
def test_analytics_show_what_was_published(order_ref: str | None, vendors: Sandbox, task: Task) -> None:
    given = {"order_ref": order_ref.format(run_id=task.run_id)} if order_ref else {}
    reference = given.get("order_ref", f"tests/{task.dag_id}/{task.run_id}/{task.task_id}")
    lost(vendors, task, "drop_after", **given)
    result = publishing(**given).execute(task.context)
    assert result["order_ref"] == reference
    assert result["flow_campaign_ids"] == ["camp_1", "camp_2"]
    assert publishing(**given, wait_for_completion=True).execute(task.retry()) == result
    assert published(vendors) == [reference]


def test_analytics_prove_nothing_of_a_reference_that_other_runs_may_have(vendors: Sandbox, task: Task) -> None:
    """The other run's campaign may have become visible only after this one's request."""
    vendors.fault(PUBLISH, "drop_before")
    with pytest.raises(OutcomeUnknownError, match="adopt"):
        publishing(order_ref="PO-1").execute(task.context)
    publishing(order_ref="PO-1").execute(Task(run_id="other").context)
    vendors.advance(700)
    with pytest.raises(OutcomeUnknownError, match="adopt"):
        publishing(order_ref="PO-1").execute(task.retry())


def test_analytics_never_prove_that_nothing_was_published(vendors: Sandbox, task: Task) -> None:
    lost(vendors, task, "drop_before")
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError):
            publishing().execute(task.context)
        task.retry()
    assert published(vendors) == []


def test_analytics_are_not_fooled_by_an_earlier_generation(vendors: Sandbox, task: Task) -> None:
    publishing(resubmit=True).execute(task.context)
    vendors.advance(700)
    task.clear()
    lost(vendors, task, "drop_before", resubmit=True)
    with pytest.raises(OutcomeUnknownError):
        publishing(resubmit=True).execute(task.context)


def test_analytics_know_references_apart(vendors: Sandbox, task: Task) -> None:
    mine, longer = (f"{task.run_id}/{name}" for name in ("PO-1", "PO-10"))
    lost(vendors, task, "drop_before", order_ref=mine)
    publishing(order_ref=longer).execute(Task(run_id="other").context)
    vendors.advance(700)
    with pytest.raises(OutcomeUnknownError):
        publishing(order_ref=mine).execute(task.context)
    assert published(vendors) == [longer]


def test_analytics_that_fail_change_nothing(vendors: Sandbox, task: Task) -> None:
    lost(vendors, task, "drop_after")
    vendors.fault("POST /flow-living-analytics/*", "status", status=401)
    with pytest.raises(ApiError):
        publishing().execute(task.context)
    task.retry()
    assert publishing().execute(task.context)["flow_campaign_ids"]
    assert len(published(vendors)) == 1


def punctual(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the connection say that analytics shows everything within ten minutes."""
    connection = vendors.connections["flow_living_default"]
    extra = {**connection["extra"], "analytics_delay": 600}
    monkeypatch.setenv("AIRFLOW_CONN_FLOW_LIVING_DEFAULT", json.dumps({**connection, "extra": extra}))


def later(task: Task, seconds: float) -> None:
    """Let the doubt about the request be that old."""
    record = task.record
    task.store.set("mkt.submission.0", {**record, "doubt_at": record["doubt_at"] - seconds})


def test_analytics_that_are_known_to_be_in_time_prove_it(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    punctual(vendors, monkeypatch)
    lost(vendors, task, "drop_before")
    later(task, 400)
    with pytest.raises(OutcomeUnknownError) as caught:
        publishing().execute(task.context)
    assert caught.value.resolvable
    assert 100 < caught.value.retry_after <= 200
    assert published(vendors) == []
    task.retry()
    later(task, 201)
    assert publishing().execute(task.context)["campaign_tracking_ids"]
    assert len(published(vendors)) == 1


def test_what_they_show_is_found_all_the_same(vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    punctual(vendors, monkeypatch)
    lost(vendors, task, "drop_before")
    later(task, 601)
    vendors.fault(PUBLISH, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        publishing().execute(task.context)
    vendors.advance(700)
    task.retry()
    assert publishing().execute(task.context)["flow_campaign_ids"]
    assert len(published(vendors)) == 1
