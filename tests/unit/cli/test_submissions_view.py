# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions list`` over several DAGs, and ``show`` for people."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from typing import Any

import pytest
import yaml

from airflow_provider_mkt.cli import airflow_api, submission_records
from airflow_provider_mkt.cli.submissions_view import UNSETTLED, list_submissions, show_submission
from airflow_provider_mkt.submission.record import Record

RUN = "scheduled__2026-06-08T00:00:00+00:00"
OURS, AIRFLOWS = "airflow_provider_mkt.operators.flow_living", "airflow.providers.standard.operators.empty"


def record(at: float, state: str = "submitted", **parts: Any) -> dict[str, Any]:
    receipt = {"campaign_tracking_ids": ["ct_1"]} if state == "submitted" else {}
    defaults = {"receipt": receipt, "conn_id": "flow_living_default", "vendor": "Flow Living", "try_number": 2}
    made = Record("key-1", 1, state, "f", {"budgetOverride": 1500}, "ref", "campaign_tracking_ids", at, 0)
    return asdict(made) | defaults | parts


class Airflow(airflow_api.AirflowApi):
    """Airflow's API server with two DAGs, and one that was deleted since: only its runs are there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.since: str | None = None
        self.tasks = {
            "spring": {"publish": OURS, "clean": AIRFLOWS},
            "autumn_of_a_very_long_name_that_people_type": {"publish": "dags.of_users"},
            "gone": None,
        }
        self.values = {
            "spring": record(1_780_000_300.0),
            "autumn_of_a_very_long_name_that_people_type": record(
                1_780_000_100.0,
                vendor="Flinque",
                conn_id="flinque_default",
                body={"budget": "1000.00", "currency": "USD"},
                receipt={"campaign_tracking_ids": ["ca_1", None]},
            ),
            "gone": record(1_780_000_200.0, "intent", doubtful=True),
        }

    def _call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        self.asked.append(path)
        _, _, dag, kind, *rest = path.split("/")
        if kind == "dagRuns" and not rest:
            self.since = (query or {}).get("run_after_gte")
            dags = self.tasks if dag == "~" else [dag]
            return {"dag_runs": [{"dag_id": each, "dag_run_id": RUN} for each in dags], "total_entries": len(dags)}
        tasks = self.tasks[dag]
        if kind == "tasks":
            if tasks is None:
                raise airflow_api.NotThereError("404")
            return {"tasks": [{"task_id": name, "class_ref": {"module_path": of}} for name, of in tasks.items()]}
        if rest[-1] == "taskInstances":
            rows = [{"task_id": name, "map_index": -1} for name in tasks or ["publish"]]
            return {"task_instances": rows, "total_entries": len(rows)}
        entries = [{"key": "mkt.submission.0", "value": self.values[dag]}]
        return {"task_state_store": entries, "total_entries": 1}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    api = Airflow()
    monkeypatch.setattr(submission_records, "connect", lambda _: api)
    return api


def listing(**given: Any) -> Namespace:
    return Namespace(**{"dag_id": None, "run_id": None, "runs": None, "days": None, "unsettled": False} | given)


def rows(capsys: pytest.CaptureFixture[str], **given: Any) -> list[dict[str, Any]]:
    list_submissions(listing(output="json", **given))
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_all_dags_by_time(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys)
    assert [row["dag"] for row in found] == ["autumn_of_a_very_long_name_that_people_type", "gone", "spring"]
    names = ("vendor", "connection", "amount", "try", "ids")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("Flinque", "flinque_default", "1,000.00 USD", 2, ["ca_1", None]),
        ("Flow Living", "flow_living_default", "1,500.00", 2, []),
        ("Flow Living", "flow_living_default", "1,500.00", 2, ["ct_1"]),
    ]
    assert airflow.since is not None
    assert not any("clean" in path for path in airflow.asked), "a task of Airflow's own has no record"


def test_one_dag_is_listed_however_old_its_runs_are(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["dag"] for row in rows(capsys, dag_id="spring")] == ["spring"]
    assert airflow.since is None


@pytest.mark.parametrize("output", ["table", "plain", "json", "yaml"])
def test_unsettled_ones_ring_an_alarm(output: str, airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        list_submissions(listing(unsettled=True, output=output))
    assert ended.value.code == UNSETTLED
    shown = capsys.readouterr().out
    assert "gone" in shown
    assert "spring" not in shown
    airflow.values["gone"] = record(1_780_000_200.0)
    list_submissions(listing(unsettled=True, output=output))


def test_a_table_fits_a_hundred_columns(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    list_submissions(listing(output="table"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    together = "".join("".join(lines).split())
    assert "1,500.00" in together
    assert "try2" in together


def test_a_run_needs_its_dag(airflow: Airflow) -> None:
    with pytest.raises(SystemExit, match="Name the DAG"):
        list_submissions(listing(run_id=RUN, output="json"))


def showing(output: str) -> Namespace:
    return Namespace(dag_id="gone", run_id=RUN, task_id="publish", map_index=-1, number="0", output=output)


def test_show_for_people(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    show_submission(showing("table"))
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line[:1].strip())
    assert shown["amount"] == "1,500.00"
    assert shown["unsettled"].startswith("yes")
    assert shown["task"] == f"gone / {RUN} / publish, submission 0"
    assert shown["body"] == "budgetOverride: 1500"


def test_show_for_programs(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    show_submission(showing("json"))
    found = json.loads(capsys.readouterr().out)
    show_submission(showing("yaml"))
    assert yaml.safe_load(capsys.readouterr().out) == found
    assert found["body"] == {"budgetOverride": 1500}
    assert found["doubtful"] is True
