# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Stops: what they are for, and that nothing is admitted while one is in force."""

from __future__ import annotations

import pytest

from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.retry_policy import MarketingRetryPolicy
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stop, Stops
from tests.unit.state.launches.test_register import launch

ONE = launch()
COVERING = (
    {},
    {"vendor": "Vendor"},
    {"conn_id": "vendor_default"},
    {"dag_id": "spring"},
    {"run_id": "r1"},
    {"dag_id": "spring", "run_id": "r1"},
)
OTHERS = (
    {"vendor": "Other"},
    {"conn_id": "other"},
    {"dag_id": "summer"},
    {"run_id": "r2"},
    {"dag_id": "spring", "run_id": "r2"},
)


@pytest.mark.parametrize("scope", COVERING)
def test_what_is_stopped_does_not_begin_and_leaves_no_row(scope: dict[str, str], store: Store) -> None:
    stops = Stops(lambda: store)
    number = stops.add(scope, "wrong price", "ana")
    assert Stop(number, **scope).covers(ONE)
    with pytest.raises(
        LaunchRefusedError, match=r"stopped for .*: wrong price \(said by ana\)\. Nothing was sent"
    ) as caught:
        admit(ONE, lambda: store)
    assert MarketingRetryPolicy().evaluate(caught.value, 1, 3).action.name == "FAIL"
    assert Register(lambda: store).find() == []
    assert stops.lift([number], "price is right now", "ben") == 1
    admit(ONE, lambda: store)


@pytest.mark.parametrize("scope", OTHERS)
def test_what_is_not_named_goes_on(scope: dict[str, str], store: Store) -> None:
    Stops(lambda: store).add(scope, "wrong price", "ana")
    admit(ONE, lambda: store)
    assert not Stop(1, **scope).covers(ONE)


def test_one_of_two_stops_is_lifted(store: Store) -> None:
    stops = Stops(lambda: store)
    first, second = stops.add({}, "a", "ana"), stops.add({"dag_id": "spring"}, "b", "ana")
    stops.lift([first], "over", "ben")
    with pytest.raises(LaunchRefusedError, match="DAG spring: b"):
        admit(ONE, lambda: store)
    assert [each.id for each in stops.in_force()] == [second]
    assert stops.lift([first], "again", "ben") == 0


def test_who_and_why_is_kept(store: Store) -> None:
    stops = Stops(lambda: store)
    stops.lift([stops.add({"vendor": "Vendor"}, "wrong price", "ana")], "fixed", "ben")
    [kept] = stops.all()
    assert (kept.scope, kept.reason, kept.stopped_by, kept.lift_reason, kept.lifted_by) == (
        "vendor Vendor",
        "wrong price",
        "ana",
        "fixed",
        "ben",
    )
    assert kept.lifted_at is not None
    assert kept.stopped_at <= kept.lifted_at


def test_a_launch_that_left_before_may_be_repeated_only_after_the_stop(store: Store) -> None:
    admit(ONE, lambda: store)
    Stops(lambda: store).add({}, "all", "ana")
    with pytest.raises(LaunchRefusedError):
        admit(ONE, lambda: store)
    assert [each.state for each in Register(lambda: store).find()] == ["leaving"]
