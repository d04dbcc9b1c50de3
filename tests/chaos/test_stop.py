# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A stop while launches are live and in flight, the vendors refuse and fail, and the shared store is away for a while.

====================================================  ==========================================================
a launch                                              what has to become of it
====================================================  ==========================================================
has not passed the fence                              begins nothing: five seconds after the stop nothing begins
is at the vendor, with 429 or 503 as its answer       its repetition does not pass the fence either
was accepted, and the vendor answers 429 or 503       is tried again until its end is confirmed
was accepted while the store was away                 is ended too: its task's record says so
lost its answer                                       is named, with what to look for
====================================================  ==========================================================

``MKT_STOP_LAUNCHES`` sets how many are live, and how many in flight; 500 is the long proof.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sqlite3
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.cli import stop_command
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.control import catching_up, records, stopping
from airflow_provider_mkt.control.records import AirflowDatabase
from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.exceptions import ApiError, LaunchRefusedError, StoppedError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.launch import STOPPED, UNKNOWN
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from tests.unit.context import Task

log = logging.getLogger(__name__)

LAUNCHES = int(os.environ.get("MKT_STOP_LAUNCHES", "40"))
WORKERS = 16
IN_FORCE = 5.0
"""Seconds after which a stop holds everywhere."""
AWAY, TROUBLED = 8.0, 20.0
"""Seconds for which the store is away, and the vendors refuse and fail."""
PATIENCE = 120.0
"""Seconds after which a launch whose answer was lost is only named."""
BEGINS = {"flow_living": "campaign.published", "flow_social": "post.created"}
ROUTES = {"* /flow-living/*": 503, "* /flow-social/v1/posts*": 429}


class Variables:
    """Airflow's variables, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        return json.loads(self.path.read_text()).get(key) if self.path.exists() else None

    def set(self, key: str, value: Any, *_: Any, **__: Any) -> None:
        self.path.write_text(json.dumps({key: value}))


def operator(number: int) -> Any:
    if number % 2:
        return FlowLivingPublishCampaignOperator(
            task_id="launch",
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
            wait_for_completion=False,
        )
    return FlowSocialSchedulePostOperator(
        task_id="launch",
        channel_id="channel_1",
        content=f"Open house {number}",
        scheduled_for=datetime(2089, 6, 1, tzinfo=timezone.utc) + timedelta(minutes=number),
        wait_for_completion=False,
    )


def outcome(task: Task, number: int) -> str:
    """Launch as Airflow does: with two retries, and again at the moment for which a task has put itself off."""
    context, told = task.context, ""
    while task.try_number <= 3:
        try:
            operator(number).execute(context)
        except AirflowRescheduleException as error:
            task.first_reschedule = task.first_reschedule or datetime.now(timezone.utc)
            time.sleep(max(0.0, (error.reschedule_date - datetime.now(timezone.utc)).total_seconds()))
        except LaunchRefusedError:
            return "kept back"
        except (ApiError, StoppedError) as error:
            told = type(error).__name__
            context = task.retry()
        else:
            return "accepted"
    return told


def unlimited(hook: MarketingHook, account: Any) -> dict[str, Limit]:
    return {name: Limit(1_000_000, 0.001) for name in hook.vendor_limits(account)}


def work(environment: dict[str, str], variables: Path, folder: Path, numbers: list[int]) -> None:
    os.environ.update(environment)
    from airflow.sdk import Variable

    Variable.get = Variables(variables).get  # type: ignore[method-assign, assignment]
    MarketingHook.limits = unlimited  # type: ignore[method-assign]
    for number in numbers:
        task = Task(run_id=f"run_{number}", task_id="launch")
        told = outcome(task, number)
        whole = folder / f"{number}.part"
        whole.write_text(task.store.values["mkt.submission.0"])
        whole.rename(folder / f"{number}.record")
        (folder / f"{number}.outcome").write_text(told)


class Records(AirflowDatabase):
    """Airflow's database, as far as it has the records of tasks that have ended."""

    folder: Path

    def task_state(self, _: Instance) -> str:
        return "success"

    def state(self, instance: Instance) -> dict[str, Any]:
        path = self.folder / f"{instance.run_id.removeprefix('run_')}.record"
        return {"mkt.submission.0": json.loads(path.read_text())} if path.exists() else {}

    def submissions(self, *_: Any) -> Iterator[tuple[Instance, str, Any]]:
        for path in self.folder.glob("*.record"):
            yield Instance("launch", f"run_{path.stem}", "launch", -1), "0", json.loads(path.read_text())


