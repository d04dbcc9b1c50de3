# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The part of Airflow's REST API that the command line needs: task instances and their state store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from airflow_provider_mkt.client.answer import UnreadableError, parse, plain_text
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.redirect import host_of, location_of
from airflow_provider_mkt.client.secret import Secret
from airflow_provider_mkt.control.settling import Instance

if TYPE_CHECKING:
    import requests

MAX_SAID = 500
PAGE = 100
TIMEOUT = 30.0


class AirflowApiError(Exception):
    """Airflow's API refused a call, or could not be reached."""


class NotThereError(AirflowApiError):
    """Airflow does not have what was asked for."""


class AirflowApi:
    """Airflow's REST API.

    :param base_url: address of the API server, e.g. ``http://localhost:8080``
    :param token: API token; without one it is asked for with AIRFLOW_API_USERNAME and AIRFLOW_API_PASSWORD
    """

    def __init__(self, base_url: str, token: str | None = None) -> None:
        from airflow_provider_mkt.client.exchange import DirectSession

        self._base = base_url.rstrip("/")
        self._session = DirectSession()
        # Without an auth of its own, requests would take one from a .netrc file, in place of any header.
        self._session.auth = _signed_with(None)
        self._session.auth = _signed_with(Secret(f"Bearer {token or self._sign_in()}"))

    def runs(self, dag_id: str | None, most: int | None, since: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield DAG and id of the latest runs, the newest first.

        :param dag_id: of one DAG; None: of all
        :param most: how many at most; None: all
        :param since: only runs that were due at this moment (ISO 8601) or later
        """
        path = f"/dags/{'~' if dag_id is None else _part(dag_id)}/dagRuns"
        query = {"order_by": "-run_after", **({"run_after_gte": since} if since else {})}
        runs = self._pages(path, query, "dag_runs", PAGE if most is None else min(most, PAGE))
        yield from ((run["dag_id"], run["dag_run_id"]) for run in islice(runs, most))

    def tasks_of_airflow(self, dag_id: str) -> frozenset[str]:
        """Return the tasks of a DAG whose class is Airflow's own or one of its providers': they submit nothing.

        Empty when Airflow no longer has the DAG: then any task may have submitted.
        """
        try:
            tasks = self._field(self._call("GET", f"/dags/{_part(dag_id)}/tasks"), "tasks")
        except NotThereError:
            return frozenset()
        modules = {task["task_id"]: str((task.get("class_ref") or {}).get("module_path")) for task in tasks}
        return frozenset(task_id for task_id, module in modules.items() if module.startswith("airflow."))

    def task_instances(self, dag_id: str, run_id: str) -> Iterator[dict[str, Any]]:
        """Yield the task instances of a run, mapped ones one by one."""
        path = f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}/taskInstances"
        yield from self._pages(path, {}, "task_instances")

    def task_state(self, instance: Instance) -> str:
        """Return the state of a task instance; "" when it has none, which means that it is about to be scheduled."""
        index = f"/{instance.map_index}" if instance.map_index >= 0 else ""
        return str(self._field(self._call("GET", f"{_path(instance)}{index}"), "state") or "")

    def options(self, instance: Instance) -> list[str]:
        """Return the answers that Airflow shows for the question of a task instance; none when it asks nothing."""
        try:
            answer = self._call("GET", f"{_path(instance)}/{instance.map_index}/hitlDetails")
        except NotThereError:
            return []
        return [str(each) for each in self._field(answer, "options")]

    def answer(self, instance: Instance, option: str, reason: str) -> None:
        """Answer the question of a task instance, as its page does: the task goes on."""
        body = {"chosen_options": [option], "params_input": {"reason": reason or None}}
        self._call("PATCH", f"{_path(instance)}/{instance.map_index}/hitlDetails", body=body)

    def state(self, instance: Instance) -> dict[str, Any]:
        """Return what the task state store holds for a task instance."""
        path = f"{_path(instance)}/state-store"
        entries = self._pages(path, {"map_index": instance.map_index}, "task_state_store")
        return {entry["key"]: entry["value"] for entry in entries}

    def set_state(self, instance: Instance, key: str, value: Any) -> None:
        """Write an entry that never expires."""
        path = f"{_path(instance)}/state-store/{_part(key)}"
        self._call("PUT", path, {"map_index": instance.map_index}, {"value": value, "expires_at": None})

    def _pages(self, path: str, query: dict[str, Any], name: str, limit: int = PAGE) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list, page by page."""
        offset, total = 0, 1
        while offset < total:
            answer = self._call("GET", path, {**query, "limit": limit, "offset": offset})
            entries = self._field(answer, name)
            yield from entries
            # The server may give fewer rows than were asked for: [api] maximum_page_limit.
            offset, total = offset + len(entries), self._field(answer, "total_entries") if entries else 0

    def _sign_in(self) -> str:
        name, password = os.environ.get("AIRFLOW_API_USERNAME"), os.environ.get("AIRFLOW_API_PASSWORD")
        body = {"username": name, "password": password} if name else None
        # Without a name: Airflow's simple auth manager hands out a token where everybody is an administrator.
        answer = self._send("POST" if body else "GET", f"{self._base}/auth/token", json=body)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise AirflowApiError(
                "Airflow wants you to sign in: set AIRFLOW_API_TOKEN, or AIRFLOW_API_USERNAME and AIRFLOW_API_PASSWORD."
            )
        return token

    def _field(self, answer: Any, name: str) -> Any:
        if not isinstance(answer, dict) or name not in answer:
            raise AirflowApiError(
                f"{self._base} does not answer as Airflow's API does: {name} is missing. Is it the address of the API "
                "server?"
            )
        return answer[name]

    def _call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        return self._send(method, f"{self._base}/api/v2{path}", params=query, json=body)

    def _send(self, method: str, url: str, **parts: Any) -> Any:
        import requests

        try:
            response = self._session.request(method, url, timeout=TIMEOUT, **parts)
        except requests.RequestException as error:
            problem = f"{self._base} cannot be reached ({type(error).__name__}); is it the address of the API server?"
            raise AirflowApiError(problem) from None
        if response.status_code in (401, 403, 405):
            raise AirflowApiError(
                f"{self._base} refused (HTTP {response.status_code}): set AIRFLOW_API_TOKEN, or AIRFLOW_API_USERNAME "
                "and AIRFLOW_API_PASSWORD, of somebody who may see and edit task instances."
            )
        if (location := location_of(response.status_code, response.headers)) is not None:
            where = host_of(urljoin(self._base, location))
            raise AirflowApiError(f"{self._base} redirects to {where}. Nothing was sent there; is that the API server?")
        if not response.ok:
            route = f"{method} {url.removeprefix(self._base)}"
            said = Redactor().text(_detail(response.content), MAX_SAID)
            kind = NotThereError if response.status_code == 404 else AirflowApiError
            raise kind(f"{route}: HTTP {response.status_code}: {said}")
        try:
            return parse(response.content) if response.content else None
        except UnreadableError as error:
            raise AirflowApiError(
                f"{self._base} does not answer as Airflow's API does: {error}. Is it the address of the API server?"
            ) from None


def _detail(content: bytes) -> str:
    """Return what an error of Airflow's says, without the JSON around it."""
    try:
        answer = parse(content)
    except UnreadableError:
        answer = None
    detail = answer.get("detail") if isinstance(answer, dict) else None
    return detail if isinstance(detail, str) and detail else plain_text(content)


def _signed_with(header: str | None) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if header is not None:
            request.headers["Authorization"] = header
        return request

    return sign


def _path(instance: Instance) -> str:
    dag, run, task = (_part(name) for name in instance[:3])
    return f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}"


def _part(name: str) -> str:
    return quote(name, safe="")
