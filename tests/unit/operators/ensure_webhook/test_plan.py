# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which subscription stays: every combination of what there may be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from airflow_provider_mkt.operators.ensure_webhook.plan import Subscription, faults, normal, plan

URL = "https://airflow.example.com/hook"
EVENTS = frozenset({"a", "b"})
KINDS = [
    Subscription("", URL, events, active, usable, retired)
    for events in (EVENTS, frozenset({"a"}), None)
    for active in (True, False)
    for usable in (True, False)
    for retired in (True, False)
]


def numbered(kinds: Sequence[Subscription]) -> list[Subscription]:
    return [
        Subscription(f"wh_{number}", kind.address, kind.events, kind.active, kind.usable, kind.retired)
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize("updatable", [True, False])
@pytest.mark.parametrize("size", [0, 1, 2])
def test_what_must_hold(size: int, updatable: bool) -> None:
    for kinds in itertools.product(KINDS, repeat=size):
        mine = numbered(kinds)
        made = plan(mine, URL, EVENTS, updatable=updatable)
        kept = [made.keep] if made.keep else []
        # Exactly one remains of what there is, or none; nothing is forgotten.
        assert sorted(each.webhook_id for each in (*kept, *made.surplus)) == [each.webhook_id for each in mine]
        good = [each for each in mine if each.usable and not each.retired and not faults(each, URL, EVENTS)]
        if good:
            assert made.keep in good
            assert made.why == ""
        elif made.keep:
            assert updatable
            assert made.keep.usable
            assert not made.keep.retired
            assert made.why
        else:
            assert made.why
            assert not updatable or not any(each.usable and not each.retired for each in mine)


def test_order_of_the_list_does_not_matter() -> None:
    for kinds in itertools.product(KINDS, repeat=2):
        mine = numbered(kinds)
        assert plan(mine, URL, EVENTS, updatable=True).keep == plan(mine[::-1], URL, EVENTS, updatable=True).keep


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, "https://AIRFLOW.example.com:443/hook", True),
        ("https://a.example.com", "https://a.example.com/", True),
        (URL, URL + "/", False),
        (URL, "https://airflow.example.com/Hook", False),
        (URL, "http://airflow.example.com/hook", False),
        (URL, "https://airflow.example.com:8443/hook", False),
        (URL, URL + "?a=1", False),
        ("https://a:port/", "https://a:port/", True),
    ],
)
def test_same_address(one: str, other: str, same: bool) -> None:
    assert (normal(one) == normal(other)) is same
