# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One task, try by try: each in a process of its own, over a task state store in a file.

This process plays the scheduler: it starts tries, lets triggers fire, resumes, and retries as the operator's retry
policy says. A process that is killed is really killed.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.chaos import clock, steps
from tests.chaos.steps import Step
from tests.chaos.subjects import SUBJECTS
from tests.unit.context import Task

RETRIES = 3
RETRY_DELAY = 300.0
"""Seconds between tries. They pass at once: the clocks of vendors and workers are moved."""
WORK = 900.0
"""Seconds after which the vendors are done with what was submitted."""
AGING = {"mkt_token": ("lease_until",), "mkt_webhook": ("kept_at", "retired_at")}
"""What has to age in the shared store between two tries."""
LOOK_EVERY = 0.02
DEADLINE = 120.0
"""Seconds after which a process is taken for stuck."""

spawning = multiprocessing.get_context("forkserver")
"""Starts processes that have imported everything already."""
spawning.set_forkserver_preload(["tests.chaos.preload"])


@dataclass(frozen=True)
class Interruption:
    """What happens to a try.

    :param step: where
    :param kill: the process is killed; otherwise something else fails
    """

    step: Step
    kill: bool


@dataclass(frozen=True)
class Part:
    """What one process does: ``execute`` a try, run its ``trigger``, or ``resume`` it.

    :param closed_port: where nobody listens
    :param passed: seconds by which its clock is ahead
    """

    what: str
    subject: str
    task: dict[str, Any]
    store: Path
    connections: Mapping[str, Any]
    closed_port: int
    passed: float = 0.0
    interruption: Interruption | None = None
    given: Any = None


