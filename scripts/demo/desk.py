# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launch desk's part of the demo: the plan before, a person's yes in between, and the register after the launch."""

from __future__ import annotations

import json
import re
import subprocess

from scripts.demo import processes, services
from scripts.demo.airflow_api import AirflowApi
from scripts.demo.console import Screen
from scripts.demo.layout import Layout
from scripts.demo.problems import DemoError

BRIEF = "harbour_homes.yaml"
ABOVE = "1000"
"""What a launch may cost without anybody's yes, in the demo."""
ASKING = "publish_campaign"
AWAITING = "awaiting_input"
COMMAND_TIMEOUT = 120.0


class Desk:
    """What ``airflow mkt`` tells of one launch, and the answer that a person would give.

    :param layout: where the demo's Airflow is
    :param screen: where progress goes
    :param api: the demo's Airflow
    :param dag_id: the DAG
    """

    def __init__(self, layout: Layout, screen: Screen, api: AirflowApi, dag_id: str) -> None:
        self._layout, self._screen, self._api, self._dag_id = layout, screen, api, dag_id
        self._answered = False

    def plan(self) -> None:
        """Show what the brief would send. Nothing is sent."""
        self._show("plan", str(self._layout.dags / "briefs" / BRIEF), "--dag-id", self._dag_id)

    def answer(self, run_id: str) -> None:
        """Approve the campaign once it is asked about, as a person does."""
        if self._answered:
            return
        states = {each.task_id: each.state for each in self._api.task_states(self._dag_id, run_id)}
        if states.get(ASKING) != AWAITING or not executor_reports(self._layout, run_id, ASKING):
            return
        [asked] = {each["ask"] for each in json.loads(self._run("approvals", "list", "--output", "json"))}
        self._screen.say(
            f"{ASKING} costs more than {ABOVE}, so it waits for a person: airflow mkt approvals show {asked}"
        )
        self._run("approvals", "approve", asked, "--reason", "The demo says yes.")
        self._screen.say(f"approved: airflow mkt approvals approve {asked}", "bold green")
        self._answered = True

    def register(self) -> None:
        """Show all launches.

        :raises DemoError: nobody was asked before the campaign was published
        """
        if not self._answered:
            raise DemoError(f"{ASKING} asked nobody, although it costs more than {ABOVE}")
        self._show("launches", "list")

    def _show(self, *words: str) -> None:
        self._screen.say(f"airflow mkt {' '.join(words)}", "bold")
        self._screen.console.print(self._run(*words), highlight=False, markup=False, soft_wrap=True)

    def _run(self, *words: str) -> str:
        environment = services.environment(self._layout, {"COLUMNS": str(min(self._screen.console.width, 120))})
        command = (services.AIRFLOW, "mkt", *words)
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT
        )
        if done.returncode:
            said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
            raise DemoError(f"{' '.join(command)} ended with {done.returncode}", said[-20:])
        return done.stdout.rstrip()


def executor_reports(layout: Layout, run_id: str, task_id: str) -> int:
    """Return of how many processes of a task the scheduler knows that they have ended.

    It takes a task that is resumed before that for one that has died. People are not that fast.
    """
    log = processes.log_path(layout, "scheduler").read_text(errors="replace")
    lines = [line for line in log.splitlines() if "Received executor event with state" in line]
    wanted = [re.compile(rf"\b{re.escape(name)}\b") for name in (run_id, task_id)]
    return sum(all(each.search(line) for each in wanted) for line in lines)
