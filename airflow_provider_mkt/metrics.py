# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is counted, for Airflow's own metrics (StatsD, Datadog or OpenTelemetry; section ``[metrics]``).

Names say what happened, so that a StatsD server without tags tells something as well. Tags have few values: routes are
templates, accounts are the digests that ``airflow mkt budgets`` shows. Nothing in them is secret or personal.

While metrics are off, which is Airflow's default, a call costs less than a microsecond. A metric that cannot be sent
never disturbs the work that it counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

log = logging.getLogger(__name__)

SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""The options of ``[metrics]`` that switch them on."""
THROTTLED = "THROTTLED"
"""What is known after an answer with 429."""


@dataclass(frozen=True)
class Metric:
    """A metric and its tags.

    :param kind: counter, timer (milliseconds) or gauge
    :param tags: names of its tags
    :param meaning: what it tells
    """

    kind: str
    tags: tuple[str, ...]
    meaning: str


ROUTE = ("vendor", "method", "route")
METRICS = {
    "mkt.requests": Metric("counter", (*ROUTE, "outcome"), "requests sent, token calls included"),
    "mkt.request_duration": Metric("timer", ROUTE, "from sending a request to having its answer"),
    "mkt.retries": Metric(
        "counter", (*ROUTE, "outcome"), "requests that are sent again, by how the last attempt ended"
    ),
    "mkt.throttled": Metric("counter", ROUTE, "answers with 429; more than a few mean that others use the key"),
    "mkt.budget.wait": Metric("timer", ("vendor", "budget"), "waits for a slot of a rate budget, where there was one"),
    "mkt.budget.used": Metric("gauge", ("vendor", "budget", "account"), "part of a window in use, 0 to 1"),
    "mkt.submissions.submitted": Metric("counter", ("vendor",), "launches that the vendor accepted"),
    "mkt.submissions.attached": Metric("counter", ("vendor",), "tries that found their launch made, and sent nothing"),
    "mkt.submissions.reconciled": Metric("counter", ("vendor",), "lost answers that were settled: it happened once"),
    "mkt.submissions.refused": Metric("counter", ("vendor",), "launches that certainly did not happen"),
    "mkt.submissions.unknown": Metric(
        "counter", ("vendor",), "launches that a person has to look at, counted each time that is said"
    ),
    "mkt.tokens.fetched": Metric("counter", ("vendor",), "access tokens fetched"),
    "mkt.tokens.refreshed": Metric("counter", ("vendor",), "single-use refresh tokens exchanged"),
    "mkt.tokens.failed": Metric("counter", ("vendor",), "token calls that failed"),
    "mkt.store.failures": Metric("counter", ("what",), "times that the shared store failed a process"),
}


def request(vendor: str, method: str, path: str, outcome: str, seconds: float) -> None:
    """Count an attempt.

    :param vendor: the vendor's name
    :param method: HTTP method
    :param path: template of the route
    :param outcome: what is known after it
    :param seconds: how long it took
    """
    if (stats := _stats()) is None:
        return
    tags = _route(vendor, method, path)
    _send(stats.incr, "mkt.requests", tags={**tags, "outcome": _slug(outcome)})
    _send(stats.timing, "mkt.request_duration", seconds * 1000, tags=tags)
    if outcome == THROTTLED:
        _send(stats.incr, "mkt.throttled", tags=tags)


def retry(vendor: str, method: str, path: str, outcome: str) -> None:
    """Count a request that is about to be repeated after ``outcome``; parameters as for :func:`request`."""
    if (stats := _stats()) is not None:
        tags = {**_route(vendor, method, path), "outcome": _slug(outcome)}
        _send(stats.incr, "mkt.retries", tags=tags)


def wait(vendor: str, budgets: tuple[str, ...], seconds: float) -> None:
    """Note that a request waits for its budgets; no wait is not counted."""
    if seconds > 0 and (stats := _stats()) is not None:
        tags = {"vendor": _slug(vendor), "budget": "_and_".join(budgets)}
        _send(stats.timing, "mkt.budget.wait", seconds * 1000, tags=tags)


def on() -> bool:
    """Tell whether metrics are wanted, for callers that would have to work them out."""
    return _stats() is not None


def budget(label: str, name: str, used: int, permitted: int) -> None:
    """Note how much of a window is in use.

    :param label: what ``airflow mkt budgets`` shows of the account: connection type, base URL, a digest
    :param name: the budget's name
    """
    if (stats := _stats()) is not None:
        conn_type, *_, account = label.split()
        tags = {"vendor": conn_type, "budget": name, "account": account}
        _send(stats.gauge, "mkt.budget.used", used / permitted, tags=tags)


def submission(vendor: str, what: str) -> None:
    """Count what became of a submission: ``submitted``, ``attached``, ``reconciled``, ``refused`` or ``unknown``."""
    count(f"mkt.submissions.{what}", vendor=vendor)


def token(key: str, what: str) -> None:
    """Count a token call: ``fetched``, ``refreshed`` or ``failed``.

    :param key: the key of the account's tokens, which begins with the connection type
    """
    count(f"mkt.tokens.{what}", vendor=key.partition("/")[0])


def count(name: str, **tags: str) -> None:
    """Add one to the counter ``name``."""
    if (stats := _stats()) is not None:
        _send(stats.incr, name, tags={tag: _slug(value) for tag, value in tags.items()})


def traces_are_on() -> bool:
    """Tell whether Airflow's own traces are on, below which those of this package stand."""
    from airflow.sdk.configuration import conf  # reads the configuration

    return bool(conf.getboolean("traces", "otel_on", fallback=False))


@lru_cache(maxsize=1)
def _stats() -> Any:
    """Return what sends metrics, or None while all of them are off."""
    from airflow.sdk.configuration import conf  # reads the configuration

    if not any(conf.getboolean("metrics", switch, fallback=False) for switch in SWITCHES):
        return None
    from airflow.sdk.observability import stats

    return stats


def _send(function: Callable[..., None], name: str, *values: float, tags: dict[str, str]) -> None:
    try:
        function(name, *values, tags=tags)
    except Exception as error:  # noqa: BLE001 - a launch must not fail, nor be repeated, for the sake of its metrics
        log.debug("The metric %s was not sent: %s", name, type(error).__name__)


@lru_cache(maxsize=256)
def _route(vendor: str, method: str, path: str) -> dict[str, str]:
    """Return the tags of a route. Braces and blanks would make Airflow drop the metric."""
    return {"vendor": _slug(vendor), "method": method, "route": path.replace("{", "").replace("}", "")}


@lru_cache(maxsize=256)
def _slug(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
