# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The commands behind ``make demo``, ``make up``, ``make down`` and ``make status``."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from scripts.demo import failure, processes, readback, taskview, webhooks
from scripts.demo.console import Screen
from scripts.demo.desk import ABOVE, Desk
from scripts.demo.http import HttpStatusError, UnreachableError
from scripts.demo.interrupts import Interrupts
from scripts.demo.layout import Layout
from scripts.demo.problems import DemoError, Interrupted
from scripts.demo.record import Instance, sole_runner
from scripts.demo.session import Session

RUNNER_TIMEOUT = 40.0
INTERRUPTED = 128


@dataclass(frozen=True)
class Launch:
    """What to run.

    :param dag_id: the DAG
    :param conf: the run's conf
    :param speed: how many seconds pass at the simulated vendors in one second
    :param deferrable: wait in the triggerer instead of on workers
    :param timeout: seconds that the run may take
    :param vendors: where something must have happened afterwards
    :param whole: show the launch desk as well, and have the vendors call and start a run
    """

    dag_id: str
    conf: Mapping[str, Any]
    speed: float
    deferrable: bool
    timeout: float
    vendors: tuple[str, ...]
    whole: bool = False


def begin(layout: Layout, mode: str, launch: Launch) -> int:
    """Start everything, run the launch and show what happened; ``up`` then stays, ``demo`` cleans up.

    :return: 0 when the run succeeded and everything happened exactly once, 1 when not, 128 + signal when interrupted
    """
    screen = Screen()
    with sole_runner(layout) as alone:
        if not alone:
            screen.say("another demo is being run in this folder; wait for it, or end it with: make down", "red")
            return 1
        earlier = Instance.load(layout.record)
        if earlier and earlier.is_up():
            screen.say("already up" if mode == "up" else "an Airflow is up here; end it first with: make down")
            _say_addresses(screen, earlier)
            return 0 if mode == "up" else 1
        if left := processes.stop_all(layout, earlier):
            screen.say(f"ended {left} processes that an earlier demo had left behind")
        return _run(layout, mode, launch, screen)


def down(layout: Layout) -> int:
    """End whatever of the demo runs in this folder, a runner in another terminal included."""
    screen = Screen()
    with sole_runner(layout) as alone:
        if alone:
            return _stop_and_say(layout, screen)
    instance = Instance.load(layout.record)
    runner = instance.runner.alive() if instance else None
    if runner:
        runner.send_signal(signal.SIGTERM)
        screen.say(f"asked the demo in process {runner.pid} to end")
        with suppress(psutil.TimeoutExpired):
            runner.wait(RUNNER_TIMEOUT)
    with sole_runner(layout) as alone:
        if not alone:
            screen.say("the demo in this folder does not end; it is starting or stopping, try again", "red")
            return 1
        return _stop_and_say(layout, screen)


def status(layout: Layout) -> int:
    """Tell what runs: addresses and processes."""
    screen = Screen()
    instance = Instance.load(layout.record)
    running = processes.belonging(layout, instance)
    if not running or instance is None:
        screen.say(f"nothing is running ({len(running)} processes)" if running else "nothing is running")
        return 0
    _say_addresses(screen, instance)
    screen.remark([f"{one.name}: process {one.pid}" for one in instance.services if one.alive()])
    return 0


def _run(layout: Layout, mode: str, launch: Launch, screen: Screen) -> int:
    interrupts = Interrupts()
    interrupts.install()
    session = Session(layout, screen, interrupts, mode)
    started = False
    code = 1
    try:
        try:
            above = f"{ABOVE} GBP" if launch.whole else ""
            session.start(launch.speed, deferrable=launch.deferrable, approval_above=above)
            started = True
            code = _launch(layout, launch, screen, session)
        except DemoError as error:
            _report(screen, error)
        except (HttpStatusError, UnreachableError) as error:
            _report(screen, DemoError(f"unexpected answer: {error}", [f"logs: {layout.logs}"]))
        except Interrupted as interrupted:
            code = INTERRUPTED + interrupted.signum
            screen.say(f"interrupted ({signal.Signals(interrupted.signum).name})", "bold red")
        finally:
            interrupts.close()
    finally:
        stay = mode == "up" and started and code < INTERRUPTED
        if not stay:
            _clean_up(layout, session, screen)
    if stay:
        _say_addresses(screen, session.instance)
    _say_timings(screen)
    return code


def _launch(layout: Layout, launch: Launch, screen: Screen, session: Session) -> int:
    session.wait_for_dag(launch.dag_id, "parsing")
    desk = Desk(layout, screen, session.api, launch.dag_id) if launch.whole else None
    if desk:
        desk.plan()
        webhooks.subscribe(session)
    began = screen.elapsed()
    run_id = session.api.trigger(launch.dag_id, launch.conf)
    screen.say(f"{launch.dag_id} started: {session.addresses.airflow}/dags/{launch.dag_id}/runs/{run_id}")

    def check() -> None:
        session.check()
        if desk:
            desk.answer(run_id)

    state = taskview.watch(session.api, launch.dag_id, run_id, screen, timeout=launch.timeout, check=check)
    screen.timings.append(("run", screen.elapsed() - began))
    if state != "success":
        raise failure.explain(layout, launch.dag_id, run_id, session.api.task_states(launch.dag_id, run_id))
    if desk:
        webhooks.show(session, screen)
        desk.register()
    reader = readback.Reader(session.addresses.sandbox, session.connections)
    rows = reader.rows()
    screen.console.print(readback.table(rows))
    for line in reader.audiences(rows):
        screen.console.print(line)
    wrong = readback.faults(rows, launch.vendors)
    if wrong:
        raise DemoError("the run succeeded, but not everything happened exactly once and ended well", wrong)
    screen.say("everything happened exactly once", "bold green")
    return 0


def _clean_up(layout: Layout, session: Session, screen: Screen) -> None:
    try:
        screen.say("stopping everything")
    finally:  # also when nobody reads the output any more
        count = session.stop()
        layout.record.unlink(missing_ok=True)
    screen.say(f"stopped {count} processes; logs: {layout.logs}")


def _stop_and_say(layout: Layout, screen: Screen) -> int:
    interrupts = Interrupts()
    interrupts.install()
    interrupts.close()  # stopping takes seconds, and half of it would help nobody
    count = processes.stop_all(layout, Instance.load(layout.record))
    layout.record.unlink(missing_ok=True)
    screen.say(f"stopped {count} processes" if count else "nothing was running")
    return 0


def _report(screen: Screen, error: DemoError) -> None:
    screen.say(error.message, "bold red")
    screen.remark(error.details)


def _say_addresses(screen: Screen, instance: Instance) -> None:
    screen.say(f"Airflow:  {instance.airflow_url}  (no login; this machine only)", "bold")
    screen.say(f"vendors:  {instance.sandbox_url}  (simulated)", "bold")
    screen.say("stop it with: make down")


def _say_timings(screen: Screen) -> None:
    parts = [f"{name} {seconds:.0f} s" for name, seconds in screen.timings]
    screen.say(" · ".join([*parts, f"in total {screen.elapsed():.0f} s"]))
