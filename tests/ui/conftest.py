# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's API server, its real UI, and people who look at it in Chromium.

The browser is Debian's; Playwright and axe are of a group of their own. Where one is missing, these tests are skipped,
with what to install. In CI they fail instead.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.state.database.shared import separate_store
from tests.ui.people import Visit, visits
from tests.ui.seed import seed
from tests.unit.pages.auth import USERS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
PACKAGES = ("playwright", "axe_playwright_python")
HELP = "no browser tests: run apt-get install chromium, then make test-ui"
READY_WITHIN = 180.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (CHROMIUM and all(find_spec(name) for name in PACKAGES)) or IN_CI:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(HELP))


@pytest.fixture(scope="package", autouse=True)
def _installed() -> None:
    assert CHROMIUM, HELP


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Airflow whose register has launches."""
    from scripts.demo.processes import free_ports

    home, port = tmp_path_factory.mktemp("airflow"), free_ports(1)[0]
    settings = {
        **people(home),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "a key of the tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests " * 4,
        "AIRFLOW__MKT__STATE_URL": f"sqlite:///{home}/state.db",
        "AIRFLOW__MKT__CAPS": "GBP: launch 4000, day 8000, month 60000",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in settings.items():
            patch.setenv(name, value)
        from airflow.utils.db import initdb

        initdb()
        store = stack.enter_context(separate_store(settings["AIRFLOW__MKT__STATE_URL"]))
        stack.enter_context(seed(store))
        stack.enter_context(_api_server(home, port))
        yield settings["AIRFLOW__API__BASE_URL"]


def people(home: Path) -> dict[str, str]:
    """Return the settings under which people sign in, each with their name as the password.

    :param home: a folder for the passwords
    """
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in USERS}), encoding="utf-8")
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.unit.pages.auth.PerDagAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }


def _api_server(home: Path, port: int) -> Any:
    from contextlib import contextmanager

    import requests

    from tests.integration.airflow import until

    @contextmanager
    def running() -> Iterator[None]:
        command = [str(Path(sys.executable).parent / "airflow"), "api-server", "--port", str(port), "--workers", "1"]
        with (home / "api-server.log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                address = f"http://127.0.0.1:{port}/api/v2/version"

                def ready() -> bool:
                    assert server.poll() is None, (home / "api-server.log").read_text(encoding="utf-8")[-3000:]
                    try:
                        return requests.get(address, timeout=5).ok
                    except requests.RequestException:
                        return False

                until("Airflow's API server", ready, READY_WITHIN)
                yield
            finally:
                server.terminate()
                server.wait(30)

    return running()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(airflow: str, chromium: Any) -> Iterator[Visit]:
    """Sign in, and return the page of a new browser."""
    with visits(airflow, chromium) as sign_in:
        yield sign_in
