# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Vendors whose days pass in a second, and an Airflow database, for what the documentation shows."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from airflow_provider_mkt.clock import Clock, using
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database.shared import store
from tests.docs.blocks import ROOT

SPEED = 1e6
"""Vendor seconds in one real second: the posts of a whole month are delivered within three."""
MAX_NAP = 0.2


@pytest.fixture(scope="session")
def running_quick_vendors() -> Iterator[Sandbox]:
    with Sandbox(speed=SPEED, switches={"flow_social.early_posts": True}) as sandbox:
        yield sandbox


@pytest.fixture
def quick_vendors(running_quick_vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The vendors, as new, behind the default connections, and nothing known of what they had before."""
    running_quick_vendors.reset()
    store().run(lambda connection: connection.execute(text("DELETE FROM mkt_webhook")))
    running_quick_vendors.limits({"*": None})
    for conn_id, connection in running_quick_vendors.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return running_quick_vendors


@pytest.fixture(autouse=True)
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agency's own database, behind the connection ``crm``."""
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE buyers (email, first_name, signed_at, city, agent)")
        isla = ("isla.bennett@example.com", "Isla", "2026-05-02T10:30:00Z", "Bristol", "harbour")
        base.execute("INSERT INTO buyers VALUES (?, ?, ?, ?, ?)", isla)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(path)}))


class Naps(Clock):
    """The machine's clock, but nobody waits for longer than a moment."""

    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, MAX_NAP))

    async def asleep(self, seconds: float) -> None:
        await super().asleep(min(seconds, MAX_NAP))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await super().wait(event, min(seconds, MAX_NAP))


@pytest.fixture
def no_naps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Between two looks nobody waits longer than a moment, in none of the three modes."""
    import airflow.sdk.bases.sensor as airflow_sensor

    from airflow_provider_mkt.triggers import watch

    naps = Naps()
    monkeypatch.setattr(airflow_sensor, "time", SimpleNamespace(sleep=naps.sleep, monotonic=naps.monotonic))
    monkeypatch.setattr(watch, "FIRST_LOOK", 0.0)
    with using(naps):
        yield


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables, in the home of this test session."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def stored_connections(airflow_database: None) -> Iterator[None]:
    """Connections that a command stores are gone afterwards."""
    yield
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Connection).delete()


def content_plan(path: Path) -> str:
    """Make a database with posts, and return the connection to it."""
    with closing(sqlite3.connect(path)) as plan, plan:
        plan.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, season, channel, body, publish_at)")
        rows = [("spring", "channel_1", f"Viewing {number}", "2099-06-01T09:00:00") for number in range(250)]
        plan.executemany("INSERT INTO posts (season, channel, body, publish_at) VALUES (?, ?, ?, ?)", rows)
    return json.dumps({"conn_type": "sqlite", "host": str(path)})


@pytest.fixture
def dags_folder(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Airflow's DAG folder, with the project's briefs and calendars in it, where work is done."""
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("briefs", "calendars"):
        shutil.copytree(ROOT / "dags" / name, folder / name)
    (folder / "media").mkdir()
    (folder / "media" / "harbour.png").write_bytes(b"\x89PNG")
    monkeypatch.setenv("AIRFLOW_CONN_CONTENT_PLAN", content_plan(folder / "plan.db"))
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)
