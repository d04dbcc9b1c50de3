# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Pictures of the tutorial: its DAG is run as its tests run it, and shown in Airflow and at the simulated vendors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_mkt.testing.results import DagResult
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors
from scripts.demo.processes import free_ports
from tests.docs.blocks import ROOT, files
from tests.ui.conftest import _api_server

IMAGES = ROOT / "docs" / "images"
MAX_IMAGE = 100_000
[DAG] = [block.text for block in files() if block.page == "docs/tutorial.md" and block.title == "open_house.py"]


@pytest.fixture
def result(mkt_run_dag: DagRunner, mkt_sandbox: Vendors) -> DagResult:
    """The tutorial's second test: the answer of the first try is lost."""
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "open_house.py"
    path.write_text(DAG, encoding="utf-8")
    mkt_sandbox.fault("flow_living", "POST /campaigns/publish", "drop-after")
    ended = mkt_run_dag(path)
    assert (ended.state, ended.tries) == ("success", {"publish": 2})
    return ended


@pytest.fixture
def shown(result: DagResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an Airflow that shows the run, to everybody."""
    [port] = free_ports(1)
    settings = {
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "a key of the tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests " * 4,
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with _api_server(tmp_path, port):
        yield settings["AIRFLOW__API__BASE_URL"]


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1200, "height": 700}, timezone_id="UTC", color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def taken(page: Any, name: str, folder: Path) -> None:
    """Take a picture. ``MKT_PICTURES=1`` puts it into the documentation."""
    path = (IMAGES if os.environ.get("MKT_PICTURES") else folder) / f"tutorial-{name}.png"
    page.screenshot(path=path)
    assert 5_000 < path.stat().st_size < MAX_IMAGE


def test_the_run_in_airflow(shown: str, result: DagResult, page: Any, tmp_path: Path) -> None:
    page.goto(f"{shown}/dags/open_house/runs/{quote(result.run_id)}")
    page.get_by_role("link", name="publish").first.wait_for()
    page.get_by_text("Success").first.wait_for()
    page.wait_for_load_state("networkidle")
    taken(page, "run", tmp_path)


def test_the_simulated_vendors(result: DagResult, mkt_sandbox: Vendors, page: Any, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto(mkt_sandbox.url)
    page.get_by_role("cell", name="campaign.published").scroll_into_view_if_needed()
    taken(page, "vendors", tmp_path)
    assert len(result.happened("campaign.published")) == 1
