# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt stop`` and ``resume``, with launches that are live at the simulated vendors."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import OperationalError

from airflow_provider_mkt.control import stopping
from airflow_provider_mkt.control.records import AirflowDatabase
from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from airflow_provider_mkt.submission import desk as desks
from tests.unit.context import Task, Waits
from tests.unit.publishing import publishing
from tests.unit.state.launches.test_register import launch

SOON = datetime.now(timezone.utc) + timedelta(days=30)


class Variables:
    """Airflow's variables, as the command line reaches them."""

    values: dict[str, Any]

    def __init__(self) -> None:
        self.values = {}

    def get(self, key: str, **_: Any) -> Any:
        return json.loads(self.values[key]) if key in self.values else None

    def set(self, key: str, value: Any, *_: Any, **__: Any) -> None:
        self.values[key] = json.dumps(value)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    found = Variables()
    monkeypatch.setattr(stopping, "Variable", found)
    monkeypatch.setattr("airflow.sdk.Variable.get", found.get)
    return found


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_records: None) -> Iterator[None]:
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setattr(desks, "AWAY", desks.Away())
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    yield
    for each in made.values():
        each.close()


@pytest.fixture
def run(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Type ``airflow mkt …``; return the rows that it prints, and its exit message."""

    def run(*words: str) -> tuple[list[dict[str, Any]], str]:
        args = parser.parse_args(["mkt", *words])
        capsys.readouterr()
        end = ""
        try:
            args.func.__wrapped__(args) if hasattr(args.func, "__wrapped__") else args.func(args)
        except SystemExit as error:
            end = str(error.code)
        out = capsys.readouterr().out
        return (json.loads(out) if out.strip().startswith("[") else []), end

    return run


def campaign(task: Task) -> Any:
    return publishing().execute(task.context)


def post(**parts: Any) -> Any:
    operator = FlowSocialSchedulePostOperator(
        task_id="post", channel_id="channel_1", content="Open house", scheduled_for=SOON, **parts
    )
    return operator.execute(Task(task_id="post").context)


STOP = ("stop", "--all", "--reason", "wrong price", "--output", "json", "--patience", "0")


def test_what_is_live_is_ended_and_confirmed(run: Callable[..., Any], vendors: Sandbox, task: Task) -> None:
    ids = campaign(task)["campaign_tracking_ids"]
    post()
    vendors.advance(600)
    rows, end = run(*STOP)
    assert end == ""
    told = {row["vendor"]: (row["result"], row["told"]) for row in rows}
    assert told["Flow Living"] == ("stopped", f"stopped {', '.join(f'{each} (paused)' for each in ids)}")
    assert told["Flow Social"][0] == "stopped"
    assert told["Flow Social"][1].startswith("deleted ")
    assert {each.state for each in Register().find()} == {"stopped"}


def test_nothing_begins_until_it_is_resumed(run: Callable[..., Any], vendors: Sandbox, task: Task) -> None:
    run(*STOP)
    with pytest.raises(LaunchRefusedError, match="stopped for everything: wrong price"):
        campaign(task)
    assert vendors.ledger("flow_living", "campaign.published") == []
    assert run("resume", "--reason", "fixed")[1] == ""
    task.clear()
    campaign(task)
    assert len(vendors.ledger("flow_living", "campaign.published")) == 1
    assert "No such stop" in run("resume", "--reason", "again")[1]
    [row] = run("stops", "--output", "json")[0]
    assert (row["for"], row["reason"], row["why_lifted"]) == ("everything", "wrong price", "fixed")


def test_only_what_is_named(run: Callable[..., Any], vendors: Sandbox, task: Task) -> None:
    campaign(task)
    rows, _ = run("stop", "--vendor", "flow_social", "--reason", "x", "--output", "json", "--patience", "0")
    assert rows == []
    campaign(Task(run_id="manual__2"))
    with pytest.raises(LaunchRefusedError, match="vendor Flow Social"):
        post()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vendor_in_trouble_is_named_and_tried_again(
    status: int, run: Callable[..., Any], vendors: Sandbox, task: Task
) -> None:
    campaign(task)
    vendors.advance(600)
    vendors.fault("* /flow-living/*", "status", status=status, count=None)
    rows, end = run(*STOP)
    assert [row["result"] for row in rows] == ["not confirmed"]
    assert "1 of 1 launches are not confirmed" in end
    with pytest.raises(LaunchRefusedError):
        campaign(Task(run_id="manual__2"))
    vendors.clear_faults()
    rows, end = run(*STOP)
    assert ([row["result"] for row in rows], end) == (["stopped"], "")


def test_what_cannot_be_stopped_is_named(run: Callable[..., Any], vendors: Sandbox) -> None:
    FlokitTriggerSyncOperator(task_id="sync", integration_id="int_adjust", wait_for_completion=False).execute(
        Task(task_id="sync").context
    )
    rows, end = run(*STOP)
    assert ([row["result"] for row in rows], end) == (["cannot be stopped"], "")
    assert rows[0]["reference"]


def test_what_is_in_flight_is_waited_for(run: Callable[..., Any], waits: Waits, vendors: Sandbox) -> None:
    one = launch(conn_id="flokit_default", vendor="FloKit")
    admit(one)
    waits.happenings = [lambda: Register().note(launch(conn_id="flokit_default", vendor="FloKit", state="refused"))]
    [row], end = run(*STOP[:-1], "60")
    assert (row["result"], row["told"], end) == ("refused", "it did not happen", "")
    assert waits.each == [5.0]


def test_what_stays_in_flight_is_named(run: Callable[..., Any], waits: Waits, vendors: Sandbox) -> None:
    admit(launch(conn_id="flokit_default", vendor="FloKit"))
    rows, end = run(*STOP[:-1], "60")
    assert [row["result"] for row in rows] == ["in flight"]
    assert "1 of 1 launches are not confirmed" in end


def test_a_store_that_is_away_stops_those_who_ask_airflow(
    run: Callable[..., Any], vendors: Sandbox, task: Task, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Stops, "add", away)
        _, end = run(*STOP)
    assert "not in the shared store" in end
    monkeypatch.setattr(desks, "admit", away)
    with pytest.raises(LaunchRefusedError, match="wrong price"):
        campaign(task)
    assert vendors.ledger("flow_living", "campaign.published") == []


@pytest.mark.parametrize("words", [(), ("--all", "--dag", "spring"), ("--vendor", "nobody")])
def test_it_is_said_what_to_name(words: tuple[str, ...], run: Callable[..., Any]) -> None:
    _, end = run("stop", *words, "--reason", "x")
    assert "Name what to stop" in end or "There is no vendor 'nobody'" in end
    assert Stops().all() == []


@pytest.mark.parametrize("option", ["--vendor", "--connection", "--dag", "--run"])
@pytest.mark.parametrize(
    ("name", "problem"), [("", "is empty"), (" ", "is empty"), ("d" * 251, "251 characters"), ("a\x1bb", r"'a\x1bb'")]
)
def test_a_name_that_nothing_has_is_refused_before_anything_is_written(
    option: str, name: str, problem: str, run: Callable[..., Any], variables: Variables
) -> None:
    _, end = run("stop", option, name, "--reason", "x", "--patience", "0")
    assert problem in end
    assert end.isprintable()
    assert variables.values == {}
    assert Stops().all() == []


def away(*_: Any, **__: Any) -> Any:
    raise StoreError(StoreFailure.UNREACHABLE)


def test_a_store_that_goes_away_between_is_no_success(
    run: Callable[..., Any], vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(task)
    monkeypatch.setattr(Register, "find", away)
    assert "What is live is not known. Run the command again." in run(*STOP)[1]


def test_a_database_of_airflow_that_is_away(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> None:
        logging.getLogger("airflow.models.variable").error("Unable to retrieve variable from secrets backend")
        raise OperationalError("INSERT", {}, Exception("no such table: variable"))

    monkeypatch.setattr(Variables, "set", down)
    assert run(*STOP) == ([], "")
    assert "Unable to retrieve" not in caplog.text
    assert len(Stops().in_force()) == 1
    _, end = run("resume", "--reason", "fixed")
    assert "The stops stay in force." in end
    assert len(Stops().in_force()) == 1


def test_records_that_cannot_be_read_are_no_success(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("no such table: task_state_store"))

    monkeypatch.setattr(AirflowDatabase, "submissions", down)
    rows, end = run(*STOP)
    assert rows == []
    assert "what began while the shared store was away is not known. Run the command again" in end


def test_a_name_that_nothing_was_launched_by(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], vendors: Sandbox, task: Task
) -> None:
    def said(*words: str) -> str:
        args = parser.parse_args(["mkt", "stop", *words, "--reason", "wrong text", "--keep-running"])
        args.func(args)
        return capsys.readouterr().err

    campaign(task)
    assert "no launch of connection flow_livng_default. Check the names" in said("--connection", "flow_livng_default")
    assert "Check the names" not in said("--connection", "flow_living_default")
    assert "Check the names" not in said("--all")


@pytest.mark.parametrize("broken", ["oops", '"oops"', "[7]", '{"dag_id": "spring"}'])
def test_a_variable_that_somebody_broke_is_written_anew(
    broken: str, run: Callable[..., Any], variables: Variables
) -> None:
    run("stop", "--dag", "summer", "--reason", "x", "--keep-running")
    variables.values["mkt_stop"] = broken
    run("stop", "--dag", "winter", "--reason", "x", "--keep-running")
    kept = [each["dag_id"] for each in json.loads(variables.values["mkt_stop"])]
    assert kept == ["summer", "winter"], "what was in force is in it again"
    assert [each.dag_id for each in Stops().in_force()] == ["summer", "winter"]


def test_a_variable_of_another_fernet_key_forgets_no_stop(run: Callable[..., Any], variables: Variables) -> None:
    """Airflow says then that there is none."""
    run("stop", "--dag", "summer", "--reason", "x", "--keep-running")
    variables.values.clear()
    run("stop", "--dag", "winter", "--reason", "x", "--keep-running")
    assert [each["dag_id"] for each in json.loads(variables.values["mkt_stop"])] == ["summer", "winter"]
    run("resume", "--reason", "fixed", "1")
    assert [each["dag_id"] for each in json.loads(variables.values["mkt_stop"])] == ["winter"]


def test_airflow_that_cannot_encrypt_leaves_the_stop_to_the_store(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_key(*_: Any, **__: Any) -> None:
        raise AirflowException("Could not create Fernet object")

    monkeypatch.setattr(Variables, "set", no_key)
    assert run(*STOP)[1] == ""
    assert len(Stops().in_force()) == 1


def test_what_is_live_is_ended_although_the_names_cannot_be_looked_up(
    run: Callable[..., Any], vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(task)
    vendors.advance(600)
    found = Register.find
    asked: list[int] = []

    def away_at_first(self: Register, **wanted: Any) -> Any:
        asked.append(1)
        return away() if len(asked) == 1 else found(self, **wanted)

    monkeypatch.setattr(Register, "find", away_at_first)
    of_the_account = ("--connection", "flow_living_default", "--reason", "x", "--output", "json", "--patience", "0")
    rows, end = run("stop", *of_the_account)
    assert ([row["result"] for row in rows], end) == (["stopped"], "")
