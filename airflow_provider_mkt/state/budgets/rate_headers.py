# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a vendor's answer says about its rate limits.

Three headers are read: ``…Limit``, ``…Remaining`` and ``…Reset``, whose common beginning each vendor names
(``Vendor.rate_headers``). The client reads ``Retry-After`` in all its forms (``Outcome.retry_after``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.retry_after import MIN_429, RATE_HEADERS, reset_in

MAX_COOLDOWN = HOUR
"""Seconds for which one answer quiets an account at most, whatever it says. Then one request finds out."""


@dataclass(frozen=True)
class RateLimitHint:
    """What one answer says.

    :param throttled: it was a 429
    :param wait: seconds that the vendor asked to wait
    :param limit: requests per window, as the vendor states it
    :param remaining: how many of them it says are left
    :param reset: seconds until they are whole again
    """

    throttled: bool = False
    wait: float | None = None
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None

    def cooldown_within(self, window: float) -> float | None:
        """Return the seconds to be quiet after a 429, or None when it does not say: what was asked, else the reset.

        It is never longer than :data:`MAX_COOLDOWN`.

        :param window: seconds; a reset that lies further ahead is not believed
        """
        if self.wait is not None:
            return min(self.wait, MAX_COOLDOWN)
        if self.remaining != 0 or self.reset is None or self.reset < MIN_429:
            return None
        return min(self.reset, window, MAX_COOLDOWN)

    def budgets_meant(self, names: tuple[str, ...], limits: Mapping[str, Limit]) -> tuple[str, ...]:
        """Return which of the request's budgets the answer speaks of.

        A vendor sends one set of headers although a request may count in two budgets. The stated limit tells which is
        meant: the narrowest that is no narrower. Without one it may be any of them.
        """
        if self.limit is None or len(names) == 1:
            return names
        ranked = sorted(names, key=lambda name: limits[name].requests)
        return (next((name for name in ranked if limits[name].requests >= self.limit), ranked[-1]),)


def rate_limit_hint(outcome: Outcome, prefix: str = RATE_HEADERS) -> RateLimitHint:
    """Return what ``outcome`` says about rate limits.

    :param prefix: what the names of the vendor's headers begin with
    """
    return RateLimitHint(
        throttled=outcome.known is Certainty.THROTTLED,
        wait=None if outcome.by_reset else outcome.retry_after,
        limit=_count(outcome.headers.get(f"{prefix}limit")) or None,
        remaining=_count(outcome.headers.get(f"{prefix}remaining")),
        reset=reset_in(outcome.headers.get(f"{prefix}reset"), outcome.headers, clock.now()),
    )


def _count(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None
