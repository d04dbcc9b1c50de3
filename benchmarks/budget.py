# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One rate limit, many processes: who gets how much of it, and what is refused.

    python -m benchmarks.budget [--seconds 40] [--processes 1 4 16] [--postgres URL]

A vendor on this machine permits 60 requests in any 3 seconds, by arrival, and answers the others with 429 and
``Retry-After``. Every process sends as much as it may. Compared are this provider on both databases, ``requests`` with
urllib3's retries, and ``HttpHook`` with tenacity (when apache-airflow-providers-http is installed).

"permitted" is 60 per 3 s over the time of the run; a burst at its very beginning can exceed that by up to 60.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.store import Store
from benchmarks.state_cost import POSTGRES, scratch_database
from tests.integration.state.crowd import Strict, consume, crowd, serve

LIMIT = Limit(60, 3.0)


def with_this_provider(*arguments: Any) -> None:
    """The client and the rate budget of this provider."""
    logging.disable(logging.CRITICAL)
    consume(*arguments)


def with_requests(base: str, who: str, start: Any) -> None:
    """``requests`` as its documentation advises: an adapter that repeats after a 429, obeying Retry-After."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(10, backoff_factor=1, status_forcelist=[429])))
    start.wait()
    while True:
        session.get(f"{base}/{who}", timeout=30)


def with_http_hook(base: str, who: str, start: Any) -> None:
    """Airflow's ``HttpHook`` with its tenacity retries, exponential with jitter."""
    import tenacity
    from airflow.providers.http.hooks.http import HttpHook

    logging.disable(logging.CRITICAL)
    host = base.removeprefix("http://")
    os.environ["AIRFLOW_CONN_STRICT"] = json.dumps({"conn_type": "http", "host": host})
    hook = HttpHook(method="GET", http_conn_id="strict")
    retries = {
        "wait": tenacity.wait_random_exponential(multiplier=1, max=60),
        "stop": tenacity.stop_after_attempt(10),
        "retry": tenacity.retry_if_exception_type(Exception),
    }
    start.wait()
    while True:
        hook.run_with_advanced_retry(_retry_args=retries, endpoint=who)


def run(target: Any, arguments: list[tuple[Any, ...]], names: list[str], seconds: float) -> str:
    """Run one process per name for so many seconds, and say how the vendor saw it."""
    vendor = Strict(LIMIT)
    with serve(lambda path: (*vendor.arrive(path.lstrip("/")), b"{}")) as base:
        with crowd(target, [(*before, base, *after) for before, after in arguments]):
            while not vendor.accepted or time.monotonic() < vendor.accepted[0][0] + seconds:
                time.sleep(0.05)
        refused = sum(vendor.refused.values())
    counts = vendor.counts(seconds)
    part = counts.total() / (LIMIT.requests * seconds / LIMIT.window)
    fewest, most = min(counts[name] for name in names), max(counts[name] for name in names)
    got = f"{counts.total():5d} = {part:6.1%} of what is permitted"
    return f"{got}, refused {refused:5d}, least/most served {fewest}/{most}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--postgres", default=POSTGRES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, scratch_database(options.postgres) as postgres:
        os.environ.setdefault("AIRFLOW_HOME", folder)
        for number in options.processes:
            names = [f"p{index}" for index in range(number)]
            for title, database in (
                ("this provider, SQLite", URL.create("sqlite", database=str(Path(folder) / f"{number}.db"))),
                ("this provider, PostgreSQL", postgres),
            ):
                url = database.render_as_string(hide_password=False)
                with_store = Store(url)
                with_store.run(lambda _: None)
                with_store.close()
                arguments = [((url,), (LIMIT, 1.0, name, 0.0)) for name in names]
                print(f"{number:2d} {title:26}", run(with_this_provider, arguments, names, options.seconds), flush=True)
            plain = [((), (name,)) for name in names]
            print(
                f"{number:2d} {'requests, urllib3 Retry':26}",
                run(with_requests, plain, names, options.seconds),
                flush=True,
            )
            if find_spec("airflow.providers.http"):
                print(
                    f"{number:2d} {'HttpHook, tenacity':26}",
                    run(with_http_hook, plain, names, options.seconds),
                    flush=True,
                )
            else:
                print(f"{number:2d} HttpHook: apache-airflow-providers-http is not installed")


if __name__ == "__main__":
    main()
