# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Deferred tasks on several triggerers of a real Airflow: what they ask the vendor together, and what a death costs.

    python -m benchmarks.triggerers [--triggerers 1 2] [--tasks 1000] [--kill] [--seconds 60] [--interval 15]
        [--postgres URL]

``airflow triggerer`` runs as it is, on Airflow's own database: SQLite, or a database of its own on a PostgreSQL server,
which is dropped in the end and also holds what the triggerers share. Each task is a deferred
``FlowSocialPostStatusSensor``; half of the posts go out while it is measured. With ``--kill`` the first triggerer, with
all its processes, ends by SIGKILL after a third of that time. The simulated vendor permits 100 requests a minute.

"late" is the time from the vendor's change to the moment at which Airflow puts the task back into its queue. "lost" are
tasks whose post went out and that were not put back, "twice" those that were put back more than once. "CPU" and "RSS"
are those of all the triggerers' processes together; "load" is the machine's, with what others do on it.
"""

from __future__ import annotations

import argparse
import base64
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil

HEAD = ("triggerers", "tasks", "calls a minute", "refused", "late p50", "p95", "p99", "of", "lost", "twice")
HEAD = (*HEAD, "CPU", "RSS", "load")
READY_WITHIN = 300.0
HEALTH = 20
"""Seconds without a sign of life after which the others take a triggerer's tasks. Airflow's default is 30."""
IN_A_RUN = 10
"""Tasks of a run. A triggerer reads the whole DAG again for each task, so large DAGs would be measured instead."""
PUT_BACK = "CREATE TRIGGER put_back AFTER UPDATE OF scheduled_dttm ON task_instance"
NOTE = "BEGIN INSERT INTO told VALUES (CAST(NEW.id AS text)); RETURN NEW; END"
NOTED = {
    "sqlite": ("CREATE TABLE told (id TEXT)", f"{PUT_BACK} BEGIN INSERT INTO told VALUES (NEW.id); END"),
    "postgresql": (
        "CREATE TABLE told (id TEXT)",
        f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS '{NOTE}'",
        f"{PUT_BACK} FOR EACH ROW EXECUTE FUNCTION note()",
    ),
}
"""Has the database note each time that a task is put back into the queue."""
SHARED = "MKT_SHARED_BY_TRIGGERERS"
"""Where the address of their store is kept: what is prepared has another one."""


def settings(home: Path, database: str) -> dict[str, str]:
    """Return the environment of an Airflow in ``home``.

    :param database: its URL; "" is one in ``home``
    """
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{home / 'airflow.db'}",
        # An asynchronous driver is not among the requirements; none of what runs here needs it.
        **({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": ""} if database else {}),
        SHARED: database or f"sqlite:///{home / 'state.db'}",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(HEALTH),
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__MKT__STATE_URL": f"sqlite:///{home / 'of-the-preparation.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def declared(number: int) -> list[Any]:
    """Make a DAG with waiting tasks and runs of it; return the ids of so many task instances."""
    from airflow import settings as orm
    from airflow.sdk import DAG
    from airflow.utils.db import initdb
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
    from airflow_provider_mkt.testing.parsed import register

    initdb()
    with DAG("waiting", schedule=None) as dag:
        for each in range(IN_A_RUN):
            FlowSocialPostStatusSensor(task_id=f"wait_{each}", post_id="a", deferrable=True)
    found: list[str] = []
    with orm.Session() as session:  # type: ignore[misc]
        known = register(dag, session)
        for each in range(-(-number // IN_A_RUN)):
            at = datetime.now(timezone.utc) - timedelta(minutes=each)
            run = known.create_dagrun(
                run_id=f"measured_{each}",
                logical_date=at,
                data_interval=(at, at),
                run_after=at,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state="running",
                start_date=at,
                session=session,
            )
            session.flush()
            found += [str(instance.id) for instance in run.get_task_instances(session=session)]
        session.commit()
    return found[:number]


def defer(instances: list[Any], triggers: list[dict[str, Any]], end: float) -> None:
    """Leave the tasks to the triggerers, the same number to each. By itself the first one that looks takes all."""
    from airflow import settings as orm
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import select, text

    until = datetime.fromtimestamp(end, timezone.utc) + timedelta(days=1)
    with orm.Session() as session:  # type: ignore[misc]
        rows = [Trigger("airflow_provider_mkt.triggers.watch.WatchTrigger", each) for each in triggers]
        jobs = alive()
        for number, row in enumerate(rows):
            row.triggerer_id = jobs[number % len(jobs)]
        session.add_all(rows)
        session.flush()
        found = {str(each.id): each for each in session.scalars(select(TaskInstance))}
        for name, row in zip(instances, rows, strict=True):
            instance = found[name]
            instance.state, instance.trigger_id, instance.next_method = "deferred", row.id, "execute_complete"
            instance.next_kwargs, instance.trigger_timeout, instance.start_date = {}, until, datetime.now(timezone.utc)
        session.commit()
        for statement in NOTED[session.get_bind().dialect.name]:
            session.execute(text(statement))
        session.commit()


def put_back(instances: list[Any]) -> dict[int, float]:
    """Return when each task was put back into the queue, by its number."""
    from airflow import settings as orm
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    with orm.Session() as session:  # type: ignore[misc]
        rows = session.execute(select(TaskInstance.id, TaskInstance.state, TaskInstance.scheduled_dttm)).all()
    ended = {str(name): at for name, state, at in rows if state == "scheduled"}
    return {number: ended[name].timestamp() for number, name in enumerate(instances) if name in ended}


def told_twice() -> int:
    """Return how many tasks were put back more than once."""
    from airflow import settings as orm
    from sqlalchemy import text

    with orm.Session() as session:  # type: ignore[misc]
        return len(session.execute(text("SELECT id FROM told GROUP BY id HAVING count(*) > 1")).all())


def alive() -> list[int]:
    """Return the ids of the triggerers that have shown a sign of life."""
    from airflow import settings as orm
    from airflow.jobs.job import Job
    from sqlalchemy import select

    with orm.Session() as session:  # type: ignore[misc]
        return list(session.scalars(select(Job.id).where(Job.job_type == "TriggererJob", Job.state == "running")))


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Return once ``condition`` holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not after {seconds:.0f} s")
        time.sleep(0.5)


@contextmanager
def triggerers(number: int, home: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yield so many triggerers, once all show signs of life."""
    env = {**os.environ, "AIRFLOW__MKT__STATE_URL": os.environ[SHARED]}
    begun = []
    try:
        for each in range(number):
            command = ["airflow", "triggerer", "--skip-serve-logs"]
            with (home / f"triggerer-{each}.log").open("wb") as log:
                begun.append(subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True))
        until(lambda: len(alive()) >= number, READY_WITHIN)
        yield begun
    finally:
        for each in begun:
            kill(each)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has begun, by SIGKILL."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measured(number: int, tasks: int, given: argparse.Namespace, home: Path) -> str:
    """Measure so many triggerers; return a line of the table."""
    from benchmarks.posts_batch import vendor
    from benchmarks.waits import posts

    instances = declared(tasks)
    with vendor(1) as sandbox, triggerers(number, home) as running:
        made, done = posts(sandbox, tasks, given.seconds, given.lead)
        begun = time.time()
        sandbox.limits({"flow_social.default": {"limit": 100, "window": 60}})
        options = {"conn_id": "flow_social_default", "poll_interval": given.interval}
        defer(instances, [{**each, **options} for each in made], begun)
        left = given.seconds + 2 * given.interval + (HEALTH + 2 * given.interval if given.kill else 0)
        window = (begun + given.lead, begun + given.lead + left)
        time.sleep(max(0.0, window[0] - time.time()))
        before = used(running)
        if given.kill:
            time.sleep(max(0.0, window[0] + given.seconds / 3 - time.time()))
            kill(running[0])
        time.sleep(max(0.0, window[1] - time.time()))
        after = used(running)
        requests = [
            each
            for each in sandbox.requests()
            if window[0] <= datetime.fromisoformat(each["at"]).timestamp() <= window[1]
        ]
    ends = {at: end for at, end in enumerate(done.values()) if end < window[1] - 2 * given.interval}
    back = put_back(instances)
    late = sorted(back[at] - end for at, end in ends.items() if at in back)
    cuts = statistics.quantiles(late, n=100) if len(late) > 1 else []
    times = " | ".join(f"{cuts[each - 1]:.0f} s" if cuts else "–" for each in (50, 95, 99))
    return (
        f"| {number}{', one killed' if given.kill else ''} | {tasks:,} | {60 * len(requests) / left:.1f} | "
        f"{Counter(each['status'] for each in requests)[429]} | {times} | {len(late)} | {len(ends) - len(late)} | "
        f"{told_twice()} | {'–' if given.kill else f'{(after[0] - before[0]) / left:.1%}'} | {after[1]:.0f} MB | "
        f"{os.getloadavg()[0]:.1f} |"
    )


