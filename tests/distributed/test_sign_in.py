# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control room under the auth manager of docker-compose.yaml, FAB: its sign-in, its roles, its user ids.

It needs Airflow with FAB, and no service of docker-compose.yaml.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.cluster import PROGRAMS

pytestmark = pytest.mark.skipif(not (PROGRAMS / "python").exists(), reason="run make test-distributed")

CODE = """
import json, os, re
from airflow.utils.db import initdb
initdb()
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
ROLES = ("Public", "Viewer", "User", "Op", "Admin")
with get_application_builder() as builder:
    for role in ROLES:
        found = builder.sm.find_role(role)
        assert builder.sm.add_user(role.lower(), "F", "L", f"{role}@example.com", found, password="secret"), role
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient
app = create_app()
HEADERS = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
told = {}
for role in ("", *ROLES):
    with_form = {}
    client = TestClient(app, base_url="http://testserver", follow_redirects=False)
    if role:
        answer = client.post("/auth/token", json={"username": role.lower(), "password": "secret"})
        client.cookies.set("_token", answer.json()["access_token"])
    pages = {path: client.get(f"/mkt-ui/{path}") for path in ("launches", "calendar", "budgets", "deliveries", "stop")}
    form = dict(re.findall('<input type="hidden" name="(.*?)" value="(.*?)">', pages["stop"].text))
    scope = {"vendor": "", "conn_id": "", "dag_id": "", "run_id": ""}
    sent = {**form, **scope, "everything": "yes", "sure": "yes", "reason": "prices"}
    stopped = client.post("/mkt-ui/stop", data=sent, headers=HEADERS)
    told[role] = [sorted({answer.status_code for answer in pages.values()}), "token" in form, stopped.status_code]
    location = pages["stop"].headers.get("location", "")
    assert role or location.endswith("/auth/login/?next=%2Fmkt-ui%2Fstop"), location
from airflow.models import Log
from airflow.utils.session import create_session
from sqlalchemy import select
with create_session() as session:
    owners = session.execute(select(Log.event, Log.owner).where(Log.event.startswith("mkt_"))).all()
print(json.dumps({"told": told, "audited": [list(each) for each in owners]}))
"""


def told(home: Path) -> dict[str, Any]:
    """Return what each role is told by an API server in memory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests " * 4,
        "AIRFLOW__API__SECRET_KEY": "a key of the tests",
        "AIRFLOW__MKT__STATE_URL": f"sqlite:///{home}/state.db",
    }
    done = subprocess.run(
        [str(PROGRAMS / "python"), "-c", CODE],
        env={**kept, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_pages_under_fab(tmp_path: Path) -> None:
    found = told(tmp_path)
    assert found["told"] == {
        "": [[303], False, 401],
        "Public": [[403], False, 403],
        "Viewer": [[200], False, 403],
        "User": [[200], False, 403],
        "Op": [[200], True, 200],
        "Admin": [[200], True, 200],
    }
    # By name, as Airflow's own entries: FAB's ids are numbers.
    assert found["audited"] == [["mkt_stop", "op"]]
