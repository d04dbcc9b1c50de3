# Licensed under the Apache License, Version 2.0; see LICENSE.
"""All services of docker-compose.yaml on this machine, with a PostgreSQL and a Redis of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from scripts import make_env
from scripts.demo.http import call
from scripts.demo.layout import PROJECT
from scripts.demo.processes import free_ports
from tests.distributed.compose import Here, Service, service
from tests.distributed.containers import Container, kill_all
from tests.integration.airflow import Api, until

PROGRAMS = PROJECT / ".venv" / "distributed" / "bin"
"""Airflow with Celery and FAB, as ``make test-distributed`` installs it."""
START = 240.0
CONNECTIONS = 60
"""Of PostgreSQL, for everything."""
MAX_STARTS = 6
"""Of one container, restarts of the tests included. More mean that it does not come up."""
PAIRS = ("airflow-worker", "airflow-triggerer")
"""What there are two of."""
ORDER = ("sandbox", "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", *PAIRS)
QUICK = {
    # Dead and frozen parts are noticed within seconds instead of minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "PYTHONPATH": str(PROJECT),
}


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's own programs."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def missing() -> list[str]:
    """Name what is not there to run the services with."""
    lacking = []
    if not (PROGRAMS / "airflow").exists():
        lacking.append("an Airflow with Celery (run: make test-distributed)")
    if postgres_programs() is None:
        lacking.append("PostgreSQL's server (Debian and Ubuntu: apt install postgresql)")
    if not shutil.which("redis-server"):
        lacking.append("redis-server (Debian and Ubuntu: apt install redis-server)")
    if not shutil.which("curl"):
        lacking.append("curl")
    return lacking


class FabApi(Api):
    """Airflow's API behind the FAB auth manager, which asks for a password."""

    def sign_in(self, password: str) -> None:
        """Fetch a token."""
        body = {"username": "admin", "password": password}
        self._token = call("POST", f"{self._base}/auth/token", body=body)["access_token"]


