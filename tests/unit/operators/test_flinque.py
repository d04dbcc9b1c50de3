# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reports: what the list proves, and what it does not."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import OutcomeUnknownError, ValidationError
from airflow_provider_mkt.operators import flinque as operators
from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

GENERATE = "POST /flinque/v1/reports/generate"
REPORT = {"type": "campaign", "campaign_id": "ca_1"}


def generating(**options: Any) -> FlinqueGenerateReportOperator:
    return FlinqueGenerateReportOperator(
        task_id="report", **{"report": REPORT, "wait_for_completion": False, **options}
    )


def lost(task: Task, vendors: Sandbox, fault: str = "drop_before", **options: Any) -> None:
    """Make a try whose answer is lost."""
    vendors.fault(GENERATE, fault)
    with pytest.raises(OutcomeUnknownError) as caught:
        generating(**options).execute(task.context)
    assert caught.value.resolvable


def settle(task: Task) -> None:
    """Let enough time pass for the vendor's list to be complete."""
    record = task.record
    times = {name: value - 1_000 for name, value in record.items() if name.endswith("_at") and value}
    task.store.set("mkt.submission.0", {**record, **times})


def generated(vendors: Sandbox) -> int:
    return len(vendors.ledger("flinque", "report.generated"))


def test_found_in_the_list(vendors: Sandbox, task: Task) -> None:
    lost(task, vendors, "drop_after")
    task.retry()
    assert generating().execute(task.context) == {"report_id": "re_1"}
    assert generated(vendors) == 1


def test_not_in_the_list_is_settled_by_time(vendors: Sandbox, task: Task) -> None:
    lost(task, vendors)
    task.retry()
    # It may still be on its way.
    with pytest.raises(OutcomeUnknownError):
        generating().execute(task.context)
    assert generated(vendors) == 0
    settle(task)
    task.retry()
    assert generating().execute(task.context) == {"report_id": "re_1"}
    assert generated(vendors) == 1


def test_trace_is_not_fooled_by_an_earlier_generation(vendors: Sandbox, task: Task) -> None:
    first = generating(resubmit=True).execute(task.context)
    task.clear()
    lost(task, vendors, resubmit=True)
    settle(task)
    task.retry()
    second = generating(resubmit=True).execute(task.context)
    assert second != first
    assert generated(vendors) == 2


def test_trace_is_not_fooled_by_a_report_that_failed(vendors: Sandbox, task: Task) -> None:
    vendors.outcome("flinque", "failed")
    generating().execute(task.context)
    vendors.advance(400)
    task.retry()
    with pytest.raises(Exception, match="a retry submits it again"):
        generating(wait_for_completion=True, deferrable=False).execute(task.context)
    task.retry()
    lost(task, vendors)
    settle(task)
    task.retry()
    assert generating().execute(task.context) == {"report_id": "re_2"}
    assert generated(vendors) == 2


def test_reports_of_others_prove_nothing(vendors: Sandbox, task: Task) -> None:
    generating().execute(Task(run_id="other").context)
    lost(task, vendors)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        generating().execute(task.context)
    lost_before = generated(vendors)
    settle(task)
    task.retry()
    generating().execute(task.context)
    assert generated(vendors) == lost_before + 1


@pytest.mark.parametrize(
    "row",
    [
        {"id": "re_9", "status": "pending"},
        {"id": "re_9", "status": "pending", "name": None},
        {"status": "pending", "name": f"launch/{Task().run_id}/publish"},
    ],
)
def test_list_that_hides_what_matters_settles_nothing(row: dict[str, Any], vendors: Sandbox, task: Task) -> None:
    lost(task, vendors)
    settle(task)
    task.retry()
    vendors.fault("GET /flinque/v1/reports", "status", status=200, body={"data": [row]}, count=None)
    with pytest.raises(OutcomeUnknownError, match="Nobody can know"):
        generating().execute(task.context)
    assert generated(vendors) == 0


def test_two_that_fit_are_a_persons_business(vendors: Sandbox, task: Task) -> None:
    lost(task, vendors, "drop_after")
    name = task.record["reference"]
    rows = [{"id": f"re_{number}", "name": name, "status": "pending", "type": "campaign"} for number in (1, 2)]
    vendors.fault("GET /flinque/v1/reports", "status", status=200, body={"data": rows}, count=None)
    settle(task)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        generating().execute(task.context)
    assert generated(vendors) == 1


def test_list_that_is_too_long_settles_nothing(vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "MOST_RECENT", 3)
    for number in range(3):
        generating().execute(Task(run_id=f"other {number}").context)
    lost(task, vendors)
    settle(task)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        generating().execute(task.context)
    assert generated(vendors) == 3


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ({}, "report must be an object such as {'type': 'campaign'}, got {}"),
        (None, "report must be an object"),
        ("campaign", "report must be an object"),
        (["campaign"], "report must be an object"),
        ({"start_date": datetime(2026, 6, 8, tzinfo=timezone.utc)}, "report['start_date'] is not JSON"),
        ({"share": Decimal("0.5")}, "report['share'] is not JSON"),
        ({"share": float("nan")}, "report['share'] is not JSON"),
        ({"filter": {"ids": {1, 2}}}, "report['filter'] is not JSON"),
        ({1: "a"}, "report[1] is not JSON"),
    ],
)
def test_bad_input(report: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        generating(report=report).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}
