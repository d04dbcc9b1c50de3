# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The register: one row a launch, in the store of the test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import (
    ACCEPTED,
    HELD,
    LEAVING,
    NOT_SENT,
    REFUSED,
    STATES,
    UNKNOWN,
    WITHOUT_EFFECT,
    Launch,
)
from airflow_provider_mkt.state.launches.register import KEPT, Register, prune
from tests.unit.state.conftest import Clock


def launch(number: int = 1, **parts: Any) -> Launch:
    names = {"deployment": "production", "vendor": "Vendor", "account": "vendor/a", "conn_id": "vendor_default"}
    place = {"dag_id": "spring", "run_id": "r1", "task_id": "publish", "map_index": -1, "number": "0"}
    start = Launch(f"{number:036d}", **names, **place, generation=1, what="campaign for 3 homes", writer="first")
    return replace(start, **parts)


@pytest.fixture
def register(store: Store) -> Register:
    return Register(lambda: store)


def put(store: Store, *launches: Launch) -> None:
    for each in launches:
        admit(each, lambda: store)


def test_a_launch_is_entered_when_it_leaves(store: Store, register: Register, clock: Clock) -> None:
    put(store, launch(amount=1_450_500, currency="GBP", goes_live="2026-06-08T09:00:00Z", triggered_by="ana"))
    [found] = register.find()
    assert found == launch(
        amount=1_450_500,
        currency="GBP",
        goes_live="2026-06-08T09:00:00Z",
        triggered_by="ana",
        begun_at=found.begun_at,
        changed_at=found.changed_at,
        counted_at=found.counted_at,
    )
    assert found.begun_at == found.changed_at == found.counted_at == pytest.approx(clock.now, abs=0.01)


def test_a_later_try_takes_the_row_over(store: Store, register: Register, clock: Clock) -> None:
    put(store, launch())
    clock.now += 60
    put(store, launch(writer="second"))
    [found] = register.find()
    assert (found.writer, found.begun_at + 60) == ("second", pytest.approx(found.changed_at, abs=0.01))
    assert found.counted_at == found.changed_at


@pytest.mark.parametrize("state", STATES)
def test_what_had_no_effect_does_not_count(state: str, store: Store, register: Register) -> None:
    put(store, launch())
    register.note(launch(state=state, vendor_ids='"c_1"'))
    [found] = register.find()
    assert found.state == state
    assert (found.counted_at is None) == (state in WITHOUT_EFFECT)


@pytest.mark.parametrize("state", sorted(WITHOUT_EFFECT))
def test_a_try_that_stood_still_gives_nothing_back(state: str, store: Store, register: Register) -> None:
    put(store, launch(), launch(writer="second"))
    register.note(launch(state=state))
    [found] = register.find()
    assert (found.state, found.writer, found.counted_at is None) == (LEAVING, "second", False)


def test_the_next_try_gives_back_what_the_one_before_reserved(store: Store, register: Register) -> None:
    put(store, launch())
    register.note(launch(state=NOT_SENT, writer="second"), former="first")
    assert register.find()[0].counted_at is None


def test_a_row_that_is_missing_is_made_by_the_next_change(register: Register) -> None:
    register.note(launch(state=ACCEPTED))
    [found] = register.find()
    assert found.state == ACCEPTED
    assert found.counted_at == found.begun_at


@pytest.mark.parametrize("state", sorted(WITHOUT_EFFECT))
def test_nothing_is_entered_of_what_never_left(state: str, register: Register) -> None:
    register.note(launch(state=state))
    assert register.find() == []


def test_a_row_is_not_made_of_what_is_not_known(register: Register) -> None:
    register.note(launch(state=ACCEPTED), described=False)
    assert register.find() == []


def test_the_latest_come_first_and_filters_narrow(store: Store, register: Register, clock: Clock) -> None:
    for number, dag_id in enumerate(("spring", "summer", "spring"), 1):
        clock.now += 10
        put(store, launch(number, dag_id=dag_id, vendor=f"Vendor {number}", run_id=f"r{number}"))
    register.note(launch(1, state=UNKNOWN))
    assert [found.run_id for found in register.find()] == ["r3", "r2", "r1"]
    assert [found.run_id for found in register.find(dag_id="spring")] == ["r3", "r1"]
    assert [found.run_id for found in register.find(dag_id="spring", states=[UNKNOWN])] == ["r1"]
    assert [found.run_id for found in register.find(vendor="Vendor 2", run_id=None)] == ["r2"]
    assert [found.run_id for found in register.find(since=clock.now - 15)] == ["r3", "r2"]
    assert [found.run_id for found in register.find(limit=1)] == ["r3"]


def test_by_the_beginning_of_its_name(store: Store, register: Register) -> None:
    put(store, launch(1, launch="ab" + "0" * 34), launch(2, launch="ac" + "f" * 34))
    assert [found.launch[:2] for found in register.starting_with("ab")] == ["ab"]
    assert len(register.starting_with("a")) == 2
    assert register.starting_with("b") == []


def test_only_what_is_settled_is_pruned(store: Store, register: Register, clock: Clock) -> None:
    for number, state in enumerate(STATES, 1):
        put(store, launch(number))
        register.note(launch(number, state=state))
    clock.now += KEPT + DAY
    put(store, launch(99, state=LEAVING))
    store.run(lambda connection: prune(connection, store.clock))
    assert {found.state for found in register.find()} == {LEAVING, UNKNOWN, HELD}


def test_old_ones_are_pruned_as_new_ones_come(store: Store, register: Register, clock: Clock) -> None:
    put(store, launch(1))
    register.note(launch(1, state=REFUSED))
    clock.now += KEPT + DAY
    put(store, launch(2, launch="f" * 34 + "00"))
    assert [found.state for found in register.find()] == [LEAVING]
    assert store.run(lambda connection: connection.execute(text("SELECT count(*) FROM mkt_launch")).scalar_one()) == 1
