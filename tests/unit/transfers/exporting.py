# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A Flinque whose orders and lies a test decides, and runs of a DAG that export them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow.sdk import Asset

from airflow_provider_mkt.transfers.flinque import FlinqueAttributionToObjectStorageOperator
from tests.unit.context import Store, Task

ASSET = Asset("orders")
NOON = datetime(2026, 6, 8, 12, tzinfo=timezone.utc)


def order(number: int, at: Any = None, **fields: Any) -> dict[str, Any]:
    """An order; by default one a minute from noon on."""
    at = NOON + timedelta(minutes=number) if at is None else at
    moment = at.isoformat().replace("+00:00", "Z") if isinstance(at, datetime) else at
    row = {"id": f"or_{number}", "campaign_id": "ca_1", "creator_id": "cr_1", "amount": "12.50", "currency": "USD"}
    return {**row, "attributed_at": moment, **fields}


@dataclass
class Vendor:
    """What the vendor has and how it behaves.

    :param orders: in order of creation; they are listed newest first
    :param largest: rows of its largest page
    :param default: rows of a page when no size is asked for
    :param meta: what it tells about paging: all of it, or nothing
    :param takes_size: True, or False (ignores the size), or "refuses", or "echoes" one that it does not keep
    :param filters: whether it filters by time
    :param circle: after how many pages it begins anew, for ever
    :param total: what it tells as the number of orders, in place of the truth
    :param between: called before each page with its number
    """

    orders: list[dict[str, Any]] = field(default_factory=list)
    largest: int = 100
    default: int = 20
    meta: bool = True
    takes_size: Any = True
    filters: bool = True
    circle: int | None = None
    total: int | None = None
    between: Any = None
    failures: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def page(self, query: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(query)
        number = int(query.get("page", 1))
        if self.between:
            self.between(number)
        if self.failures:
            return self.failures.pop(0), {"error": {"message": "out of order"}}
        if "per_page" in query and self.takes_size == "refuses":
            return 400, {"error": {"message": "unknown parameter per_page"}}
        asked = int(query.get("per_page", self.default))
        size = min(asked, self.largest) if self.takes_size is True else self.default
        rows = [row for row in self.orders[::-1] if not self.filters or self._wanted(row, query)]
        place = (number - 1) % self.circle if self.circle else number - 1
        total = len(rows) if self.total is None else self.total
        meta = {"page": number, "per_page": asked if self.takes_size == "echoes" else size, "total": total}
        if self.circle:
            meta = {"page": number, "has_more": True}
        found = rows[place * size : (place + 1) * size]
        return 200, {"data": found, "meta": meta} if self.meta else found

    @staticmethod
    def _wanted(row: dict[str, Any], query: dict[str, str]) -> bool:
        at = str(row.get("attributed_at"))
        return not at.startswith("20") or query.get("from", "") <= at < query.get("to", "3")


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """Serve a vendor over HTTP and yield its base address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, {"access_token": "secret-token-1", "expires_in": 86_400})

        def do_GET(self) -> None:
            query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self.answer(*vendor.page(query))

        def answer(self, status: int, answer: Any) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Airflow:
    """The runs of one DAG, and what Airflow keeps for them."""

    folder: Path
    asset_state: Store = field(default_factory=Store)
    tasks: dict[str, Task] = field(default_factory=dict)
    events: dict[str, SimpleNamespace] = field(default_factory=dict)
    ending: str = ".jsonl"

    def __getitem__(self, asset: Asset) -> Store:
        assert asset == ASSET
        return self.asset_state

    def task(self, run: str) -> Task:
        return self.tasks.setdefault(run, Task(run_id=run, task_id="export"))

    def context(self, run: str) -> dict[str, Any]:
        events = self.events.setdefault(run, SimpleNamespace(extra={}))
        outlets = SimpleNamespace(__getitem__=None)
        outlets = {ASSET: events}
        return {**self.task(run).context, "asset_state_store": self, "outlet_events": outlets}

    def operator(self, run: str, **options: Any) -> FlinqueAttributionToObjectStorageOperator:
        path = str(self.folder / f"orders-{run}{self.ending}")
        return FlinqueAttributionToObjectStorageOperator(
            task_id="export", **{"path": path, "outlets": [ASSET], "flinque_conn_id": "lying", **options}
        )

    def export(self, run: str, **options: Any) -> dict[str, Any]:
        """Make the next try of a run."""
        return self.operator(run, **options).execute(self.context(run))

    def rows(self, run: str | None = None) -> list[dict[str, Any]]:
        """Return what stands in the file of a run, or in all files."""
        wanted = f"orders-{run}{self.ending}" if run else f"orders-*{self.ending}"
        texts = [read(path) for path in sorted(self.folder.glob(wanted))]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def ids(self, run: str | None = None) -> list[str]:
        """Return the ids in the file of a run, or in all files, in order of their numbers."""
        return sorted((row["id"] for row in self.rows(run)), key=lambda name: int(name.partition("_")[2]))

    @property
    def watermark(self) -> str | None:
        """What the asset state store holds of the cursor."""
        kept = self.asset_state.get("mkt.flinque_orders.lying") or {}
        return (kept.get("cursor") or {}).get("watermark")

    def files(self) -> set[str]:
        """Return the names of everything in the folder, hidden files too."""
        return {path.name for path in self.folder.iterdir()}


def read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def ids(*numbers: int) -> list[str]:
    return [f"or_{number}" for number in numbers]