def used(running: list[subprocess.Popen[bytes]]) -> tuple[float, float]:
    """Return the CPU seconds that the triggerers have taken so far, and the MB that they hold, with their children."""
    alive = [psutil.Process(each.pid) for each in running if each.poll() is None]
    every = [each for parent in alive for each in (parent, *parent.children(recursive=True))]
    seconds = sum(each.cpu_times().user + each.cpu_times().system for each in every)
    return seconds, sum(each.memory_info().rss for each in every) / 2**20


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Yield the URL of a database on a server, dropped in the end; "" without a server."""
    from benchmarks.state_cost import scratch_database

    if not server:
        yield ""
        return
    with scratch_database(server) as url:
        yield url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggerers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--lead", type=float, default=25.0, help="seconds before anything is measured")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--postgres", default="", help="URL of a server; without it SQLite is used")
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    if given.child:
        home = Path(os.environ["AIRFLOW_HOME"])
        print(measured(given.triggerers[0], given.tasks, given, home), flush=True)
        return
    print(f"| {' | '.join(HEAD)} |\n{'| --- ' * len(HEAD)}|", flush=True)
    for number in given.triggerers:
        with tempfile.TemporaryDirectory() as folder, own_database(given.postgres) as database:
            (Path(folder) / "dags").mkdir()
            command = [
                sys.executable,
                "-m",
                "benchmarks.triggerers",
                "--child",
                *sys.argv[1:],
                "--triggerers",
                str(number),
            ]
            subprocess.run(command, env={**os.environ, **settings(Path(folder), database)}, check=True)


if __name__ == "__main__":
    main()
