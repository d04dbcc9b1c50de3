# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whole DAGs under test: what a run gives back, and that hours of waiting take a moment."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.testing.approvals import UnansweredError
from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.parsed import DagImportError
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors

pytestmark = pytest.mark.slow

HEAD = """
from datetime import timedelta
from airflow.sdk import dag, task
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

@dag(schedule=None, params={"plan": "facebookv2"}, default_args={"retries": 2, "retry_delay": timedelta(hours=1)})
def tested():
"""
LAUNCH = """
    FlowLivingPublishCampaignOperator(
        task_id="publish", plan_ref="{{ params.plan }}", listing_external_ids=["listing_1001"],
        branch_id="branch_harbour", deferrable=True, wait_timeout=timedelta(days=1),
    )
"""


@pytest.fixture
def dag_file(tmp_path: Path) -> Path:
    return tmp_path / "tested.py"


def written(path: Path, *tasks: str) -> Path:
    path.write_text(HEAD + "".join(tasks) + "\ntested()\n", encoding="utf-8")
    return path


def test_a_launch(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    result = mkt_run_dag(written(dag_file, LAUNCH), conf={"plan": "facebookv2"})
    assert result.state == "success"
    assert result.states == {"publish": "success"}
    assert result.tries == {"publish": 1}
    assert result.xcom("publish")["status"] == "published"
    assert "published" in result.log("publish")
    for ask in (result.log, result.xcom):
        with pytest.raises(KeyError, match=r"there is no task 'publsh'; there are .*publish"):
            ask("publsh")
    with pytest.raises(KeyError, match=r"publish has handed on no 'ids', but: .*return_value"):
        result.xcom("publish", "ids")
    assert [each["vendor"] for each in result.happened("campaign.published")] == ["flow_living"]
    assert any(each["path"].endswith("/campaigns/publish") for each in result.requests)


def test_a_lost_answer_is_settled_in_a_moment(
    mkt_run_dag: DagRunner, mkt_sandbox: Vendors, mkt_time: MovableClock, dag_file: Path
) -> None:
    mkt_sandbox.fault("flow_living", "POST /campaigns/publish", "drop-after")
    begun = time.monotonic()
    result = mkt_run_dag(written(dag_file, LAUNCH))
    assert result.state == "success"
    assert result.tries["publish"] == 2
    assert len(mkt_sandbox.ledger("flow_living", "campaign.published")) == 1
    assert mkt_time.waited > 170
    assert time.monotonic() - begun < 120


def test_a_vendor_that_is_down_for_hours(
    mkt_run_dag: DagRunner, mkt_sandbox: Vendors, mkt_time: MovableClock, dag_file: Path
) -> None:
    mkt_sandbox.outage("flow_living", timedelta(minutes=90))
    result = mkt_run_dag(written(dag_file, LAUNCH))
    assert result.state == "success"
    assert result.tries["publish"] == 3
    assert mkt_time.waited > 7_200
    assert len(result.happened("campaign.published")) == 1


def test_a_refusal(mkt_run_dag: DagRunner, mkt_sandbox: Vendors, dag_file: Path) -> None:
    result = mkt_run_dag(written(dag_file, LAUNCH), conf={"plan": "no-such-plan"})
    assert result.state == "failed"
    assert isinstance(result.errors["publish"], NotFoundError)
    assert result.tries == {"publish": 1}
    assert mkt_sandbox.ledger(effect="campaign.published") == []


APPROVAL = """
    ApprovalOperator(task_id="approve", subject="Launch it?"{limit}) >> """


@pytest.mark.parametrize(("answer", "launches"), [(True, 1), (False, 0), ({"approve": "Approve"}, 1)])
def test_an_approval(mkt_run_dag: DagRunner, dag_file: Path, answer: object, launches: int) -> None:
    asked = written(dag_file, APPROVAL.format(limit="").rstrip(" "), LAUNCH.lstrip())
    result = mkt_run_dag(asked, approve=answer)  # type: ignore[arg-type]
    assert result.state == "success"
    assert result.states["publish"] == ("success" if launches else "skipped")
    assert len(result.happened("campaign.published")) == launches


ASKING = """
    FlowLivingPublishCampaignOperator(
        task_id="publish", plan_ref="facebookv2", listing_external_ids=["listing_1001"],
        branch_id="branch_harbour", approval="required", deferrable=True{limit},
    )
"""


def test_a_launch_that_asks_by_itself(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    result = mkt_run_dag(written(dag_file, ASKING.format(limit="")), approve=True)
    assert result.state == "success"
    assert result.tries == {"publish": 1}
    assert len(result.happened("campaign.published")) == 1


def test_one_that_is_refused(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    result = mkt_run_dag(written(dag_file, ASKING.format(limit="")), approve=False)
    assert result.state == "failed"
    assert "test refused this launch" in str(result.errors["publish"])
    assert result.tries == {"publish": 1}
    assert result.happened("campaign.published") == []


def test_one_that_nobody_answers(mkt_run_dag: DagRunner, mkt_time: MovableClock, dag_file: Path) -> None:
    limit = ", approval_timeout=timedelta(hours=8)"
    result = mkt_run_dag(written(dag_file, ASKING.format(limit=limit)))
    assert "Nobody approved this launch within 28800 s" in str(result.errors["publish"])
    assert mkt_time.waited >= 8 * 3_600 - 5


def test_who_says_nothing_of_an_approval_is_told_what_to_say(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    with pytest.raises(UnansweredError, match=r"The task approve asks a person: 'Launch it\?'.*approve="):
        mkt_run_dag(written(dag_file, APPROVAL.format(limit=""), LAUNCH.lstrip()))


def test_nobody_answers_in_time(mkt_run_dag: DagRunner, mkt_time: MovableClock, dag_file: Path) -> None:
    limited = APPROVAL.format(limit=", response_timeout=timedelta(hours=8), retries=0")
    result = mkt_run_dag(written(dag_file, limited, LAUNCH.lstrip()))
    assert result.states == {"approve": "failed", "publish": "upstream_failed"}
    assert mkt_time.waited >= 8 * 3_600 - 5


def test_a_file_that_cannot_be_imported(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    dag_file.write_text("import no_such_module\n", encoding="utf-8")
    with pytest.raises(DagImportError, match="No module named 'no_such_module'"):
        mkt_run_dag(dag_file)
    with pytest.raises(DagImportError, match="there is no file"):
        mkt_run_dag(dag_file.parent / "nothing.py")
