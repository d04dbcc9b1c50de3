# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the control room costs an API server: nothing before somebody opens it, and less than 5 % of its memory then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.proof

CODE = """
import json, sys
import psutil
from airflow.utils.db import initdb
initdb()
from airflow.api_fastapi.app import create_app
app = create_app()
from fastapi.testclient import TestClient
client = TestClient(app, base_url="http://testserver", follow_redirects=True)
client.cookies.set("_token", client.get("/auth/token").json()["access_token"])
for path in ("/api/v2/dags", "/api/v2/dags/~/dagRuns", "/api/v2/plugins", "/ui/config"):
    assert client.get(path).status_code == 200, path
before, loaded = psutil.Process().memory_info().rss, "airflow_provider_mkt.pages.app" in sys.modules
for path in ("launches", "calendar", "budgets", "deliveries", "stop"):
    assert client.get(f"/mkt-ui/{path}").status_code == 200, path
after = psutil.Process().memory_info().rss
print(json.dumps({"loaded": loaded, "grown": after / before - 1}))
"""


@pytest.mark.slow
def test_all_pages_together_take_little_memory(tmp_path: Path) -> None:
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests " * 4,
        "AIRFLOW__API__SECRET_KEY": "a key of the tests",
        "AIRFLOW__MKT__STATE_URL": f"sqlite:///{tmp_path}/state.db",
    }
    kept = {name: value for name, value in os.environ.items() if name != "AIRFLOW__CORE__AUTH_MANAGER"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**kept, **settings}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert not found["loaded"]
    assert found["grown"] < 0.05, found