class Cluster:
    """The services, as docker-compose would start them.

    :param base: a folder of its own
    :param dags: what is mounted as ``./dags``
    """

    def __init__(self, base: Path, dags: Path) -> None:
        self.base, self.dags = base, dags
        names = ("postgres:5432", "redis:6379", "airflow-apiserver:8080", "sandbox:8095", "airflow-scheduler:8974")
        self.here = Here(dict(zip(names, free_ports(len(names)), strict=True)), base / "secrets")
        self.containers: dict[str, Container] = {}
        self.sandbox = Sandbox()
        self.sandbox.url = self._url("sandbox:8095")
        self.api = FabApi(self._url("airflow-apiserver:8080"), 60.0)
        self._log_ports = iter(free_ports(8))

    def _url(self, address: str) -> str:
        return f"http://127.0.0.1:{self.here.ports[address]}"

    def up(self) -> None:
        """Start everything in the order of ``depends_on``, and wait until it is healthy."""
        make_env.write(self.here.secrets)
        for path in self.here.secrets.iterdir():
            path.write_text(self.here.mapped(path.read_text(encoding="utf-8"), self.base), encoding="utf-8")
        self._start_postgres()
        self._add("redis", service("redis"))
        for name in ("postgres", "redis"):
            self.healthy(name)
        init = self._add("airflow-init", service("airflow-init"))
        until("airflow-init", lambda: init.ended() is not None, START)
        if init.ended():
            raise AssertionError(init.tail())
        for name in ORDER:
            for number in range(2 if name in PAIRS else 1):
                self._add(name, service(name), number if name in PAIRS else None)
        for name in ("sandbox", "airflow-apiserver", "airflow-scheduler"):
            self.healthy(name)
        self.api.sign_in((self.here.secrets / "admin-password").read_text(encoding="utf-8"))
        until("Airflow", lambda: not self.api.unhealthy(), START)

    def healthy(self, name: str) -> None:
        """Wait until a container's health check passes."""
        container = self.containers[name]
        check = [self.here.mapped(word, container.folder) for word in service(name.rstrip("-0123456789")).health]

        def passed() -> bool:
            if container.ended() is not None:
                raise AssertionError(container.tail())
            env = container.variables()
            return subprocess.run(check, capture_output=True, check=False, env=env, timeout=90).returncode == 0

        until(f"{name} to be healthy", passed, START)

    def restart(self, name: str) -> None:
        """Start a container in the place of a dead one, and wait until it is healthy."""
        self.containers[name].start()
        if not name.startswith(PAIRS):
            self.healthy(name)

    def check(self) -> None:
        """Start what has ended, as ``restart: unless-stopped`` does: without its database Airflow ends.

        :raises AssertionError: when one ends again and again
        """
        for name, container in self.containers.items():
            if name != "airflow-init" and container.ended() is not None:
                if container.starts > MAX_STARTS:
                    raise AssertionError(container.tail())
                container.start()

    def sql(self, statement: str, database: str = "airflow") -> str:
        """Ask the server as its administrator."""
        env = {**os.environ, **self.containers["postgres"].environment}
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "--username", "airflow", "--dbname", database]
        done = subprocess.run([*command, "-c", statement], capture_output=True, text=True, check=True, env=env)
        return done.stdout.strip()

    def _add(self, name: str, wanted: Service, number: int | None = None) -> Container:
        folder = self.base / (name if number is None else f"{name}-{number}")
        home = folder / "airflow"
        home.mkdir(parents=True)
        (folder / "data").mkdir()
        for target, source in wanted.volumes.items():
            place = self.dags if source.startswith(".") else self.base / "volumes" / source
            place.mkdir(parents=True, exist_ok=True)
            if target.startswith("/opt/airflow/"):
                (home / Path(target).name).symlink_to(place)
        command = [self.here.mapped(word, folder) for word in wanted.command]
        if command[0] == "airflow" and "worker" in command:
            # Celery asks the machine for its name.
            command.append(f"--celery-hostname=celery@{folder.name}")
        if name == "redis":
            command[-1] += f" --bind 127.0.0.1 --port {self.here.ports['redis:6379']}"
        if name == "sandbox":
            command += [f"--port={self.here.ports['sandbox:8095']}", "--host=127.0.0.1"]
        settings = {key: self.here.mapped(value, folder) for key, value in wanted.environment.items()}
        container = Container(folder, tuple(command), {**settings, **self._machine(home)})
        self.containers[folder.name] = container
        container.start()
        return container

    def _machine(self, home: Path) -> dict[str, str]:
        """Return what an image sets, and what keeps containers of one machine apart."""
        return {
            "PATH": os.pathsep.join([str(PROGRAMS), str(postgres_programs()), os.environ["PATH"]]),
            "AIRFLOW_HOME": str(home),
            "HOSTNAME": home.parent.name,
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "tests.distributed.host.name",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.here.ports["airflow-apiserver:8080"]),
            "AIRFLOW__API__BASE_URL": self._url("airflow-apiserver:8080"),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.here.ports["airflow-scheduler:8974"]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(next(self._log_ports, 0)),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(next(self._log_ports, 0)),
            # In containers the superuser is somebody else.
            "AIRFLOW__CELERY__CELERY_APP_NAME": "airflow.providers.celery.executors.celery_executor",
            "C_FORCE_ROOT": "true",
            **QUICK,
        }

    def _start_postgres(self) -> None:
        wanted = service("postgres")
        folder = Path(tempfile.mkdtemp(prefix="mkt-postgres-"))
        (self.base / "postgres").symlink_to(folder)
        data, script = folder / "data", folder / "roles.sh"
        text = (PROJECT / "scripts" / "database_roles.sh").read_text(encoding="utf-8")
        script.write_text(text.replace("/run/secrets", str(folder)), encoding="utf-8")
        for path in self.here.secrets.glob("*-password"):
            shutil.copy(path, folder)
        user = wanted.environment["POSTGRES_USER"]
        port = str(self.here.ports["postgres:5432"])
        programs = postgres_programs()
        prefix: tuple[str, ...] = ()
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            prefix = ("setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
        init = [
            *prefix,
            f"{programs}/initdb",
            "-D",
            str(data),
            "-U",
            user,
            "--pwfile",
            str(folder / "postgres-password"),
        ]
        subprocess.run([*init, "--auth-local=trust", "--auth-host=scram-sha-256"], check=True, capture_output=True)
        command = (*prefix, f"{programs}/postgres", "-D", str(data), "-p", port, "-k", str(folder))
        environment = {**wanted.environment, "PGHOST": str(folder), "PGPORT": port}
        options = ("-c", "listen_addresses=127.0.0.1", "-c", f"max_connections={CONNECTIONS}")
        container = Container(folder, (*command, *options), environment)
        self.containers["postgres"] = container
        container.start()
        self.healthy("postgres")
        database = wanted.environment["POSTGRES_DB"]
        if database != "postgres":
            self.sql(f"CREATE DATABASE {database}", "postgres")
        for _ in range(2):  # it may be run again
            subprocess.run(["sh", str(script)], check=True, capture_output=True, env={**os.environ, **environment})


@contextmanager
def running_cluster(dags: Path) -> Iterator[Cluster]:
    """Run all services until the block ends."""
    base = Path(tempfile.mkdtemp(prefix="mkt-cluster-"))
    cluster = Cluster(base, dags)
    try:
        cluster.up()
        yield cluster
    except BaseException:
        for container in cluster.containers.values():
            print(container.tail())  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        for container in cluster.containers.values():
            container.kill()
        kill_all(base)
        if "postgres" in cluster.containers:
            folder = cluster.containers["postgres"].folder
            kill_all(folder)
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(base, ignore_errors=True)


def connections(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Return the connections to the simulated vendors, at the addresses of this machine."""
    found: dict[str, dict[str, Any]] = cluster.sandbox.order("GET", "connections")
    return found
