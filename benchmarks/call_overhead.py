# Licensed under the Apache License, Version 2.0; see LICENSE.
"""CPU that one call of a hook costs, next to a bare ``requests.Session`` doing the same GET.

    python -m benchmarks.call_overhead [--calls 1000] [--rounds 5] [--postgres URL] [--one-by-one]

One loopback server in a process of its own serves both, in turns, in one run; the medians of the rounds are shown, and
that of the rounds' ratios, which other work on the machine disturbs less. The provider's calls go through
authentication, the shared rate budget, classification, the retry policy and redaction. The budget is emptied between
rounds, so that a window of it holds about as many requests as a vendor permits. Where a vendor permits 200 requests a
minute or more, a process that asks in quick succession takes several slots at once, as here; with ``--one-by-one`` each
call takes its own, as with smaller limits. What a PostgreSQL server computes for
them is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks.state_cost import POSTGRES, scratch_database

SERVER = """
import json, socketserver, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Post(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = json.dumps({"data": {"id": "post_1", "channelId": "c", "content": "hello", "status": "queued"}}).encode()

    def do_GET(self):
        head = "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.wfile.write((head % len(self.body)).encode() + self.body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
KEY = "flow_sk_live_benchmark_0000"


def cpu(calls: int, call: Callable[[], object]) -> tuple[float, float]:
    """Return CPU seconds and wall-clock seconds of this process for so many calls."""
    used, begun = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return time.process_time() - used, time.perf_counter() - begun


def bare(url: str) -> Callable[[], object]:
    """Do what a user writes without the provider."""
    import requests

    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {KEY}"

    def get() -> object:
        response = session.get(f"{url}/posts/post_1", timeout=(5, 30))
        response.raise_for_status()
        return response.json()["data"]

    return get


def hooked(url: str) -> Callable[[], object]:
    """Do the same with the hook."""
    from airflow.sdk import Connection

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

    extra = json.dumps({"requests_per_minute": 100_000})
    connection = Connection(conn_id="b", conn_type="flow_social", host=url, password=KEY, extra=extra)
    hook = FlowSocialHook("b", connection=connection)
    return lambda: hook.get_post("post_1")


def compare(url: str, calls: int, rounds: int, *, one_by_one: bool) -> None:
    """Print the medians of both, taken in turns."""
    from airflow_provider_mkt.state.budgets import stock
    from airflow_provider_mkt.state.database.shared import store

    if one_by_one:
        stock.MAX_NUMBER = 1
    ways = {"requests.Session.get": bare(url), "FlowSocialHook.get_post": hooked(url)}
    for call in ways.values():
        cpu(20, call)
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        store().run(lambda connection: connection.exec_driver_sql("DELETE FROM mkt_budget"))
        for name, call in ways.items():
            seen[name].append(cpu(calls, call))
    scale = 1000 / calls
    for name, figures in seen.items():
        used, took = (statistics.median(column) * scale for column in zip(*figures, strict=True))
        print(f"{name:26} {used:6.3f} s of CPU, {took:6.3f} s in all, for 1,000 calls")
    ratios = [hook[0] / plain[0] for plain, hook in zip(*seen.values(), strict=True)]
    print(f"{'ratio of the CPU seconds':26} {statistics.median(ratios):6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", default=POSTGRES)
    parser.add_argument("--one-by-one", action="store_true", help="a slot for each call, as with small limits")
    parser.add_argument("--store", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.store is None:
        # A process keeps one store, so each has one of its own.
        again = [sys.executable, "-m", "benchmarks.call_overhead", *sys.argv[1:], "--store"]
        print("budgets in SQLite", flush=True)
        subprocess.run([*again, ""], check=True)
        with scratch_database(arguments.postgres) as database:
            print("budgets in PostgreSQL", flush=True)
            subprocess.run([*again, database.render_as_string(hide_password=False)], check=True)
        return
    with tempfile.TemporaryDirectory() as home:
        # Before Airflow is imported: the budgets' store is a file in its home.
        os.environ["AIRFLOW_HOME"] = home
        if arguments.store:
            os.environ["AIRFLOW__MKT__STATE_URL"] = arguments.store
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            compare(url, arguments.calls, arguments.rounds, one_by_one=arguments.one_by_one)
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
