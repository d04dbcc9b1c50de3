# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The few calls of Airflow's REST API that the demo needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from scripts.demo.http import TIMEOUT_SECONDS, HttpStatusError, UnreachableError, call

COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
PAGE = 100


@dataclass(frozen=True)
class TaskState:
    """One task instance.

    :param task_id: task
    :param map_index: -1 for a task that is not mapped
    :param state: Airflow's state; empty before it is scheduled
    :param tries: which try it is in
    :param seconds: duration so far, None before the start
    """

    task_id: str
    map_index: int
    state: str
    tries: int
    seconds: float | None


class AirflowApi:
    """Airflow at one address. The simple auth manager hands every local caller an administrator's token.

    :param base: address without a path
    :param timeout: seconds without an answer after which a call is given up
    :param sign_in: ``username`` and ``password``, where people have to sign in
    """

    def __init__(self, base: str, timeout: float = TIMEOUT_SECONDS, sign_in: Mapping[str, str] | None = None) -> None:
        self._base, self._timeout, self._sign_in = base, timeout, sign_in
        self._token: str | None = None

    def unhealthy(self) -> list[str]:
        """Return the components that are not healthy yet, the API itself first."""
        try:
            answer = call("GET", f"{self._base}/api/v2/monitor/health")
        except (UnreachableError, HttpStatusError):
            return ["api-server", *COMPONENTS]
        return [name for name in COMPONENTS if (answer.get(name) or {}).get("status") != "healthy"]

    def add_connections(self, connections: Mapping[str, Mapping[str, Any]]) -> None:
        """Store connections, given by id as in the file that ``airflow connections import`` reads."""
        for conn_id, fields in connections.items():
            body = {name: value for name, value in fields.items() if value not in (None, "")}
            if not isinstance(body.get("extra", ""), str):
                body["extra"] = json.dumps(body["extra"])
            self._call("POST", "/connections", body={"connection_id": conn_id, **body})

    def import_error(self, file_name: str) -> str | None:
        """Return the traceback of a DAG file that does not load, of any file when ``file_name`` is empty."""
        for row in self._call("GET", "/importErrors", query={"limit": str(PAGE)})["import_errors"]:
            if file_name in str(row.get("filename")):
                return f"{row.get('filename')}:\n{row.get('stack_trace')}"
        return None

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether the DAG was parsed."""
        try:
            return bool(self._call("GET", f"/dags/{quote(dag_id)}"))
        except HttpStatusError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise

    def resume(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", body={"is_paused": False})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return everything that Airflow tells about the runs of a DAG, the first one first."""
        found: list[dict[str, Any]] = self._call("GET", f"/dags/{quote(dag_id)}/dagRuns")["dag_runs"]
        return found

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Unpause the DAG, start a run and return its id."""
        self.resume(dag_id)
        # The default run id holds characters that make addresses and file names hard to copy.
        run_id = datetime.now(timezone.utc).strftime("launch-%Y%m%d-%H%M%S")
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        return str(self._call("POST", f"/dags/{quote(dag_id)}/dagRuns", body=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        return str(self._call("GET", f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")["state"])

    def task_order(self, dag_id: str) -> dict[str, list[str]]:
        """Return the tasks that directly follow each task."""
        rows = self._call("GET", f"/dags/{quote(dag_id)}/tasks")["tasks"]
        return {row["task_id"]: list(row.get("downstream_task_ids") or []) for row in rows}

    def task_states(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return all task instances of a run."""
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances"
        rows: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", path, query={"limit": str(PAGE), "offset": str(len(rows))})
            rows += page["task_instances"]
            if not page["task_instances"] or len(rows) >= page["total_entries"]:
                return [_task_state(row) for row in rows]

    def _call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
        if self._token is None:
            how = "GET" if self._sign_in is None else "POST"
            signed_in = call(how, f"{self._base}/auth/token", body=self._sign_in, timeout=self._timeout)
            self._token = signed_in["access_token"]
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self._base}/api/v2{path}"
        return call(method, url, query=query, headers=headers, body=body, timeout=self._timeout)


def _task_state(row: Mapping[str, Any]) -> TaskState:
    return TaskState(
        task_id=row["task_id"],
        map_index=row["map_index"],
        state=row["state"] or "",
        tries=row["try_number"],
        seconds=row["duration"],
    )
