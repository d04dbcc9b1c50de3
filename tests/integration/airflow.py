# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A real Airflow for tests: api-server, scheduler, dag-processor and triggerer on free ports of this machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psutil

from airflow_provider_mkt.sandbox.server import Sandbox
from scripts.demo import processes, services
from scripts.demo.airflow_api import AirflowApi, TaskState
from scripts.demo.http import HttpStatusError, UnreachableError
from scripts.demo.layout import PROJECT, Layout
from scripts.demo.record import Instance, describe

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which a condition, or an answer, is given up. A busy machine takes its time; a test that passes never
waits for that long."""
READY_WITHIN = 240.0
LOOK_EVERY = 0.25
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
QUICK = {
    # Dead triggerers and stopped tasks are noticed within seconds instead of half a minute.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # Airflow finds DAGs of this project that import its tests.
    "PYTHONPATH": str(PROJECT),
}
TASK_TITLE = re.compile(r"airflow worker -- ([0-9a-f-]{36})")


def until(what: str, answer: Callable[[], T | None], timeout: float = PATIENCE) -> T:
    """Ask again and again until there is an answer, and return it.

    :param what: what is waited for, for the error
    :param answer: None and what is empty means "not yet"
    :param timeout: seconds
    """
    end = time.monotonic() + timeout
    while True:
        found = answer()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting for {what} after {timeout:.0f} s")
        time.sleep(LOOK_EVERY)


class Api(AirflowApi):
    """What the tests ask of Airflow's REST API beyond the demo."""

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Unpause the DAG and start a run."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", body={"is_paused": False})
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        self._call("POST", f"/dags/{quote(dag_id)}/dagRuns", body=body)

    def _call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """Call the API. Airflow's SQLite may be locked for a moment by its own scheduler: such a call had no effect.

        A read that nobody answered is repeated; what has an effect is given more time instead.
        """

        def answer() -> list[Any] | None:
            try:
                return [super(Api, self)._call(method, path, query=query, body=body)]
            except UnreachableError:
                if method == "GET":
                    return None
                raise
            except HttpStatusError as error:
                if error.status == HTTPStatus.INTERNAL_SERVER_ERROR and "Database error" in str(error):
                    return None
                raise

        return until(f"{method} {path}", answer)[0]

    def unpause(self, dag_id: str) -> str | None:
        """Let the scheduler run the DAG and return the id of its latest run, None while there is none."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", body={"is_paused": False})
        runs = self._call("GET", f"/dags/{quote(dag_id)}/dagRuns")["dag_runs"]
        return str(runs[-1]["dag_run_id"]) if runs else None

    def task(self, run: Run, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return everything that Airflow tells about a task instance."""
        found: dict[str, Any] = self._call("GET", self._instance(run, task_id, map_index))
        return found

    def fail(self, run: Run, task_id: str, map_index: int = -1) -> None:
        """Mark a task as failed, as the button in the UI does."""
        self._call("PATCH", self._instance(run, task_id, map_index), body={"new_state": "failed"})

    def clear(self, run: Run, *task_ids: str) -> None:
        """Clear tasks, whatever their state."""
        body = {
            "dry_run": False,
            "dag_run_id": run.run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._call("POST", f"/dags/{quote(run.dag_id)}/clearTaskInstances", body=body)

    def xcom(self, run: Run, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value of an XCom."""
        path = f"{self._task(run, task_id)}/xcomEntries/{quote(key)}"
        value = self._call("GET", path, query={"map_index": str(map_index), "deserialize": "true"})["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value

    def stored(self, run: Run, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return what the task state store holds for a task, by key."""
        path = f"{self._task(run, task_id)}/state-store"
        rows = self._call("GET", path, query={"map_index": str(map_index)})["task_state_store"]
        return {row["key"]: row["value"] for row in rows}

    def _task(self, run: Run, task_id: str) -> str:
        return f"/dags/{quote(run.dag_id)}/dagRuns/{quote(run.run_id)}/taskInstances/{quote(task_id)}"

    def _instance(self, run: Run, task_id: str, map_index: int) -> str:
        return self._task(run, task_id) + (f"/{map_index}" if map_index >= 0 else "")


@dataclass(frozen=True)
class Run:
    """A DAG run and what can be asked of it."""

    airflow: Airflow
    dag_id: str
    run_id: str

    @property
    def state(self) -> str:
        """The run's state."""
        return self.airflow.api.run_state(self.dag_id, self.run_id)

    def finished(self, timeout: float) -> str:
        """Wait for the end of the run and return its state."""
        what = f"the end of {self.dag_id}/{self.run_id}"

        def end() -> str | None:
            state = self._checked(self.state)
            return state if state in FINISHED else None

        return until(what, end, timeout)

    def tasks(self) -> dict[str, TaskState]:
        """Return the instances of tasks that are not mapped, by task."""
        return {one.task_id: one for one in self.airflow.api.task_states(self.dag_id, self.run_id)}

    def wait_for(
        self, task_id: str, states: Collection[str], timeout: float = PATIENCE, more_than: int = 0
    ) -> TaskState:
        """Wait until a task is in one of the states.

        :param more_than: and in a later try than this
        """

        def there() -> TaskState | None:
            tasks = self.tasks()
            one = tasks.get(task_id)
            if one and one.state in states and one.tries > more_than:
                return one
            if self.state in FINISHED:
                raise AssertionError(f"the run has ended: {tasks}\n{self.log(task_id)}")
            return None

        return until(f"{task_id} to be {' or '.join(states)}", lambda: self._checked(there()), timeout)

    def record(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return the record of a task's submission."""
        found: dict[str, Any] = self.airflow.api.stored(self, task_id, map_index)["mkt.submission.0"]
        return found

    def log(self, task_id: str, map_index: int = -1) -> str:
        """Return the logs of all tries, and of their triggers, as the files hold them."""
        folder = self.airflow.layout.task_logs / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        folder /= f"task_id={task_id}"
        if map_index >= 0:
            folder /= f"map_index={map_index}"
        paths = sorted(path for path in folder.glob("attempt=*") if path.is_file())
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)

    def process(self, task_id: str, timeout: float = PATIENCE) -> psutil.Process:
        """Wait for the process in which a task runs its code, below its supervisor."""
        wanted = self.airflow.api.task(self, task_id)["id"]
        return until(f"the process of {task_id}", lambda: self.airflow.task_processes().get(wanted), timeout)

    def _checked(self, answer: T) -> T:
        self.airflow.check()
        return answer


@dataclass
class Airflow:
    """One running Airflow and the vendors that its connections lead to."""

    layout: Layout
    sandbox: Sandbox
    addresses: services.Addresses
    extra: Mapping[str, str]
    sign_in: Mapping[str, str] | None = None
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = Api(self.addresses.airflow, PATIENCE, self.sign_in)
        self.instance = Instance("test", describe("tests"), self.addresses.airflow, self.sandbox.url)

    def start(self, connections: Mapping[str, Mapping[str, Any]], *, deferrable: bool) -> None:
        """Bring everything up, ready to run DAGs."""
        self.layout.start_clean()
        services.write_settings(self.layout, self.addresses, deferrable=deferrable)
        self.spawn("db-migrate", services.MIGRATE)
        until("Airflow's database", self._migrated, READY_WITHIN)
        for name, command in services.COMPONENTS.items():
            self.spawn(name, command)
        until("Airflow", self._healthy, READY_WITHIN)
        self.api.add_connections(connections)

    def spawn(self, name: str, command: tuple[str, ...]) -> None:
        """Start a process that :meth:`stop` ends."""
        child = processes.start(name, command, self.layout, services.environment(self.layout, self.extra))
        self.children[name] = child
        self.instance.services.append(describe(name, child.pid))

    def stop(self) -> None:
        """End every process, whoever started it."""
        processes.stop_all(self.layout, self.instance)
        for child in self.children.values():
            child.wait(PATIENCE)

    def check(self) -> None:
        """Fail when a component has died."""
        for name, child in self.children.items():
            if name != "db-migrate" and child.poll() is not None:
                lines = processes.tail(processes.log_path(self.layout, name), 30)
                raise AssertionError("\n".join([f"{name} ended with {child.returncode}", *lines]))

    def run(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> Run:
        """Start a run as soon as the DAG is known."""

        def parsed() -> bool:
            self.check()
            if self.api.has_dag(dag_id):
                return True
            if problem := self.api.import_error(""):
                raise AssertionError(problem)
            return False

        until(f"the DAG {dag_id}", parsed)
        self.api.start(dag_id, run_id, conf or {})
        return Run(self, dag_id, run_id)

    def kill_triggerer(self) -> None:
        """End the triggerer as a crash of its machine does: SIGKILL for it and its children."""
        child = self.children["triggerer"]
        family = psutil.Process(child.pid)
        family.suspend()
        for process in [*family.children(recursive=True), family]:
            process.kill()
        child.wait(PATIENCE)

    def start_triggerer(self) -> None:
        """Start a triggerer in the place of a dead one."""
        self.spawn("triggerer", services.COMPONENTS["triggerer"])

    def task_processes(self) -> dict[str, psutil.Process]:
        """Return the processes in which tasks run now, by the task instance's id."""
        found: dict[str, psutil.Process] = {}
        for process in psutil.Process(self.children["scheduler"].pid).children(recursive=True):
            try:
                title = TASK_TITLE.match(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            if title:
                found[title.group(1)] = process
        return found

    def _migrated(self) -> bool:
        code = self.children["db-migrate"].poll()
        if code:
            raise AssertionError("\n".join(processes.tail(processes.log_path(self.layout, "db-migrate"), 30)))
        return code == 0

    def _healthy(self) -> bool:
        self.check()
        return not self.api.unhealthy()


def changed(connection: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    """Return a connection with more extras."""
    return {**connection, "extra": {**(connection.get("extra") or {}), **extra}}


def without(connection: Mapping[str, Any], extras: Collection[str]) -> dict[str, Any]:
    """Return a connection without some of its extras."""
    kept = {name: value for name, value in (connection.get("extra") or {}).items() if name not in extras}
    return {**connection, "extra": kept}


@contextmanager
def running_airflow(
    dags: Path,
    *,
    speed: float,
    deferrable: bool = True,
    lacking: Collection[str] = (),
    knowing: Mapping[str, Mapping[str, Any]] | None = None,
    extra: Mapping[str, str] | None = None,
    sign_in: Mapping[str, str] | None = None,
) -> Iterator[Airflow]:
    """Run an Airflow and the simulated vendors, without rate limits there, until the block ends.

    :param dags: the folder that Airflow parses
    :param speed: how many seconds pass at the vendors in one second
    :param deferrable: ``[operators] default_deferrable``
    :param lacking: extras that the connections do not have
    :param knowing: further extras by connection
    :param extra: more environment variables for Airflow
    :param sign_in: ``username`` and ``password`` of an administrator, where ``extra`` has people sign in
    """
    home = Path(tempfile.mkdtemp(prefix="mkt-airflow-"))
    with Sandbox(speed=speed, switches={"flow_social.early_posts": True}) as sandbox:
        sandbox.limits({"*": None})
        port = processes.free_ports(1)[0]
        layout = Layout(PROJECT, home, dags)
        addresses = services.Addresses(port, int(sandbox.url.rpartition(":")[2]))
        airflow = Airflow(layout, sandbox, addresses, {**QUICK, **(extra or {})}, sign_in)
        try:
            connections = {
                name: without(changed(one, requests_per_minute=100_000, **(knowing or {}).get(name, {})), lacking)
                for name, one in sandbox.connections.items()
            }
            airflow.start(connections, deferrable=deferrable)
            yield airflow
        finally:
            airflow.stop()
            shutil.rmtree(home, ignore_errors=True)
