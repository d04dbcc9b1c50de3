# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One rate limit, many processes: who gets how much of it, and what is refused.

    python -m benchmarks.budget [--seconds 39] [--requests 480] [--processes 1 4 16] [--postgres URL]

A vendor on this machine permits 60 requests in any 3 seconds, by arrival, and answers the others with 429 and
``Retry-After``. Compared are this provider on both databases, ``requests`` with urllib3's retries, ``HttpHook`` with
tenacity, and tasks with an ``HttpOperator`` and Airflow's own retries, whose scheduler is simulated in their favour
(see ``benchmarks/contenders.py``). Two questions:

time
    Every process sends as much as it may for so many seconds.
work
    The same number of requests for everybody: how long until all are answered, how many were refused on the way, how
    many were given up. A perfect sender needs 3 s for every 60 after the first 60.
"""

from __future__ import annotations

import argparse
import os
import queue
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL

from airflow_provider_mkt.state.database.store import Store
from benchmarks.contenders import CONTENDERS, LIMIT, work
from benchmarks.state_cost import POSTGRES, scratch_database
from tests.integration.state.crowd import PROCESSES, Strict, crowd, serve

ENDLESS = 10**9
LONGEST = 600.0


def for_a_time(name: str, url: str, names: list[str], seconds: float) -> str:
    """Run one process per name for so many seconds, and say how the vendor saw it."""
    vendor = Strict(LIMIT)
    with (
        serve(lambda path: (*vendor.arrive(path), b"{}")) as base,
        crowd(work, [(name, url, base, who, ENDLESS, None) for who in names]),
    ):
        while not vendor.accepted or time.monotonic() < vendor.accepted[0][0] + seconds:
            time.sleep(0.05)
    return vendor.told(seconds, names)


def for_some_work(name: str, url: str, names: list[str], number: int) -> str:
    """Have one process per name send its part of ``number`` requests, and say how long that took."""
    vendor, results, lost = Strict(LIMIT), PROCESSES.Queue(), 0
    share = number // len(names)
    with (
        serve(lambda path: (*vendor.arrive(path), b"{}")) as base,
        crowd(work, [(name, url, base, who, share, results) for who in names]),
    ):
        begun = time.monotonic()
        try:
            for _ in names:
                lost += results.get(timeout=max(0.1, begun + LONGEST - time.monotonic()))[1]
        except queue.Empty:
            return f"not done after {LONGEST:.0f} s: {len(vendor.accepted)} answered"
    took = vendor.accepted[-1][0] - vendor.accepted[0][0]
    asked = share * len(names)
    refused = sum(vendor.refused.values())
    answered = f"{len(vendor.accepted)} of {asked} answered in {took:6.1f} s"
    return f"{answered}, refused {refused:5d} ({refused / asked:.2f} a request), given up {lost}"


def rows(folder: str, postgres: URL, number: int) -> Iterator[tuple[str, str, str]]:
    """Yield title, contender and store of each row."""
    for title, url in (
        ("this provider, SQLite", URL.create("sqlite", database=str(Path(folder) / f"{number}-{time.time()}.db"))),
        ("this provider, PostgreSQL", postgres),
    ):
        text = url.render_as_string(hide_password=False)
        store = Store(text)
        store.run(lambda _: None)
        store.close()
        yield title, "this provider", text
    for name in list(CONTENDERS)[1:]:
        if name.startswith("Http") and not find_spec("airflow.providers.http"):
            print(f"{number:2d} {name:28} apache-airflow-providers-http is not installed")
            continue
        yield name, name, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=39.0)
    parser.add_argument("--requests", type=int, default=480)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--postgres", default=POSTGRES)
    options = parser.parse_args()
    perfect = (options.requests / LIMIT.requests - 1) * LIMIT.window
    with tempfile.TemporaryDirectory() as folder, scratch_database(options.postgres) as postgres:
        os.environ.setdefault("AIRFLOW_HOME", folder)
        for number in options.processes:
            names = [f"p{index}" for index in range(number)]
            if options.seconds:
                print(f"{number} processes, as much as they may", flush=True)
                for title, name, url in rows(folder, postgres, number):
                    print(f"   {title:28}", for_a_time(name, url, names, options.seconds), flush=True)
            if options.requests:
                print(f"{number} processes, {options.requests} requests; perfect: {perfect:.1f} s", flush=True)
                for title, name, url in rows(folder, postgres, number):
                    print(f"   {title:28}", for_some_work(name, url, names, options.requests), flush=True)
                    # The vendor is a new one each time; in the store the last window must have passed as well.
                    time.sleep(LIMIT.window + 1)


if __name__ == "__main__":
    main()
