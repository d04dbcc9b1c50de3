# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows a second and memory of an export of attributed orders, next to a loop that collects them in a list.

    python -m benchmarks.export [--orders 1000000]

A loopback server makes up the orders, 100 a page, without a rate limit. Each way runs in a process of its own. Memory
is the highest resident size above what the process had after a first export of a few orders, so that imports do not
count; what they take is shown beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COUNT = int(sys.argv[1])
ROW = (
    '{"id":"or_%09d","campaign_id":"ca_%d","creator_id":"cr_%d","amount":"%d.%02d","currency":"USD",'
    '"attributed_at":"2025-%02d-%02dT%02d:%02d:%02dZ"}'
)

def row(n):
    day = n // 90000 % 12 + 1, n // 3600 % 28 + 1
    return ROW % (n, n % 7, n % 501, n % 997, n % 100, *day, n // 60 % 24, n % 60, n % 59)

class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send(b'{"access_token": "bench", "expires_in": 86400}')
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["20"])[0])
        count = 500 if "from" in query else COUNT
        rows = ",".join(row(n) for n in range(max(count - (page - 1) * size, 0), max(count - page * size, 0), -1))
        meta = '{"page":%d,"per_page":%d,"total":%d}' % (page, size, count)
        self.send(('{"data":[%s],"meta":%s}' % (rows, meta)).encode())
    def send(self, body):
        head = "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.wfile.write((head % len(body)).encode() + body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
WAYS = ("orders.jsonl", "orders.jsonl.gz", "orders.parquet", "a list")
MIB = 1024**2


class Peak:
    """The highest resident size of this process while the block runs, in bytes above the one at its start."""

    def __enter__(self) -> Peak:
        self._process = psutil.Process()
        self.start = self.highest = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, self._process.memory_info().rss)

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def above(self) -> int:
        return self.highest - self.start


class Memory(dict[str, Any]):
    """A state store."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        self[key] = value


def exported(url: str, path: Path) -> Callable[..., int]:
    """Export with the operator."""
    from airflow.sdk import Asset

    from airflow_provider_mkt.transfers.flinque import FlinqueAttributionToObjectStorageOperator

    extra = {"requests_per_minute": 100_000}
    account = {"login": "bench-client", "password": "bench-secret"}
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "flinque", "host": url, **account, "extra": extra})
    asset = Asset("orders")

    def export(since: str | None = None) -> int:
        place = path.with_name(f"first-{path.name}") if since else path
        task = FlinqueAttributionToObjectStorageOperator(
            task_id="export", path=str(place), since=since, flinque_conn_id="bench", outlets=[asset]
        )
        context = {
            "ti": SimpleNamespace(map_index=-1),
            "task_state_store": Memory(),
            "asset_state_store": {asset: Memory()},
            "outlet_events": {asset: SimpleNamespace()},
        }
        return int(task.execute(context)["rows"])

    return export


def collected(url: str, path: Path) -> Callable[..., int]:
    """Do what one writes in a hurry."""
    import requests

    def export(since: str | None = None) -> int:
        session = requests.Session()
        rows: list[Any] = []
        page = 1
        while True:
            query = {"page": page, "per_page": 100, "from": since}
            found = session.get(f"{url}/attribution/orders", params=query, timeout=30).json()["data"]
            rows += found
            page += 1
            if len(found) < 100:
                break
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return len(rows)

    return export


def measure(way: str, url: str, folder: Path) -> None:
    """Export all orders in one way, in this process, and print what it took."""
    before = psutil.Process().memory_info().rss
    path = folder / (way if "." in way else "list.jsonl")
    export = collected(url, path) if way == "a list" else exported(url, path)
    export("2025-01-01")
    imports = psutil.Process().memory_info().rss - before
    with Peak() as peak:
        begun, used = time.perf_counter(), time.process_time()
        rows = export()
        took, used = time.perf_counter() - begun, time.process_time() - used
    size = path.stat().st_size
    print(
        f"{way:16} {rows:9,} rows in {took:6.1f} s = {rows / took:7,.0f} rows/s; {used:6.1f} s of CPU; "
        f"memory +{peak.above / MIB:6.1f} MiB (imports {imports / MIB:.0f}); file {size / MIB:6.1f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        measure(arguments.way, arguments.url, Path(os.environ["AIRFLOW_HOME"]))
        return
    with tempfile.TemporaryDirectory() as home:
        # The vendor's rate budgets are kept in a file in Airflow's home.
        environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(arguments.orders)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            for way in arguments.ways:
                command = [sys.executable, "-m", "benchmarks.export", "--way", way, "--url", url]
                subprocess.run(command, env=environment, check=True)
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