@dataclass
class FileStore:
    """A task state store that outlives processes."""

    path: Path

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``."""
        return self._all().get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``, whole or not at all."""
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps({**self._all(), key: value}, allow_nan=False), encoding="utf-8")
        draft.replace(self.path)

    def _all(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        return found


@dataclass
class Course:
    """How it went: what each process reported, and the task's final state."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    state: str = "running"
    tries: int = 1

    @property
    def message(self) -> str:
        """What the last try said."""
        return str(self.reports[-1].get("message", ""))


def build(part: Part) -> Any:
    """Return the operator of a part's subject."""
    subject = SUBJECTS[part.subject]
    waiting = {"poll_interval": 0.05} if subject.waits else {}
    return subject.build(part.store.parent, task_id="launch", retries=RETRIES, **waiting)


def play(part: Part, report: Connection) -> None:
    """Do one part in this process and report how it ended; a killed process reports nothing."""
    os.environ.update({f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in part.connections.items()})
    # Budgets and tokens of its own: a token of an earlier cell would be refused, and take the blow.
    os.environ["AIRFLOW__MKT__STATE_URL"] = f"sqlite:///{part.store.with_name('state.db')}"
    hurry(part.passed)
    store = FileStore(part.store)
    if part.interruption:
        _prepare(part, store)
    try:
        answer = _do(part, store)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its end
        answer = {"end": "error", **verdict(build(part), error)}
    report.send({**answer, "struck": steps.struck})
    report.close()


def _do(part: Part, store: FileStore) -> dict[str, Any]:
    from airflow.sdk.exceptions import TaskDeferred

    context = Task(**part.task, store=store).context  # type: ignore[arg-type]
    operator = build(part)
    try:
        if part.what == "trigger":
            return {"end": "event", "given": [part.given[0], asyncio.run(_fired(part.given[1]))]}
        if part.what == "resume":
            method, event = part.given
            return {"end": "success", "result": operator.resume_execution(method, {"event": event}, context)}
        return {"end": "success", "result": operator.execute(context)}
    except TaskDeferred as deferred:
        return {"end": "deferred", "given": [deferred.method_name, deferred.trigger.serialize()[1]]}


async def _fired(arguments: Mapping[str, Any]) -> Any:
    from airflow_provider_mkt.triggers.watch import WatchTrigger

    async for event in WatchTrigger(**arguments).run():
        return json.loads(json.dumps(event.payload))
    raise AssertionError("the trigger ended without an event")


def verdict(operator: Any, error: Exception) -> dict[str, Any]:
    """Say what Airflow does after this error, by the retry policy that the operator has."""
    from airflow.sdk.definitions.retry_policy import RetryAction
    from airflow.sdk.exceptions import AirflowFailException

    decision = operator.retry_policy.evaluate(error, 1, RETRIES)
    final = isinstance(error, AirflowFailException) or decision.action is RetryAction.FAIL
    trace = "".join(traceback.format_exception(error))
    return {"message": str(error), "kind": type(error).__name__, "final": final, "trace": trace}


def hurry(passed: float) -> None:
    """Take the waiting out: backoff, the trigger's first look, rate budgets, the delay before a retry."""
    from airflow_provider_mkt.client import retry
    from airflow_provider_mkt.client.endpoint import Limit
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.triggers import watch

    retry.FIRST_WAIT = 0.001
    watch.FIRST_LOOK = 0.0
    MarketingHook.limits = lambda self, account: {  # type: ignore[method-assign]
        name: Limit(1_000_000, 0.001) for name in self.vendor_limits(account)
    }
    # Again: where other tests started the fork server, ours was not preloaded.
    clock.install()
    clock.ahead = passed


def age(folder: Path, seconds: float) -> None:
    """Let time pass in the shared store as well, whose clock cannot be moved: leases run out."""
    with closing(sqlite3.connect(folder / "state.db")) as state, state:
        there = {name for (name,) in state.execute("SELECT name FROM sqlite_master")}
        for table in there & AGING.keys():
            moved = ", ".join(f"{column} = {column} - {seconds}" for column in AGING[table])
            state.execute(f"UPDATE {table} SET {moved}")


def _prepare(part: Part, store: FileStore) -> None:
    """Have the interruption happen in this process, as far as it does not come from the vendor."""
    if part.interruption is None:
        return
    step, kill = part.interruption.step, part.interruption.kill
    if step is Step.TRIGGER:
        if kill:
            import requests

            steps.around(requests.Session, "send", after=lambda *_, **__: steps.die())
        return
    if kill:
        if step is not Step.PROCESSED:  # killed from outside
            steps.arm(step, steps.die, store)
        return
    network: dict[Step, Callable[[], None]] = {
        Step.BEFORE_INTENT: steps.lose_names,
        Step.AFTER_INTENT: lambda: steps.arm(step, lambda: steps.lead_astray(part.closed_port), store),
        Step.CONNECTED: steps.cut_after_connect,
        Step.LEAVING: lambda: steps.on_write(store, "leaving", steps.Once(_lose_airflow), early=True),
        Step.ANSWERED: lambda: steps.on_answer(steps.lose_network),
        Step.BEFORE_RECEIPT: lambda: steps.arm(step, _lose_airflow, store),
        Step.RESUMED: lambda: steps.arm(step, _lose_airflow, store),
    }
    network.get(step, lambda: None)()


def _lose_airflow() -> None:
    """Fail as the task state store does when the worker cannot reach Airflow."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"reason": "out of reach"}))


@dataclass
class Scheduler:
    """Takes one task from its first try to its end.

    :param subject: name of what is launched
    :param folder: for the task state store
    :param connections: Airflow connections by id
    :param hurt: the vendor's part in the interruption: called before the part of the launch that it concerns
    :param processed: whether the vendor has carried out the request, for a kill from outside
    :param pass_time: moves the vendors' clock
    :param work: what people do at the vendor while the task waits
    """

    subject: str
    folder: Path
    connections: Mapping[str, Any]
    interruption: Interruption | None
    hurt: Callable[[str], None]
    processed: Callable[[], bool]
    pass_time: Callable[[float], None]
    work: Callable[[], None]

    def run(self) -> Course:
        """Run the task to its end."""
        course = Course()
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self._port = closed.getsockname()[1]
            while True:
                end = self._try(course)
                if end["end"] == "success" or end.get("final") or course.tries > RETRIES:
                    course.state = "success" if end["end"] == "success" else "failed"
                    return course
                course.tries += 1
                self.pass_time(RETRY_DELAY)
                age(self.folder, RETRY_DELAY)

    def _try(self, course: Course) -> dict[str, Any]:
        end = self._part(course, "execute", None)
        while end["end"] == "deferred":
            given = end["given"]
            self.pass_time(WORK)
            self.work()
            event = self._part(course, "trigger", given)
            if event["end"] == "killed":  # another triggerer takes over
                event = self._part(course, "trigger", given)
            end = self._part(course, "resume", event["given"])
        return end

    def _part(self, course: Course, what: str, given: Any) -> dict[str, Any]:
        step = self.interruption.step if self.interruption else None
        where = {None: "", Step.TRIGGER: "trigger", Step.RESUMED: "resume"}.get(step, "execute")
        first = course.tries == 1 and not any(one["what"] == what for one in course.reports)
        hurting = first and what == where
        if hurting:
            self.hurt(what)
        task = {"task_id": "launch", "dag_id": "launch", "retries": RETRIES}
        part = Part(
            what=what,
            subject=self.subject,
            task=task,
            store=self.folder / "store.json",
            connections=self.connections,
            closed_port=self._port,
            passed=RETRY_DELAY * (course.tries - 1),
            interruption=self.interruption if hurting else None,
            given=given,
        )
        answer = {**self._run(part), "what": what}
        course.reports.append(answer)
        return answer

    def _run(self, part: Part) -> dict[str, Any]:
        ours, theirs = spawning.Pipe(duplex=False)
        process = spawning.Process(target=play, args=(part, theirs), daemon=True)
        process.start()
        theirs.close()
        outside = part.interruption == Interruption(Step.PROCESSED, kill=True)
        end = time.monotonic() + DEADLINE
        try:
            while not ours.poll(LOOK_EVERY):
                if outside and self.processed() and process.pid:
                    os.kill(process.pid, signal.SIGKILL)
                    outside = False
                if time.monotonic() > end:
                    raise AssertionError(f"{part.what} of {part.subject} does not end")
            with suppress(EOFError):
                answer: dict[str, Any] = ours.recv()
                return answer
            process.join(DEADLINE)
            assert process.exitcode == -signal.SIGKILL, f"{part.what} ended with {process.exitcode}"
            return {"end": "killed", "message": "the process was killed"}
        finally:
            process.kill()
            process.join(DEADLINE)
            ours.close()
