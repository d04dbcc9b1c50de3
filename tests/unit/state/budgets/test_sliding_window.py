# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: no stretch of a window's length, wherever it begins, holds more than the limit, in whatever order slots
are asked for, for whatever mix of budgets and priorities. And no slot is later than it must be."""

from __future__ import annotations

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.state.budgets.sliding_window import (
    MARGIN,
    MAX_SPREAD,
    Window,
    pack,
    part_of,
    place,
    unpack,
)

GAP = MAX_SPREAD / 10
DEFAULT, POSTS = Limit(10, 60.0), Limit(3, 20.0)

requests = st.lists(
    st.tuples(
        st.floats(0, 15), st.sampled_from([("default",), ("posts",), ("default", "posts")]), st.sampled_from(Priority)
    ),
    min_size=1,
    max_size=80,
)


def fullest(slots: list[float], span: float) -> int:
    """The most slots that any window of this length holds. One that is fullest can be moved to begin with a slot."""
    return max(sum(begin <= slot < begin + span - 1e-6 for slot in slots) for begin in slots)


@given(requests)
def test_no_window_is_ever_overfull(asked: list[tuple[float, tuple[str, ...], Priority]]) -> None:
    windows = {"default": Window(DEFAULT), "posts": Window(POSTS)}
    taken: dict[str, list[float]] = {"default": [], "posts": []}
    now = 1000.0
    for pause, names, priority in asked:
        now += pause
        slot = place([windows[name] for name in names], now, priority)
        assert slot >= now
        for name in names:
            windows[name].add(slot)
            windows[name].forget(now - windows[name].span)
            taken[name].append(slot)
    for name, slots in taken.items():
        if slots:
            assert fullest(slots, windows[name].span) <= windows[name].limit.requests


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 100), st.integers(1, 6))
def test_a_slot_is_the_earliest_that_fits(slots: list[float], now: float, most: int) -> None:
    window = Window(Limit(most, 9.9))
    for slot in sorted(slots):
        window.add(window.free_from(slot, most))
    free = window.free_from(now, most)
    # Feasible moments begin now, or a window's length after a slot: one of them before `free` would have been better.
    earlier = [now, *(slot + window.span for slot in window.slots if now < slot + window.span < free)]
    assert all(fullest([*window.slots, moment], window.span) > most for moment in earlier if moment < free - 1e-6)
    assert fullest([*window.slots, free], window.span) <= most


def test_who_waits_for_a_scarcer_budget_is_passed_by_those_who_need_not() -> None:
    default, posts = Window(Limit(4, 60.0)), Window(Limit(1, 60.0))
    for _ in range(2):
        slot = place([default, posts], 0.0, Priority.LAUNCH)
        default.add(slot)
        posts.add(slot)
    assert list(default.slots) == pytest.approx([0.0, 60.0 + MARGIN])
    assert place([default], 2.0, Priority.LAUNCH) == 2.0


def test_news_leaves_the_last_fifth_to_launches() -> None:
    window = Window(Limit(10, 60.0))
    slots = []
    for _ in range(20):
        slots.append(place([window], 0.0, Priority.POLL))
        window.add(slots[-1])
    assert slots[:8] == pytest.approx([index * GAP for index in range(8)])
    assert all(60.0 + MARGIN <= slot < 1.5 * (60.0 + MARGIN) for slot in slots[8:16])
    assert all(slot >= 2 * (60.0 + MARGIN) for slot in slots[16:])
    assert place([window], 3.0, Priority.LAUNCH) == 3.0


def test_news_waits_while_launches_fill_the_window() -> None:
    window = Window(Limit(10, 60.0), array("d", [0.0] * 8))
    assert place([window], 1.0, Priority.POLL) == 60.0 + MARGIN
    assert place([window], 1.0, Priority.LAUNCH) == 1.0


def test_a_budget_of_one_serves_news_too() -> None:
    assert place([Window(Limit(1, 1.0))], 0.0, Priority.POLL) == 0.0


def test_first_come_first_served() -> None:
    window = Window(Limit(5, 10.0))
    slots = []
    for _ in range(100):
        slots.append(place([window], 0.0, Priority.LAUNCH))
        window.add(slots[-1])
    assert slots == sorted(slots)
    assert slots[-1] < 20 * (10.0 + MARGIN)


def test_slots_keep_a_distance() -> None:
    window = Window(Limit(5, 10.0))
    slots = []
    for _ in range(15):
        slots.append(place([window], 0.0, Priority.LAUNCH))
        window.add(slots[-1])
    gap = MAX_SPREAD / 5
    assert [second - first for first, second in pairwise(slots[5:10])] == pytest.approx([gap] * 4)
    assert [second - first for first, second in zip(slots[5:10], slots[10:], strict=True)] == pytest.approx([10.1] * 5)


def test_moments_that_are_equal_do_not_add_up() -> None:
    """SQLite's clock has milliseconds: many slots share one, and adding a window's length to them is not exact."""
    window = Window(Limit(60, 60.0))
    for _ in range(48):
        window.add(1_763_700_000.123)
    for _ in range(48):
        window.add(window.free_from(1_763_700_000.123, 48))
    launches = []
    for _ in range(12):
        launches.append(place([window], 1_763_700_000.456, Priority.LAUNCH))
        window.add(launches[-1])
    assert launches[-1] - launches[0] == pytest.approx(11 * MAX_SPREAD / 60)


def test_quiet_moves_the_next_slot_and_nothing_else() -> None:
    window = Window(Limit(5, 10.0), cooldown_until=30.0)
    assert place([window], 0.0, Priority.LAUNCH) == 30.0
    assert place([window], 31.0, Priority.LAUNCH) == 31.0


def test_moving_a_slot_keeps_the_order() -> None:
    window = Window(Limit(5, 10.0), array("d", [1.0, 2.0, 3.0]))
    window.move(1.0, 2.5)
    window.move(7.0, 8.0)
    assert list(window.slots) == [2.0, 2.5, 3.0]


@pytest.mark.slow
def test_a_deep_queue_is_placed_quickly() -> None:
    window = Window(Limit(100, 60.0))
    for _ in range(3000):
        window.add(place([window], 0.0, Priority.POLL))
    assert place([window], 1.0, Priority.LAUNCH) <= 1.0 + MAX_SPREAD


@pytest.mark.parametrize(
    ("requests", "share", "part"),
    [(100, 1.0, 100), (100, 0.29, 29), (100, 0.001, 1), (30, 0.5, 15), (1, 0.8, 1), (10, 0.7, 7)],
)
def test_part_of(requests: int, share: float, part: int) -> None:
    assert part_of(requests, share) == part


def test_packing() -> None:
    slots = array("d", [1.5, 2_000_000_000.123456])
    assert unpack(pack(slots)) == slots
    assert pack(array("d", [1.0])) == bytes.fromhex("000000000000f03f")
