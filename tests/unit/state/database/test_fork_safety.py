# Licensed under the Apache License, Version 2.0; see LICENSE.
"""No SQLite connection lives through a fork, and a child has a store of its own."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from airflow_provider_mkt.state.database import fork_safety, shared
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError
from tests.unit.state.database.rows import add_budget, count, elsewhere, versions


def test_a_forked_child_gets_a_store_of_its_own(
    nothing_untold: None, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{path}")
    monkeypatch.setattr(shared, "_stores", {})
    mine = store()
    mine.run(add_budget)
    assert store() is mine
    child = os.fork()
    if child == 0:
        try:
            other = store()
            other.run(lambda connection: add_budget(connection, "child"))
            os._exit(0 if other is not mine else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine.run(count) == 2


def in_child(work: Callable[[], bool]) -> int:
    """Fork, do ``work`` in the child, and return the child's id; it exits with 0 when that returned True."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return child


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, path: Path) -> Iterator[Store]:
    """This process's own store, in use."""
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{path}")
    monkeypatch.setattr(shared, "_stores", {})
    made = store()
    made.run(versions)
    yield made
    made.close()


def test_what_a_child_commits_survives_its_parent_and_whoever_closes_the_file(mine: Store, path: Path) -> None:
    """The parent forks and ends, another process opens and closes the file, and then the child commits."""
    ready, go = os.pipe(), os.pipe()

    def child() -> bool:
        store().run(versions)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        store().run(add_budget, durable=True)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        return True

    def parent() -> bool:
        store().run(versions)
        in_child(child)
        return True

    mine.close()
    assert ended_well(in_child(parent))
    for committed in (0, 1):
        assert select.select([ready[0]], [], [], 30)[0]
        os.read(ready[0], 1)
        assert elsewhere(path) == committed
        os.write(go[1], b"x")
    for descriptor in (*ready, *go):
        os.close(descriptor)


def test_a_fork_waits_for_transactions_and_holds_up_new_ones(mine: Store, path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        add_budget(connection)
        inside.set()
        leave.wait(10)

    thread = threading.Thread(target=mine.run, args=(work,))
    thread.start()
    inside.wait(10)
    timer = threading.Timer(0.2, leave.set)
    timer.start()
    assert ended_well(in_child(lambda: leave.is_set() and store().run(count) == 1))
    thread.join()
    mine.run(lambda connection: add_budget(connection, "after"))
    assert elsewhere(path) == 2


@pytest.mark.slow
def test_a_fork_in_the_middle_of_a_transaction_leaves_the_child_without_the_store(
    mine: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It inherits what SQLite noted of the parent's locks, and would commit without a lock."""
    monkeypatch.setattr(fork_safety, "MAX_WAIT", 0.1)

    def refused() -> bool:
        with pytest.raises(StoreError, match="forked while a transaction was under way"):
            store().run(versions)
        return True

    def work(_: Connection) -> bool:
        return ended_well(in_child(lambda: refused() and ended_well(in_child(refused))))

    assert mine.run(work)
    threads = [threading.Thread(target=lambda: mine.run(lambda _: time.sleep(0.5))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not fork_safety.CONNECTIONS._inside:
        time.sleep(0.01)
    assert ended_well(in_child(refused))
    for thread in threads:
        thread.join()
    assert ended_well(in_child(lambda: store().run(versions) > 0))
