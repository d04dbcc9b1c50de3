# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One demo from the first process to the last."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.demo import processes, services
from scripts.demo.airflow_api import AirflowApi
from scripts.demo.console import Screen
from scripts.demo.http import HttpStatusError, UnreachableError, call
from scripts.demo.interrupts import Interrupts
from scripts.demo.layout import Layout
from scripts.demo.problems import DemoError
from scripts.demo.record import Instance, describe

SANDBOX_TIMEOUT = 30.0
MIGRATION_TIMEOUT = 90.0
AIRFLOW_TIMEOUT = 150.0
DAG_TIMEOUT = 60.0

# Commands that end by themselves.
ONE_TIME = ("db-migrate", "connections")


class Session:
    """Starts the sandbox and Airflow and knows how to stop them.

    :param layout: where files go; made clean by :meth:`start`
    :param screen: where progress goes
    :param interrupts: kept back while a process is being started and recorded
    :param mode: ``demo`` or ``up``
    """

    def __init__(self, layout: Layout, screen: Screen, interrupts: Interrupts, mode: str) -> None:
        self._layout = layout
        self._screen = screen
        self._interrupts = interrupts
        airflow_port, sandbox_port = processes.free_ports(2)
        self.addresses = services.Addresses(airflow_port, sandbox_port)
        self.api = AirflowApi(self.addresses.airflow)
        self.connections: Mapping[str, Mapping[str, Any]] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self.instance = Instance(
            mode=mode,
            runner=describe("runner"),
            airflow_url=self.addresses.airflow,
            sandbox_url=self.addresses.sandbox,
        )

    def start(self, speed: float, *, deferrable: bool, approval_above: str = "") -> None:
        """Bring everything up, with the vendors' connections stored in Airflow.

        :param speed: how many seconds pass at the simulated vendors in one second
        :param deferrable: wait in the triggerer instead of on workers
        :param approval_above: what a launch may cost without anybody's yes
        :raises DemoError: something did not start
        """
        self._layout.start_clean()
        self.instance.save(self._layout.record)
        services.write_settings(self._layout, self.addresses, deferrable=deferrable, approval_above=approval_above)
        self._start("sandbox", services.sandbox_command(self.addresses, speed))
        migration = self._start("db-migrate", services.MIGRATE)
        listing = self._start(
            "connections", services.sandbox_connections_command(self.addresses), output=self._layout.connections
        )
        self._screen.wait("the simulated vendors", self._sandbox_answers, SANDBOX_TIMEOUT, "vendors")
        self._screen.wait("Airflow's database", self._ended("db-migrate", migration), MIGRATION_TIMEOUT, "database")
        for name, command in services.COMPONENTS.items():
            self._start(name, command)
        self._screen.wait("the connections", self._ended("connections", listing), SANDBOX_TIMEOUT)
        parts = ", ".join(services.COMPONENTS)
        self._screen.wait(f"Airflow ({parts})", self._airflow_healthy, AIRFLOW_TIMEOUT, "Airflow")
        self.connections = json.loads(self._layout.connections.read_text(encoding="utf-8"))
        self.api.add_connections(self.connections)
        self._screen.say(f"{len(self.connections)} connections stored in Airflow: {', '.join(self.connections)}")
        if self.instance.mode == "up":
            self.instance.ready = self.instance.running()
            self.instance.save(self._layout.record)

    def wait_for_dag(self, dag_id: str, step: str | None = None) -> None:
        """Wait until Airflow has parsed a DAG.

        :param step: the name under which the time appears at the end
        :raises DemoError: its file does not load, or it does not appear
        """

        def parsed() -> bool | None:
            self.check()
            if self.api.has_dag(dag_id):
                return True
            if traceback := self.api.import_error(""):
                raise DemoError(f"a DAG file does not load, so {dag_id} may never appear", traceback.splitlines())
            return None

        self._screen.wait(f"the DAG {dag_id}", parsed, DAG_TIMEOUT, step)

    def check(self) -> None:
        """Make sure that all servers live.

        :raises DemoError: one ended; with the end of its log
        """
        for one in self.instance.services:
            if one.name in ONE_TIME or one.alive():
                continue
            log = processes.log_path(self._layout, one.name)
            raise DemoError(f"{one.name} ended unexpectedly", [*processes.tail(log), f"whole log: {log}"])

    def stop(self) -> int:
        """End every process and return how many there were."""
        count = processes.stop_all(self._layout, self.instance)
        for child in self._children:
            child.poll()  # takes the dead out of the process table
        return count

    def _start(self, name: str, command: Sequence[str], output: Path | None = None) -> subprocess.Popen[bytes]:
        environment = services.environment(self._layout)
        with self._interrupts.deferred():
            child = processes.start(name, command, self._layout, environment, output)
            self._children.append(child)
            self.instance.services.append(describe(name, child.pid))
            self.instance.save(self._layout.record)
        return child

    def _sandbox_answers(self) -> bool | None:
        self.check()
        try:
            call("GET", f"{self.addresses.sandbox}/__sandbox__/health")
        except (UnreachableError, HttpStatusError):
            return None
        return True

    def _airflow_healthy(self) -> bool | None:
        self.check()
        return None if self.api.unhealthy() else True

    def _ended(self, name: str, child: subprocess.Popen[bytes]) -> Callable[[], bool | None]:
        """Return a question: did this command end well?"""

        def ended() -> bool | None:
            self.check()
            code = child.poll()
            if code:
                log = processes.log_path(self._layout, name)
                raise DemoError(f"{name} ended with exit code {code}", [*processes.tail(log), f"whole log: {log}"])
            return None if code is None else True

        return ended