def start(numbers: range, *given: Any) -> list[Any]:
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    made = [context.Process(target=work, args=(*given, list(numbers[each::WORKERS]))) for each in range(WORKERS)]
    for each in made:
        each.start()
    return made


def begun(vendors: Sandbox) -> int:
    return sum(len(vendors.ledger(vendor, effect)) for vendor, effect in BEGINS.items())


@contextmanager
def trouble(vendors: Sandbox, database: Path) -> Iterator[None]:
    """Have the store away and the vendors refuse and fail, each for its time."""
    for route, status in ROUTES.items():
        vendors.fault(route, "status", status=status, count=None)
    holder = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    timers = [threading.Timer(AWAY, holder.rollback), threading.Timer(TROUBLED, vendors.clear_faults)]
    for each in timers:
        each.start()
    try:
        yield
    finally:
        for each in timers:
            each.join()
        holder.close()


def known() -> bool:
    try:
        return bool(Stops().in_force())
    except StoreError:
        return False


def when_in_force(vendors: Sandbox, found: list[int]) -> None:
    """Note how many had begun when the stop holds everywhere."""
    while not known():
        time.sleep(0.1)
    held = time.monotonic() + IN_FORCE
    while time.monotonic() < held:
        time.sleep(0.1)
    found.append(begun(vendors))


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    with Sandbox(speed=1) as sandbox:
        sandbox.limits({"*": None})
        yield sandbox


def test_all_are_accounted_for(
    vendors: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database, variables = tmp_path / "shared.db", tmp_path / "variables.json"
    environment = {"AIRFLOW__MKT__STATE_URL": f"sqlite:///{database}"}
    for conn_id, connection in vendors.connections.items():
        environment[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(shared, "_stores", {})
    monkeypatch.setattr(stopping, "Variable", Variables(variables))
    monkeypatch.setattr(MarketingHook, "limits", unlimited)
    monkeypatch.setattr(Records, "folder", tmp_path, raising=False)
    for module in (records, catching_up):
        monkeypatch.setattr(module, "AirflowDatabase", Records)
    given = environment, variables, tmp_path

    for each in start(range(LAUNCHES), *given):
        each.join()
    assert begun(vendors) == LAUNCHES
    vendors.advance(700)

    vendors.fault("POST *", "delay", seconds=0.5, when="before", count=None)
    flying = start(range(LAUNCHES, 2 * LAUNCHES), *given)
    while begun(vendors) < LAUNCHES * 1.1:
        time.sleep(0.1)
    held: list[int] = []
    witness = threading.Thread(target=when_in_force, args=(vendors, held))
    witness.start()
    words = Namespace(
        all=True, vendor=None, connection=None, dag=None, run=None, reason="wrong price", output="json",
        patience=PATIENCE, keep_running=False,
    )  # fmt: skip
    stop: Any = stop_command.stop
    with trouble(vendors, database):
        left = stopped(stop, words)
    for each in [witness, *flying]:
        each.join()
    capsys.readouterr()
    # What was in flight at that moment has its answer by now.
    left = stopped(stop, words)
    rows = json.loads(capsys.readouterr().out or "[]")

    told = [(tmp_path / f"{each}.outcome").read_text() for each in range(2 * LAUNCHES)]
    outcomes = Counter(told)
    states = Counter(each.state for each in Register().find(limit=4 * LAUNCHES))
    log.info("%s", f"began {begun(vendors)}, when in force {held}; {dict(outcomes)}; register {dict(states)}; {left}")
    assert held == [begun(vendors)]
    assert outcomes["kept back"] > 0
    assert sum(outcomes.values()) == 2 * LAUNCHES
    # What began is ended at its vendor, or is named as unknown.
    assert begun(vendors) <= states[STOPPED] + states[UNKNOWN]
    assert states[STOPPED] <= begun(vendors)
    ended = {each.run_id for each in Register().find(states=[STOPPED], limit=4 * LAUNCHES)}
    assert {f"run_{each}" for each in range(2 * LAUNCHES) if told[each] == "accepted"} <= ended
    assert sum(row["result"] == "not confirmed" for row in rows) == states[UNKNOWN]
    assert set(states) <= {STOPPED, UNKNOWN, "not sent", "refused"}


def stopped(stop: Any, words: Namespace) -> str:
    try:
        stop.__wrapped__(words)
    except SystemExit as end:
        return str(end.code)
    return ""
