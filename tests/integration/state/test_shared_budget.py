# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: a vendor that counts strictly refuses nothing, gets nearly all it permits, and every process its part."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.state.budget import StoreBudget, snapshot
from airflow_provider_mkt.state.store import Store
from tests.integration.state.crowd import ACCOUNT, PROCESSES, Strict, consume, crowd, fill_queue, serve

LIMIT = Limit(40, 2.0)
WINDOWS = 3
SECONDS = WINDOWS * LIMIT.window


def run(url: str, vendor: Strict, workers: dict[str, tuple[float, float]]) -> Counter[str]:
    """Have workers (name -> share, clock skew) send all they may; return what was accepted in so many windows."""
    Store(url).run(lambda _: None)
    with serve(lambda path: (*vendor.arrive(path.lstrip("/")), b"{}")) as base:
        arguments = [(url, base, LIMIT, share, who, skew) for who, (share, skew) in workers.items()]
        with crowd(consume, arguments):
            deadline = time.monotonic() + 2 * SECONDS
            while not vendor.accepted or time.monotonic() < vendor.accepted[0][0] + SECONDS:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    return vendor.counts(SECONDS)


@pytest.mark.parametrize(
    ("url", "number"),
    [("sqlite", 1), ("sqlite", 4), ("sqlite", 16), ("postgresql", 4), ("postgresql", 16)],
    indirect=["url"],
)
def test_nearly_all_that_is_permitted_and_never_more(url: str, number: int) -> None:
    if number == 4:
        workers = {f"p{index}": (1.0, (-1.0, 0.0, 1.0)[index % 3]) for index in range(number)}
    else:
        workers = {f"p{index}": (1.0, 0.0) for index in range(number)}
    vendor = Strict(LIMIT, headers=number == 16)
    counts = run(url, vendor, workers)
    assert sum(vendor.refused.values()) == 0
    assert counts.total() >= 0.97 * LIMIT.requests * WINDOWS
    # Who is up first gets most of the first window; from then on they take turns.
    turns = vendor.counts(SECONDS, since=LIMIT.window)
    assert min(turns[who] for who in workers) >= 0.7 * max(turns.values())


def test_somebody_else_uses_the_same_key(url: str) -> None:
    """The other one keeps its own books and half of the limit; to us it is only a number in ``budget_share``."""
    other = url.replace("state.db", "other.db") if url.startswith("sqlite") else None
    vendor = Strict(LIMIT)
    Store(url).run(lambda _: None)
    with serve(lambda path: (*vendor.arrive(path.lstrip("/")), b"{}")) as base:
        ours = [(url, base, LIMIT, 0.5, f"our{index}", 0.0) for index in range(4)]
        with crowd(consume, [*ours, *([(other, base, LIMIT, 0.5, "other", 0.0)] if other else [])]):
            while not vendor.accepted or time.monotonic() < vendor.accepted[0][0] + SECONDS / 2:
                time.sleep(0.05)
    assert sum(vendor.refused.values()) == 0
    counts = vendor.counts(SECONDS / 2)
    expected = LIMIT.requests / 2 * WINDOWS / 2
    assert sum(counts[who] for who in counts if who != "other") >= 0.97 * expected
    assert not other or counts["other"] >= 0.97 * expected


def test_a_launch_overtakes_two_thousand_reads(url: str) -> None:
    limit = Limit(60, 60.0)
    processes = [PROCESSES.Process(target=fill_queue, args=(url, limit, 500)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    used = Store(url)
    (use,) = snapshot(used)
    assert use.used + use.queued == 2000
    budget = StoreBudget(ACCOUNT, {"default": limit}, 1.0, lambda: used)
    slot_interval = limit.window / limit.requests
    assert all(budget.reserve(("default",)) <= slot_interval + 1.0 for _ in range(12))
    assert budget.reserve(("default",), Priority.NEWS) > 30 * limit.window
    used.close()
