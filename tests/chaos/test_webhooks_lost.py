# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Nothing that a vendor was told to have arrived is lost, and nothing is handed over twice.

A vendor delivers 200 events a second, repeats what fails, and some of what does not. Meanwhile the process that
receives and hands over is killed, or PostgreSQL is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_mkt.clock import utcnow
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.inbox import HANDED_OVER, Inbox
from airflow_provider_mkt.webhooks.signature import sign
from scripts.demo.layout import PROJECT
from tests.unit.webhooks.consumers import events_of, scheduled_on

RATE, EVENTS = 200, int(os.environ.get("MKT_PROOF_EVENTS", "500"))
"""Deliveries a second, and how many in all."""
AGAIN = 0.5
"""Seconds after which the vendor repeats what failed."""
PATIENCE = 90.0
SECRET = "a-secret-of-this-test"
CONN_ID, EVENT = "flinque_default", "creator.added"

Blow = Callable[[], None]


@dataclass
class Vendor:
    """Delivers, and notes what was acknowledged.

    :param blows: what happens as soon as so many events are acknowledged
    """

    address: str
    blows: dict[int, Blow]
    striking: list[asyncio.Task[None]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)

    async def deliver(self, client: httpx.AsyncClient, number: int) -> None:
        event_id = f"evt_{number}"
        payload = {"id": event_id, "type": EVENT, "created_at": utcnow().isoformat(), "data": {"id": f"cr_{number}"}}
        body = json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", "X-Flinque-Signature": sign(SECRET, body)}
        # A tenth of what arrived is delivered once more all the same.
        missing = 2 if number % 10 == 0 else 1
        while missing:
            try:
                status = (await client.post(self.address, content=body, headers=headers)).status_code
            except httpx.HTTPError as error:
                status, name = 0, type(error).__name__
            else:
                name = str(status)
            if status == 200:
                self.acknowledged.add(event_id)
                missing -= 1
                if blow := self.blows.pop(len(self.acknowledged), None):
                    self.striking.append(asyncio.create_task(asyncio.to_thread(blow)))
            else:
                self.refused[name] += 1
                await asyncio.sleep(AGAIN)

    async def deliver_all(self) -> None:
        """Deliver all events, until all are acknowledged."""
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(timeout=httpx.Timeout(10.0, pool=None), limits=limits, trust_env=False) as client:
            begun = time.monotonic()
            tasks = []
            for number in range(EVENTS):
                await asyncio.sleep(max(0.0, begun + number / RATE - time.monotonic()))
                tasks.append(asyncio.create_task(self.deliver(client, number)))
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
            await asyncio.gather(*self.striking)


@dataclass
class Server:
    """The process that is killed."""

    port: int
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.receiving", str(self.port)]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def listening(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def until(what: str, answer: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


@pytest.fixture
def consumer() -> Iterator[int]:
    """The asset of the event, with a DAG that is scheduled on it; yields the asset's id."""
    with scheduled_on(CONN_ID, EVENT, consumer=False) as asset_id:
        yield asset_id


@pytest.fixture
def server(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    connection = dict(sandbox.connections[CONN_ID])
    connection["extra"] = {**(connection.get("extra") or {}), "webhook_secret": SECRET}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
    server = Server(free_port(), tmp_path / "server.log")
    yield server
    if server.child is not None:
        server.kill()


def handed_over(asset_id: int) -> Counter[str]:
    return Counter(str(extra["delivery_id"]) for extra in events_of(asset_id))


def prove(server: Server, url: str, asset_id: int, blows: dict[int, Blow]) -> None:
    server.start()
    until("the receiver", server.listening)
    vendor = Vendor(f"http://127.0.0.1:{server.port}/mkt/webhooks/{CONN_ID}", dict(blows))
    begun = time.monotonic()
    asyncio.run(vendor.deliver_all())
    took = time.monotonic() - begun
    assert len(vendor.striking) == len(blows)
    assert len(vendor.acknowledged) == EVENTS
    assert vendor.refused, "the blows hit nobody"
    store = Store(url)
    inbox = Inbox(lambda: store)

    def rows() -> list[Any]:
        with suppress(StoreError):
            found = inbox.find(limit=2 * EVENTS)
            return found if all(each.state == HANDED_OVER for each in found) else []
        return []

    stored = until("all to be handed over", rows)
    print(  # noqa: T201 - what was proved
        f"{EVENTS} events in {took:.1f} s, refused or broken off: {dict(vendor.refused)}; stored {len(stored)}, "
        f"handed over after {time.monotonic() - begun:.1f} s"
    )
    expected = Counter(digest(json.dumps([event_id])) for event_id in vendor.acknowledged)
    assert Counter(each.identity for each in stored) == expected
    assert handed_over(asset_id) == expected
    store.close()


def test_the_process_is_killed(server: Server, consumer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", url)
    prove(server, url, consumer, {EVENTS // 4: server.restart, EVENTS // 2: server.restart})


@dataclass
class Postgres:
    """A PostgreSQL of our own."""

    programs: Path
    folder: Path
    port: int

    def __post_init__(self) -> None:
        # It refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else None

    def run(self, program: str, *options: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self.user, cwd=self.folder, timeout=60)

    def make(self) -> None:
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-U", "mkt", "-A", "trust")
        self.control("start", "-o", f"-p {self.port} -k '{self.folder}' -c listen_addresses=127.0.0.1")

    def control(self, order: str, *options: str) -> None:
        self.run("pg_ctl", order, "-w", "-l", str(self.folder / "log"), *options)

    def restart(self) -> None:
        """As after a power failure: what was committed is read from its log."""
        self.control("restart", "-m", "immediate")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    if not found:
        pytest.skip("no initdb; install one: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:
        database = Postgres(Path(found[0]).resolve().parent, Path(folder), free_port())
        database.make()
        yield database
        database.control("stop", "-m", "immediate")


def test_postgresql_is_killed(
    server: Server, consumer: int, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://mkt@127.0.0.1:{postgres.port}/postgres"
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", url)
    prove(server, url, consumer, {EVENTS // 4: postgres.restart, EVENTS // 2: postgres.restart})
