# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: a vendor that counts strictly refuses nothing, gets nearly all it permits, and every process its part.

``make budget`` makes the same experiments for 39 seconds each, thirteen windows, and prints their figures.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.endpoint import Call, Limit, Priority
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.database.store import Store
from tests.integration.state.crowd import (
    ACCOUNT,
    ENDPOINT,
    PROCESSES,
    NoAuth,
    Sleep,
    Strict,
    consume,
    crowd,
    fill_queue,
    serve,
)

log = logging.getLogger(__name__)

LONG = os.environ.get("MKT_BUDGET_SECONDS")
LIMIT = Limit(60, 3.0) if LONG else Limit(40, 2.0)
SECONDS = float(LONG) if LONG else 6.0
# Several share a larger limit for longer, so that one request more or less is no unfairness.
CROWDED, CROWDED_SECONDS = (LIMIT, SECONDS) if LONG else (Limit(60, 2.0), 14.0)
BY_THE_CLOCK = ("p0", "p1", "p2", "p3")
EXPERIMENTS = 3
"""How often an experiment is made, for want of a machine that keeps time."""


def punctual(experiment: Callable[[], Strict]) -> Strict:
    """Return the vendor of an experiment during which the machine kept time.

    A process that wakes up long after its slot sends late, whatever the budget does: on such a machine nothing is
    proved or disproved. The processes that send say how late they woke up, and so does the vendor's.
    """
    late = []
    for _ in range(EXPERIMENTS):
        vendor = experiment()
        if vendor.late <= MARGIN / 2:
            return vendor
        late.append(f"{vendor.late:.3f}")
    pytest.fail(f"The machine was too busy for this proof: processes overslept by up to {', '.join(late)} s.")


def empty(url: str) -> None:
    """Make the store, and forget what an earlier experiment used."""
    used = Store(url)
    used.run(lambda connection: connection.execute(text("DELETE FROM mkt_budget")))
    used.close()


def run(url: str, vendor: Strict, workers: dict[str, float], seconds: float) -> Strict:
    """Have workers (name -> seconds by which their clock is ahead) send all they may."""
    empty(url)
    with serve(lambda path: (*vendor.arrive(path), b"{}")) as base:
        arguments = [(url, base, vendor.limit, 1.0, who, skew, None) for who, skew in workers.items()]
        with crowd(consume, arguments):
            last(vendor, seconds)
    return vendor


def last(vendor: Strict, seconds: float) -> None:
    """Wait until so many seconds have passed since the first request."""
    deadline = time.monotonic() + 2 * seconds + 10.0
    while not vendor.accepted or time.monotonic() < vendor.accepted[0][0] + seconds:
        assert time.monotonic() < deadline
        sleep = Sleep()
        sleep(0.05)
        vendor.late = max(vendor.late, sleep.overslept)


class DatabaseClock:
    """The clock of a database, and how far it is ahead of this machine's.

    For PostgreSQL a function of the same name, found first, takes the place of the real one; SQLite has no clock of its
    own, so its host's is shown to it.
    """

    def __init__(self, url: str) -> None:
        self._parsed = make_url(url)
        self.ahead = PROCESSES.Value("d", 0.0)
        if self._parsed.get_backend_name() == "postgresql":
            self._shadow()

    @property
    def url(self) -> str:
        found = self._parsed
        if found.get_backend_name() == "postgresql":
            found = found.update_query_dict({"options": "-c search_path=public,skewed,pg_catalog"})
        return found.render_as_string(hide_password=False)

    def set(self, ahead: float) -> None:
        self.ahead.value = ahead
        if self._parsed.get_backend_name() == "postgresql":
            self._execute(f"UPDATE skewed.clock SET ahead = {ahead}")

    def _shadow(self) -> None:
        now = "SELECT pg_catalog.clock_timestamp() + (SELECT ahead * interval '1 s' FROM skewed.clock)"
        self._execute(
            "DROP SCHEMA IF EXISTS skewed CASCADE",
            "CREATE SCHEMA skewed",
            "CREATE TABLE skewed.clock AS SELECT 0.0::float AS ahead",
            f"CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $${now}$$",
        )

    def _execute(self, *statements: str) -> None:
        engine = create_engine(self._parsed)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@pytest.fixture
def clock(url: str) -> DatabaseClock:
    return DatabaseClock(url)


@pytest.fixture
def sqlite_elsewhere(tmp_path: Path) -> str:
    """The store of somebody else."""
    return URL.create("sqlite", database=str(tmp_path / "elsewhere.db")).render_as_string()


@contextmanager
def under(clock: DatabaseClock, vendor: Strict) -> Iterator[None]:
    """Some processes that send all they may, by this clock."""
    empty(clock.url)
    with serve(lambda path: (*vendor.arrive(path), b"{}")) as base:
        arguments = [(clock.url, base, vendor.limit, 1.0, who, 0.0, clock.ahead) for who in BY_THE_CLOCK]
        with crowd(consume, arguments):
            yield


@pytest.mark.parametrize(
    ("url", "number"),
    [(database, number) for database in ("sqlite", "postgresql") for number in (1, 4, 16)],
    indirect=["url"],
)
def test_nearly_all_that_is_permitted_and_never_more(url: str, number: int) -> None:
    skews = (-1.0, 0.0, 1.0) if number == 4 else (0.0,)
    workers = {f"p{index}": skews[index % len(skews)] for index in range(number)}
    limit, seconds = (CROWDED, CROWDED_SECONDS) if number > 1 else (LIMIT, SECONDS)
    vendor = punctual(lambda: run(url, Strict(limit, headers=number == 16), workers, seconds))
    log.info("%d processes: %s", number, vendor.told(seconds, workers))
    assert sum(vendor.refused.values()) == 0
    assert vendor.counts(seconds).total() >= 0.97 * vendor.permitted(seconds)
    # Who is up first gets most of the first window; from then on they take turns.
    turns = vendor.counts(seconds, since=limit.window)
    assert min(turns[who] for who in workers) >= 0.7 * max(turns.values())


