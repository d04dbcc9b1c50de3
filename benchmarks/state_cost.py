# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a slot costs: time and CPU of one reservation, on SQLite and PostgreSQL.

    python -m benchmarks.state_cost [--number 3000] [--postgres URL]

The budget holds 100 requests per minute and is in steady use, so that a reservation reads and writes a full window.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.dialects import usable
from airflow_provider_mkt.state.database.store import Store

POSTGRES = os.environ.get("MKT_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@contextmanager
def scratch_database(server: str) -> Iterator[URL]:
    """A database of our own on ``server``, dropped in the end."""
    name = f"mkt_benchmark_{uuid.uuid4().hex[:12]}"
    admin = create_engine(usable(server), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def measure(url: URL, names: tuple[str, ...], number: int) -> str:
    """Return p50, p99 and CPU of ``number`` reservations, at a pace that keeps the window just full."""
    store = Store(url)
    window = 0.4
    limits = {"default": Limit(100, window), "post_creation": Limit(100, window)}
    budget = SharedBudget(("benchmark", "http://x", uuid.uuid4().hex), limits, 1.0, lambda: store)
    for _ in range(100):
        budget.reserve(names)
    took, cpu = [], 0.0
    for _ in range(number):
        begun, used = time.perf_counter(), time.process_time()
        wait = budget.reserve(names)
        took.append(time.perf_counter() - begun)
        cpu += time.process_time() - used
        time.sleep(min(wait, window))
    store.close()
    took.sort()
    p50, p99 = took[number // 2] * 1000, took[number * 99 // 100] * 1000
    return f"p50 {p50:6.3f} ms   p99 {p99:6.3f} ms   CPU {cpu / number * 1000:6.3f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--postgres", default=POSTGRES)
    arguments = parser.parse_args()
    one, two = ("default",), ("default", "post_creation")
    with tempfile.TemporaryDirectory() as folder, scratch_database(arguments.postgres) as postgres:
        sqlite = URL.create("sqlite", database=str(Path(folder) / "state.db"))
        databases = {"SQLite": sqlite}
        for driver in filter(find_spec, ("psycopg", "psycopg2")):
            databases[f"PostgreSQL, {driver}"] = postgres.set(drivername=f"postgresql+{driver}")
        for title, url in databases.items():
            for names in (one, two):
                print(f"{title:22} {len(names)} budget(s)   {measure(url, names, arguments.number)}", flush=True)


if __name__ == "__main__":
    main()
