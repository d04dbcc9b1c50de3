# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint, rate_limit_hint
from airflow_provider_mkt.vendors.flodesk import VENDOR as FLODESK

LIMITS = {"default": Limit(100), "post_creation": Limit(30)}
BOTH = ("default", "post_creation")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RateLimitHint()),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "7"}, RateLimitHint(limit=100, remaining=7)),
        ({"x-fd-ratelimit-limit": "20", "x-fd-ratelimit-remaining": "0"}, RateLimitHint()),
        ({"x-ratelimit-limit": " 100 ", "x-ratelimit-reset": "12"}, RateLimitHint(limit=100, reset=12.0)),
        # A vendor, or a proxy, may send anything.
        ({"x-ratelimit-limit": "0"}, RateLimitHint()),
        ({"x-ratelimit-limit": "-5", "x-ratelimit-remaining": "-1"}, RateLimitHint()),
        ({"x-ratelimit-limit": "many", "x-ratelimit-remaining": "NaN", "x-ratelimit-reset": "soon"}, RateLimitHint()),
        ({"x-ratelimit-limit": "NaN", "x-ratelimit-remaining": "inf"}, RateLimitHint()),
        ({"x-ratelimit-limit": "1e3", "x-ratelimit-remaining": "9" * 400}, RateLimitHint()),
    ],
)
def test_headers(headers: dict[str, str], expected: RateLimitHint) -> None:
    assert rate_limit_hint(Outcome(Certainty.ANSWERED, 200, headers=headers)) == expected


def test_a_vendor_may_call_its_headers_otherwise() -> None:
    headers = {"x-fd-ratelimit-limit": "20", "x-fd-ratelimit-remaining": "0", "x-ratelimit-limit": "7"}
    outcome = Outcome(Certainty.ANSWERED, 200, headers=headers)
    assert rate_limit_hint(outcome, FLODESK.rate_headers) == RateLimitHint(limit=20, remaining=0)


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_reset_may_be_a_moment(scale: int) -> None:
    reset = rate_limit_hint(
        Outcome(Certainty.ANSWERED, 200, headers={"x-ratelimit-reset": str((time.time() + 30) * scale)})
    ).reset
    assert reset == pytest.approx(30, abs=2)


@pytest.mark.parametrize("off", [-3600.0, 0.0, 3600.0])
def test_that_moment_is_by_the_vendors_clock(off: float) -> None:
    moment = float(int(time.time() + off))
    headers = {"x-ratelimit-reset": f"{moment + 30:.0f}", "date": formatdate(moment, usegmt=True)}
    assert rate_limit_hint(Outcome(Certainty.ANSWERED, 200, headers=headers)).reset == 30.0


def test_a_429_with_its_wait() -> None:
    assert rate_limit_hint(Outcome(Certainty.THROTTLED, 429, retry_after=9.0)) == RateLimitHint(
        throttled=True, wait=9.0
    )


@pytest.mark.parametrize(
    ("hint", "wait"),
    [
        (RateLimitHint(wait=3600.0, remaining=0, reset=12.0), 3600.0),
        (RateLimitHint(remaining=0, reset=12.0), 12.0),
        (RateLimitHint(remaining=0, reset=3600.0), 60.0),
        (RateLimitHint(remaining=0, reset=0.0), None),
        (RateLimitHint(remaining=0), None),
        (RateLimitHint(remaining=3, reset=12.0), None),
        (RateLimitHint(), None),
    ],
)
def test_a_reset_is_waited_for_within_the_window_only(hint: RateLimitHint, wait: float | None) -> None:
    assert hint.cooldown_within(60.0) == wait


@pytest.mark.parametrize(
    ("stated", "names", "about"),
    [
        (None, BOTH, BOTH),
        (100, BOTH, ("default",)),
        (60, BOTH, ("default",)),
        (30, BOTH, ("post_creation",)),
        (20, BOTH, ("post_creation",)),
        (500, BOTH, ("default",)),
        (30, ("default",), ("default",)),
    ],
)
def test_the_stated_limit_tells_which_budget_is_meant(
    stated: int | None, names: tuple[str, ...], about: tuple[str, ...]
) -> None:
    assert RateLimitHint(limit=stated).budgets_meant(names, LIMITS) == about
