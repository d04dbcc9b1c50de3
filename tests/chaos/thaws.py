# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tries that are frozen and thawed: each a process that is stopped at a step, and goes on when it is told to.

This process plays Airflow and its users: it gives tries up, which takes their id away as Airflow's API server does,
starts others beside them, clears, and settles what only a person can.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_mkt.submission.record import PREFIX, Record
from tests.chaos import clock, freezes, tries
from tests.chaos.freezes import Course, Freeze, Thaw, Where
from tests.chaos.subjects import SUBJECTS, connection

GIVEN_UP = 300.0
"""Seconds after which Airflow gives a try without a heartbeat up; they pass at once."""
PERSON = 400.0
"""Seconds after which a person looks."""
MAX_TRIES = 2 * (tries.RETRIES + 1)
"""Tries that a launch may take once nothing is frozen any more: a person settles it in between at most once."""

if TYPE_CHECKING:
    from airflow_provider_mkt.sandbox.server import Sandbox

_spawning = tries.spawning


@dataclass
class Instance:
    """What Airflow's server knows of the task instance: a file that its tries are held against.

    :param folder: where the file is
    """

    folder: Path

    def read(self) -> dict[str, Any]:
        """Return its id, its state, its try number and how often it was cleared."""
        found: dict[str, Any] = json.loads((self.folder / "instance.json").read_text(encoding="utf-8"))
        return found

    def change(self, **values: Any) -> None:
        """Change it while no try reads or writes."""
        with self.locked():
            new = json.dumps({**self.read(), **values} if (self.folder / "instance.json").exists() else values)
            (self.folder / "instance.json").write_text(new, encoding="utf-8")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be alone with the files until the block ends."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass
class RevocableStore:
    """The task state store as one try reaches it: under the id that the task instance had when the try began."""

    instance: Instance
    ti_id: int

    def __post_init__(self) -> None:
        self._file = tries.FileStore(self.instance.folder / "store.json")

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``; nothing to a try that was given up."""
        with self.instance.locked():
            return self._file.get(key, default) if self._mine() else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``; refused to a try that was given up."""
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        with self.instance.locked():
            if self._mine():
                self._file.set(key, value, retention=retention)
                return
        detail = {"status_code": 404, "message": "Task Instance not found"}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))

    def _mine(self) -> bool:
        return bool(self.instance.read()["ti_id"] == self.ti_id)


@dataclass(frozen=True)
class Try:
    """What one process is to do.

    :param number: which try it is
    :param cleared: how often the task was cleared before
    :param where: where it stands still, if it does
    :param passed: seconds by which its clock is ahead
    """

    subject: str
    folder: Path
    connections: Mapping[str, Any]
    ti_id: int
    number: int
    cleared: int
    where: Where | None
    passed: float


def play(this: Try, report: Connection, thaw: Connection) -> None:
    """Do one try in this process, and report when it stands still and how it ends."""
    os.environ.update({f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in this.connections.items()})
    os.environ["AIRFLOW__MKT__STATE_URL"] = f"sqlite:///{this.folder / 'state.db'}"
    tries.hurry(this.passed)
    instance = Instance(this.folder)
    store = RevocableStore(instance, this.ti_id)

    def stand_still() -> None:
        report.send({"end": "frozen"})
        os.kill(os.getpid(), signal.SIGSTOP)
        clock.ahead = thaw.recv()

    if this.where:
        freezes.arm(this.where, stand_still, store)
    operator = SUBJECTS[this.subject].build(this.folder, task_id="launch", retries=tries.RETRIES, **_not_waiting(this))
    try:
        result = operator.execute(_context(this, instance, store))
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its end
        trace = "".join(traceback.format_exception(error))
        report.send({"end": "error", **tries.verdict(operator, error), "trace": trace})
    else:
        report.send({"end": "success", "result": json.loads(json.dumps(result, default=str))})
    report.close()


def _not_waiting(this: Try) -> dict[str, Any]:
    return {"wait_for_completion": False, "deferrable": False} if SUBJECTS[this.subject].waits else {}


def _context(this: Try, instance: Instance, store: RevocableStore) -> Any:
    from tests.unit.context import Task

    task = Task(task_id="launch", dag_id="launch", retries=tries.RETRIES)
    task.try_number, task.max_tries = this.number, tries.RETRIES + this.cleared
    context = task.context
    context["ti"].get_task_states = lambda *_, **__: {task.run_id: {"launch": instance.read()["state"]}}
    return {**context, "task_state_store": store}


class Process:
    """One try in a process of its own.

    :param this: what it does
    """

    def __init__(self, this: Try) -> None:
        self._reports, theirs = _spawning.Pipe(duplex=False)
        gate, self._gate = _spawning.Pipe(duplex=False)
        self._process = _spawning.Process(target=play, args=(this, theirs, gate), daemon=True)
        self._process.start()
        theirs.close()
        gate.close()

    def report(self) -> dict[str, Any]:
        """Wait until it stands still or ends."""
        assert self._reports.poll(tries.DEADLINE), "a try does not end"
        try:
            answer: dict[str, Any] = self._reports.recv()
        except EOFError:
            self._process.join(tries.DEADLINE)
            raise AssertionError(f"a try ended with {self._process.exitcode}") from None
        if answer["end"] == "frozen":
            process, end = psutil.Process(self._process.pid), time.monotonic() + tries.DEADLINE
            while process.status() != psutil.STATUS_STOPPED:
                assert time.monotonic() < end, "a try does not stand still"
                time.sleep(0.001)
        return answer

    def thaw(self, passed: float) -> None:
        """Let it go on, at another time."""
        self._gate.send(passed)
        if self._process.pid:
            os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """End it, however it stands."""
        with suppress(ValueError):
            self._process.kill()
            self._process.join(tries.DEADLINE)
        self._reports.close()
        self._gate.close()


