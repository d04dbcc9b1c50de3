# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One at a time: those who wait, those who die, those who stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.state import exclusive as turns
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.exclusive import ExclusiveLease
from airflow_provider_mkt.state.tokens.table import MAX_LEASE, change


def leave_behind(store: Store, key: str, seconds: float) -> None:
    """A lease whose owner was killed."""

    def take(row: object, now: float) -> None:
        row.lease, row.lease_until = "dead", now + seconds  # type: ignore[attr-defined]

    change(store, key, take)


@pytest.mark.slow
def test_one_after_the_other(make_store: Callable[..., Store]) -> None:
    store, inside, most = make_store(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with ExclusiveLease(store, "address"):
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.02)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (inside, most) == (0, 1)


def test_other_work_does_not_wait(make_store: Callable[..., Store]) -> None:
    store = make_store()
    with ExclusiveLease(store, "address"), ExclusiveLease(store, "other address"):
        pass


def test_turn_of_a_dead_process_ends(make_store: Callable[..., Store]) -> None:
    store = make_store()
    leave_behind(store, "address", 0.3)
    with ExclusiveLease(store, "address") as turn:
        turn.ensure_owner()


def test_waiting_is_given_up(make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    leave_behind(store, "address", 3600.0)
    monkeypatch.setattr(turns, "MAX_WAIT", 0.2)
    with (
        pytest.raises(StoreError, match="another task is at the same work, for minutes"),
        ExclusiveLease(store, "address"),
    ):
        pass


@pytest.mark.slow
def test_long_work_keeps_its_turn(make_store: Callable[..., Store]) -> None:
    store = make_store()
    with ExclusiveLease(store, "address", lease=0.3) as turn:
        threading.Event().wait(1.0)
        held = change(store, "address", lambda row, now: row.leased_to_another("me", now))
        turn.ensure_owner()
    assert held


def test_turn_that_was_taken_over(make_store: Callable[..., Store]) -> None:
    store = make_store()
    with ExclusiveLease(store, "address") as turn:
        leave_behind(store, "address", 3600.0)
        with pytest.raises(StoreError, match="another one took over"):
            turn.ensure_owner()
    # The end of ours does not end theirs.
    assert change(store, "address", lambda row, now: row.leased_to_another("me", now))


def test_error_inside_ends_the_turn(make_store: Callable[..., Store]) -> None:
    store = make_store()
    with pytest.raises(LookupError), ExclusiveLease(store, "address"):
        raise LookupError
    with ExclusiveLease(store, "address"):
        pass


def rows(store: Store) -> int:
    return store.run(lambda connection: int(connection.execute(text("SELECT count(*) FROM mkt_token")).scalar_one()))


def test_nothing_is_left_of_a_turn(make_store: Callable[..., Store]) -> None:
    store = make_store()
    with suppress(LookupError), ExclusiveLease(store, "address"):
        assert rows(store) == 1
        raise LookupError
    assert rows(store) == 0


def test_a_turn_of_a_dead_process_lasts_no_longer_when_the_clock_is_set_back(
    make_store: Callable[..., Store], clock: Any
) -> None:
    store = make_store()
    clock.run_in(store)
    leave_behind(store, "address", 30.0)
    clock.now -= 86_400.0
    turn = ExclusiveLease(store, "address")
    assert not change(store, "address", turn._take)
    clock.now += MAX_LEASE + 1.0
    assert change(store, "address", turn._take)
