# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's own API server in memory, with its sign-in and permissions, and a shared store for each test."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text
from starlette.requests import Request

from airflow_provider_mkt.pages.forms import COOKIE, token_for
from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.approvals import Approvals, Asked
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.register import COLUMNS, NAMES
from airflow_provider_mkt.submission.question import REASON, Question
from tests.unit.pages.auth import USERS, user

ORIGIN = "http://testserver"
NOON = 1_780_000_000.0
"""2026-05-28, 20:26:40 UTC."""


def launch(number: int = 1, **parts: Any) -> Launch:
    """Return a launch; those with higher numbers began later."""
    names = {
        "deployment": "tests",
        "vendor": "Flow Social",
        "account": "flow_social/a",
        "conn_id": "flow_social_default",
    }
    place = {"dag_id": "spring", "run_id": "r1", "task_id": "publish", "map_index": -1, "number": "0"}
    moments = {"begun_at": NOON + number, "changed_at": NOON + number, "counted_at": NOON + number}
    start = Launch(f"{number:036d}", **names, **place, **moments, generation=1, what=f"post number {number}")
    return replace(start, **parts)


def put(store: Store, *launches: Launch) -> None:
    """Write launches into the register, with the moments that they have."""
    values = ", ".join(f":{name}" for name in NAMES)
    insert = text(f"INSERT INTO mkt_launch ({COLUMNS}) VALUES ({values})")
    rows = [{name: getattr(each, name) for name in NAMES} for each in launches]
    store.run(lambda connection: connection.execute(insert, rows))


@pytest.fixture(scope="package")
def api_server() -> Iterator[Any]:
    """Airflow's API server as an app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.unit.pages.auth.PerDagAuthManager")
        users = ",".join(f"{name}:{role}" for name, role in USERS.items())
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
        patch.setenv("AIRFLOW__API__SECRET_KEY", "a key of the tests")
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET",
            "a secret of the tests " * 4,
        )
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.utils.db import initdb

        initdb()
        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture(autouse=True)
def _nothing_audited(api_server: Any) -> None:
    from airflow.models import Log
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Log))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The shared store of the test, which the API server uses too."""
    with separate_store(f"sqlite:///{tmp_path}/state.db") as made:
        yield made


class Browser:
    """A signed-in person's browser: it keeps cookies, and sends what a form has.

    :param client: to the API server
    :param name: of the person
    """

    def __init__(self, client: TestClient, name: str) -> None:
        self.client, self.name = client, name

    def get(self, path: str, **query: Any) -> Response:
        return self.client.get(f"/mkt-ui{path}", params=query or None)

    @staticmethod
    def fields_of(page: str) -> dict[str, str]:
        """Return the hidden fields of the last form on a page."""
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.rpartition("<form")[2]))

    def token(self) -> str:
        """Return a token as a page has it, also where the page has no form for this person."""
        self.get("/launches")
        cookie = f"{COOKIE}={self.client.cookies[COOKIE]}".encode()
        request = Request({"type": "http", "headers": [(b"cookie", cookie)]})
        return token_for(request, self.name)[0]

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Response:
        sent = {
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.client.post(f"/mkt-ui{path}", data=fields, headers={k: v for k, v in sent.items() if v})


@pytest.fixture
def browser(api_server: Any, store: Store) -> Callable[[str], Browser]:
    """Return the browser of a user; "" for somebody who has not signed in."""
    from airflow.api_fastapi.app import get_auth_manager

    def of(name: str) -> Browser:
        cookies = {"_token": get_auth_manager().generate_jwt(user(name))} if name else {}
        return Browser(TestClient(api_server, base_url=ORIGIN, follow_redirects=False, cookies=cookies), name)

    return of


@contextmanager
def kept_run(launch: Launch, state: str, **records: Any) -> Iterator[None]:
    """Have Airflow keep the run of a launch, with its task in a state and records in the task state store.

    :param records: by number, ``n0`` for "0"
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert

    place = {"dag_id": launch.dag_id, "run_id": launch.run_id}
    task = {**place, "task_id": launch.task_id, "map_index": launch.map_index}
    with create_session() as session:
        run = DagRun(**place, run_type="manual", state="failed")
        session.add(run)
        session.flush()
        values = {"id": uuid.uuid4(), "state": state, "pool": "default_pool", "pool_slots": 1}
        session.execute(insert(TaskInstance).values(**task, **values))
        for name, value in records.items():
            key = f"mkt.submission.{name.removeprefix('n')}"
            session.add(TaskStateStoreModel(**task, dag_run_id=run.id, key=key, value=json.dumps(value)))
    try:
        yield
    finally:
        with create_session() as session:
            for model in (TaskStateStoreModel, TaskInstance, DagRun):
                session.execute(delete(model).where(model.dag_id == launch.dag_id))


def asks(asked: Sequence[Asked], shown: Sequence[Asked] = ()) -> str:
    """Have a task of :func:`kept_run` ask a person, as it does before it sends anything; return the question's name.

    :param asked: what it asks
    :param shown: what Airflow shows in place of that: what the task asked earlier
    """
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    question = Question(shown or asked)
    texts = {"options": question.options, "subject": question.subject, "body": question.body, "params": dict(REASON)}
    with create_session() as session:
        found = session.scalar(select(TaskInstance.id).where(TaskInstance.run_id == asked[0].launch.run_id))
        session.merge(HITLDetail(ti_id=found, multiple=False, responded_at=None, **texts))
    return Approvals().ask(asked, Question(asked).code)


def chosen() -> list[str]:
    """Return what was answered."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return list(session.scalar(select(HITLDetail.chosen_options)) or ())


@contextmanager
def known_dags(*dag_ids: str) -> Iterator[None]:
    """Have Airflow know DAGs, for as long as the ``with`` block lasts."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.merge(DagBundleModel(name="pages"))
        session.flush()
        for dag_id in dag_ids:
            session.merge(DagModel(dag_id=dag_id, bundle_name="pages", is_stale=False))
    try:
        yield
    finally:
        with create_session() as session:
            session.execute(delete(DagModel).where(DagModel.dag_id.in_(dag_ids)))