@dataclass
class Launch:
    """One launch whose first try is frozen, from then on to its end.

    :param subject: name of what is launched
    :param folder: for its files
    :param freeze: where it is frozen, how it is given up, when it thaws
    """

    subject: str
    folder: Path
    sandbox: Sandbox
    freeze: Freeze
    story: list[str] = field(default_factory=list)
    people: int = 0
    _passed: float = 0.0
    _number: int = 0
    _cleared: int = 0
    _processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        subject = SUBJECTS[self.subject]
        subject.before(self.sandbox)
        for file, content in subject.files.items():
            (self.folder / file).write_bytes(content)
        self._connections = {f"{subject.vendor}_default": connection(subject, self.sandbox)}
        self._instance = Instance(self.folder)
        self._instance.change(ti_id=0, state="running")

    def run(self) -> None:
        """Take it to its end."""
        try:
            self._run()
        finally:
            for each in self._processes:
                each.end()

    def _run(self) -> None:
        first = self._start(self.freeze.where)
        assert self._said("the first try", first)["end"] == "frozen", self.told
        frozen = [first]
        if self.freeze.course is Course.CLEAR_TWICE:
            self._give_up()
            if self.freeze.thaw is Thaw.BEFORE:
                self._thaw(frozen)
                frozen = []
            second = self._start(self.freeze.where)
            if self._said("the second try", second)["end"] == "frozen":
                frozen.append(second)
        if self.freeze.thaw is Thaw.BEFORE:
            self._give_up(clear=False)
            self._thaw(frozen)
            self._begin_again()
            self._go_on(self._start())
        elif self.freeze.thaw is Thaw.AT_ONCE:
            self._give_up()
            following = self._start()
            self._thaw(frozen)
            self._go_on(following)
        else:
            self._give_up()
            self._go_on(self._start())
            self._thaw(frozen)

    # What Airflow and its users do

    def _give_up(self, *, clear: bool = True) -> None:
        """Have the running try given up.

        :param clear: what was marked as failed is cleared as well; otherwise that comes later
        """
        self._pass(GIVEN_UP)
        if self.freeze.course is Course.MARKED:
            self._instance.change(state="failed")
            if not clear:
                return
        self._begin_again()

    def _begin_again(self) -> None:
        """Have the task instance take a new id, unless it just did: Airflow does so for a retry, a user by a clear."""
        if self._instance.read()["ti_id"] > self._number - 1:
            return
        self._cleared += self.freeze.course is not Course.RETRY
        self._instance.change(ti_id=self._number, state="up_for_retry")

    def _start(self, where: Where | None = None) -> Process:
        instance = self._instance.read()
        self._instance.change(state="running")
        self._number += 1
        this = Try(
            self.subject, self.folder, self._connections, instance["ti_id"], self._number, self._cleared, where,
            self._passed,
        )  # fmt: skip
        process = Process(this)
        self._processes.append(process)
        return process

    def _thaw(self, frozen: list[Process]) -> None:
        for each in frozen:
            each.thaw(self._passed)
        for each in frozen:
            self._said("a thawed try", each)

    def _go_on(self, process: Process) -> None:
        """Retry, and have a person settle what only a person can, until the task is green."""
        for used in range(MAX_TRIES):
            end = self._said(f"try {self._number}", process)
            if end["end"] == "success":
                self._instance.change(state="success")
                happened = SUBJECTS[self.subject].happened(self.sandbox)
                assert len(happened) == SUBJECTS[self.subject].parts, self.told
                return
            self._pass(tries.RETRY_DELAY)
            if end["final"] or used == tries.RETRIES:
                self._settle(end["message"])
            self._instance.change(ti_id=self._number, state="up_for_retry")
            process = self._start()
        raise AssertionError(f"it does not end\n{self.told}")

    def _settle(self, message: str) -> None:
        """Do as the message says: look at the vendor, then adopt or forget."""
        assert "Look at " in message, self.told
        self.people += 1
        self._pass(PERSON)
        store = tries.FileStore(self.folder / "store.json")
        record = Record.of(store.get(f"{PREFIX}0"))
        happened = SUBJECTS[self.subject].happened(self.sandbox)
        settled = record.adopt(self._ids(record, happened)) if happened else record.forget()
        store.set(f"{PREFIX}0", asdict(replace(settled, writer="a person")))
        self._cleared += 1

    def _ids(self, record: Record, happened: list[dict[str, Any]]) -> list[str]:
        ids = [each for entry in happened for each in entry["ids"]]
        return ids if record.id_field.endswith("s") or record.parts else ids[-1:]

    def _pass(self, seconds: float) -> None:
        self._passed += seconds
        self.sandbox.advance(seconds)
        tries.age(self.folder, seconds)

    # What came of it

    def _said(self, who: str, process: Process) -> dict[str, Any]:
        answer = process.report()
        self.story.append(f"{who}: {answer['end']} {answer.get('trace', answer.get('result', ''))}")
        return answer

    @property
    def told(self) -> str:
        """What happened, for a failure's message."""
        return "\n".join([f"{self.subject} {self.freeze}", *self.story])

    def records(self) -> list[Record]:
        """Return what is recorded in the end."""
        path = self.folder / "store.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return [Record.of(value) for key, value in found.items() if key.startswith(PREFIX)]
