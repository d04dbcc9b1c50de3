# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How long a vendor asks to wait: any of the forms seen in headers and bodies -> seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.client.durations import DAY, HOUR

RATE_HEADERS = "x-ratelimit-"
"""What the names of most vendors' rate limit headers begin with."""
MAX_RETRY_AFTER = HOUR
"""Seconds. A vendor that names a longer wait is not believed: then one request finds out. One answer must not stop a
launch for a day, nor a resolvable one for longer than its key lives."""
MAX_RESET = 60.0
"""Seconds. A reset lies at most a window ahead, and this is the longest window of any vendor."""
MIN_429 = 1.0
"""Seconds. Whoever refuses and says "wait for nothing" has not said how long to wait."""
MAX_CLOCK_SKEW = DAY
"""Seconds that the vendor's clock may differ from this machine's."""


def retry_after(headers: Mapping[str, str], answer: Any, now: float, least: float = 0.0) -> float | None:
    """Return the seconds the vendor asks to wait, in any of the forms seen, at most an hour, or None.

    Read in the order of trust: ``Retry-After`` (seconds or HTTP date), ``retry_after`` inside the error object, beside
    it.

    :param now: this machine's time, for answers that do not say the vendor's
    :param least: seconds; a shorter wait counts as not given
    """
    inner = answer.get("error") if isinstance(answer, dict) else None
    bodies = [place for place in (inner, answer) if isinstance(place, dict)]
    waits = [
        _seconds_or_date(headers["retry-after"], headers, now) if "retry-after" in headers else None,
        *(_number(body.get("retry_after")) for body in bodies),
    ]
    wait = next((wait for wait in waits if wait is not None and wait >= least), None)
    return None if wait is None else min(wait, MAX_RETRY_AFTER)


def reset_after(headers: Mapping[str, str], now: float, least: float = 0.0) -> float | None:
    """Return the seconds until a budget that is used up is whole again, by ``X-RateLimit-Reset``, or None.

    :param now: as for :func:`retry_after`, as is ``least``
    """
    if headers.get(f"{RATE_HEADERS}remaining", "").strip() != "0":
        return None
    reset = reset_in(headers.get(f"{RATE_HEADERS}reset"), headers, now)
    return None if reset is None or reset < least else min(reset, MAX_RESET)


def reset_in(value: str | None, headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until a reset given as epoch milliseconds, epoch seconds or seconds from now."""
    number = _number(value)
    if number is None:
        return None
    if number > 1e12:
        number = number / 1000 - _answered_at(headers, now)
    elif number > 1e9:
        number -= _answered_at(headers, now)
    return max(0.0, number)


def _seconds_or_date(value: str, headers: Mapping[str, str], now: float) -> float | None:
    if (number := _number(value)) is not None:
        return number
    moment = _moment(value)
    return None if moment is None else max(0.0, moment - _answered_at(headers, now))


def _answered_at(headers: Mapping[str, str], now: float) -> float:
    """Return the time by the vendor's clock, by which it works out moments; this machine's clock may be wrong."""
    moment = _moment(headers.get("date", ""))
    return now if moment is None or abs(moment - now) > MAX_CLOCK_SKEW else moment


def _moment(value: str) -> float | None:
    """Return an HTTP date in Unix seconds, or None."""
    from email.utils import parsedate_to_datetime  # kept out of DAG parsing

    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: Any) -> float | None:
    """Return a finite, non-negative number, or None: a header must not be able to say minus one, NaN or for ever."""
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if 0 <= number < 1e15 and not isinstance(value, bool) else None