def test_somebody_else_uses_the_same_key(url: str, sqlite_elsewhere: str) -> None:
    """The other one keeps its own books, and half of the limit; to us it is only a number in ``budget_share``."""

    names = [f"our{index}" for index in range(4)]

    def experiment() -> Strict:
        vendor = Strict(LIMIT)
        for each in (url, sqlite_elsewhere):
            empty(each)
        with serve(lambda path: (*vendor.arrive(path), b"{}")) as base:
            ours = [(url, base, LIMIT, 0.5, who, 0.0, None) for who in names]
            with crowd(consume, [*ours, (sqlite_elsewhere, base, LIMIT, 0.5, "other", 0.0, None)]):
                last(vendor, SECONDS)
        return vendor

    vendor = punctual(experiment)
    log.info("half for somebody else: %s", vendor.told(SECONDS, [*names, "other"]))
    assert dict(vendor.refused) == {}
    counts = vendor.counts(SECONDS)
    expected = 0.97 * vendor.permitted(SECONDS) / 2
    assert sum(counts[who] for who in counts if who != "other") >= expected
    assert counts["other"] >= expected


@pytest.mark.parametrize("ahead", [1.0, -1.0])
def test_the_clock_of_the_database_is_another(clock: DatabaseClock, ahead: float) -> None:
    """What counts is that all go by the same clock, not which time it shows."""

    def experiment() -> Strict:
        clock.set(ahead)
        vendor = Strict(LIMIT)
        with under(clock, vendor):
            last(vendor, SECONDS)
        return vendor

    vendor = punctual(experiment)
    log.info("the database's clock %+.0f s: %s", ahead, vendor.told(SECONDS, BY_THE_CLOCK))
    assert sum(vendor.refused.values()) == 0
    assert vendor.counts(SECONDS).total() >= 0.97 * vendor.permitted(SECONDS)


def test_the_clock_of_the_database_is_set_back(clock: DatabaseClock) -> None:
    def experiment() -> Strict:
        clock.set(0.0)
        vendor = Strict(LIMIT)
        with under(clock, vendor):
            last(vendor, 1.5 * LIMIT.window)
            clock.set(-1.0)
            last(vendor, SECONDS)
        return vendor

    vendor = punctual(experiment)
    assert sum(vendor.refused.values()) == 0
    log.info("the database's clock set back by 1 s: %s", vendor.told(SECONDS, BY_THE_CLOCK))
    # A second may be lost: what was sent before seems to lie further ahead.
    assert vendor.counts(SECONDS).total() >= 0.97 * LIMIT.requests * (SECONDS - 1.0) / LIMIT.window


def test_the_clock_of_the_database_is_set_forward(clock: DatabaseClock) -> None:
    """Nobody can tell that a second did not pass, so some of a window is used twice; the first 429 ends that."""
    window, settled = LIMIT.window, 4 * LIMIT.window

    def experiment() -> Strict:
        clock.set(0.0)
        vendor = Strict(LIMIT)
        with under(clock, vendor):
            last(vendor, 1.5 * window)
            clock.set(1.0)
            last(vendor, settled)
            early.append(sum(vendor.refused.values()))
            last(vendor, 6 * window)
        return vendor

    early: list[int] = []
    vendor = punctual(experiment)
    # A slot from before is freed a second early. Those that had begun matter for a window (2 s), those that processes
    # were waiting for, one each, for a second after they begin, at most a window later. A 429 quiets all for a second
    # at least, and meets one request of each process: there are two rounds of refusals for the former, one for the
    # latter.
    log.info("the database's clock set forward by 1 s: %s", vendor.told(6 * window, BY_THE_CLOCK))
    assert early[-1] <= 3 * len(BY_THE_CLOCK)
    assert sum(vendor.refused.values()) == early[-1], "none once the slots from before have passed"
    assert vendor.counts(6 * window, since=settled).total() >= LIMIT.requests


def test_a_launch_overtakes_two_thousand_reads(url: str) -> None:
    limit = Limit(60, 60.0)
    processes = [PROCESSES.Process(target=fill_queue, args=(url, limit, 500)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    used = Store(url)
    (use,) = snapshot(used)
    # What is booked for polls is only what goes out within seconds.
    assert use.used + use.queued == 0.8 * limit.requests
    budget = SharedBudget(ACCOUNT, {"default": limit}, 1.0, lambda: used)
    soon = limit.window / limit.requests + 1.0
    vendor = Strict(limit)
    with serve(lambda path: (*vendor.arrive(path), b"{}")) as base:
        client = ApiClient(Settings("Strict", {"api": base}), NoAuth(), budget, Redactor())
        asked = time.monotonic()
        client.send(Call(ENDPOINT, path={"who": "launch"}))
    assert vendor.accepted[0][0] - asked <= soon
    # And so do the next ones, until their fifth of the window is used up.
    assert all(budget.reserve(("default",)) <= soon for _ in range(11))
    with pytest.raises(RateLimitError):
        budget.reserve(("default",), Priority.POLL)
    used.close()
