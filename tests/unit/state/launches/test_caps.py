# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Caps: reserved before a launch leaves, given back when it certainly did not happen, and never exceeded."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_mkt.client.durations import DAY, HOUR
from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.caps import Cap, amounts_of, bounds, caps_of, common_caps, use_of
from airflow_provider_mkt.state.launches.launch import STATES, WITHOUT_EFFECT, Launch
from airflow_provider_mkt.state.launches.register import Register
from tests.unit.state.conftest import Clock
from tests.unit.state.launches.test_register import launch

DAY_CAP = (Cap("day", 100_000, "GBP", "vendor/a"),)


def paid(number: int, amount: int | None = 60_000, **parts: Any) -> Launch:
    return launch(number, amount=amount, currency="GBP", **parts)


def spend(store: Store, *launches: Launch, caps: Any = DAY_CAP) -> None:
    for each in launches:
        admit(each, lambda: store, caps=caps)


def test_a_cap_is_reached_exactly_and_not_exceeded(store: Store) -> None:
    spend(store, paid(1), paid(2, 40_000))
    with pytest.raises(LaunchRefusedError):
        spend(store, paid(3, 1))
    assert len(Register(lambda: store).find()) == 2


def test_a_refusal_says_which_cap_what_is_left_when_it_resets_and_who_used_it(store: Store, clock: Clock) -> None:
    clock.now = datetime(2026, 6, 8, 22, 30, tzinfo=timezone.utc).timestamp()
    spend(store, paid(1), paid(2, 10_000, dag_id="summer"))
    with pytest.raises(LaunchRefusedError) as caught:
        admit(paid(3), lambda: store, caps=DAY_CAP, zone=ZoneInfo("Europe/London"))
    assert str(caught.value) == (
        "This launch costs 60.00 GBP, and the cap is 100.00 GBP a day for this account: 30.00 is left. Nothing was "
        "sent. It resets at 2026-06-09 00:00+01:00. Used by spring 60.00, summer 10.00."
    )


@pytest.mark.parametrize("state", STATES)
def test_only_what_certainly_did_not_happen_is_given_back(state: str, store: Store) -> None:
    spend(store, paid(1))
    Register(lambda: store).note(paid(1, state=state))
    if state in WITHOUT_EFFECT:
        spend(store, paid(2))
    else:
        with pytest.raises(LaunchRefusedError):
            spend(store, paid(2))


def test_a_later_try_of_the_same_launch_counts_once(store: Store) -> None:
    spend(store, paid(1), paid(1, writer="second"), paid(2, 40_000))


def test_it_counts_on_the_day_on_which_it_is_sent(store: Store, clock: Clock) -> None:
    spend(store, paid(1))
    clock.now += DAY
    spend(store, paid(1, writer="second"))
    with pytest.raises(LaunchRefusedError):
        spend(store, paid(2))


@pytest.mark.parametrize(("period", "later"), [("day", DAY), ("month", 32 * DAY)])
def test_a_period_ends(period: str, later: float, store: Store, clock: Clock) -> None:
    caps = (Cap(period, 100_000, "GBP"),)
    spend(store, paid(1), caps=caps)
    with pytest.raises(LaunchRefusedError):
        spend(store, paid(2), caps=caps)
    clock.now += later
    spend(store, paid(2), caps=caps)


def test_of_one_launch_and_of_one_run(store: Store) -> None:
    with pytest.raises(LaunchRefusedError, match="a launch"):
        spend(store, paid(1), caps=(Cap("launch", 59_999, "GBP"),))
    run = (Cap("run", 100_000, "GBP"),)
    spend(store, paid(1), paid(2, run_id="r2"), caps=run)
    with pytest.raises(LaunchRefusedError, match="a run"):
        spend(store, paid(3), caps=run)


def test_of_one_account_and_of_all(store: Store) -> None:
    spend(store, paid(1), paid(2, account="vendor/b"), caps=DAY_CAP)
    with pytest.raises(LaunchRefusedError, match="all accounts together"):
        spend(store, paid(3, account="vendor/c"), caps=(*DAY_CAP, Cap("day", 150_000, "GBP")))
    spend(store, launch(4, amount=60_000, currency="EUR", account="vendor/c"), caps=(Cap("day", 1, "GBP"),))


def test_what_costs_an_unknown_amount_is_not_guessed(store: Store) -> None:
    with pytest.raises(LaunchRefusedError, match="plan_amounts"):
        spend(store, paid(1, None))
    spend(store, paid(1, None), caps=())


def test_a_cap_that_was_lowered_has_nothing_left(store: Store, clock: Clock) -> None:
    spend(store, paid(1))
    lowered = Cap("day", 10_000, "GBP")
    use = store.run(lambda connection: use_of(connection, lowered, clock.now, timezone.utc))
    assert (use.spent, use.left, list(use.by)) == (60_000, 0, [("spring", 60_000)])


def test_as_they_are_written() -> None:
    assert caps_of("launch 2000, day 5000.50", "GBP", "a") == (
        Cap("launch", 2_000_000, "GBP", "a"),
        Cap("day", 5_000_500, "GBP", "a"),
    )
    assert common_caps("GBP: day 10; EUR: month 5;") == (Cap("day", 10_000, "GBP"), Cap("month", 5_000, "EUR"))
    assert amounts_of("facebookv2 1500, googlev1 9.5") == {"facebookv2": 1_500_000, "googlev1": 9_500}
    assert caps_of("", "") == common_caps(" ") == ()


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda: caps_of("week 5", "GBP"), "'week' is no cap"),
        (lambda: caps_of("day 5", "pounds"), "three capital letters"),
        (lambda: caps_of("day 5e3", "GBP"), "'day 5e3' is no name with an amount"),
        (lambda: caps_of("day -5", "GBP"), "no name with an amount"),
        (lambda: common_caps("day 5"), "does not begin with a currency"),
    ],
)
def test_what_cannot_be_read(read: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read()


def test_days_and_months_with_summer_time() -> None:
    london = ZoneInfo("Europe/London")
    noon = datetime(2026, 3, 29, 12, tzinfo=london).timestamp()
    begin, end = bounds("day", noon, london)
    assert end is not None
    assert end - begin == 23 * HOUR
    assert (
        datetime.fromtimestamp(bounds("month", noon, london)[1] or 0, london).isoformat() == "2026-04-01T00:00:00+01:00"
    )
