# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a user would pick to call a vendor that limits its rate. Each makes a function that sends one request.

What it raises is a request that failed for good. :class:`Later` says when to try again instead.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import os
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.endpoint import Call, Limit
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.store import Store
from tests.integration.state.crowd import ACCOUNT, ENDPOINT, NoAuth

LIMIT = Limit(60, 3.0)
SCALE = 20.0
"""The vendors' windows are a minute; here one is three seconds, and what a DAG would wait is divided by as much."""
RETRIES, RETRY_DELAY, MULTIPLIER = 5, 30.0, 2.0
"""``retries``, ``retry_delay`` in seconds and ``retry_exponential_backoff`` of the tasks with an HttpOperator."""

Send = Callable[[int], None]


class Later(Exception):  # noqa: N818 - not an error, a wish
    """Try again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def provider(base: str, who: str, url: str) -> Send:
    """The client and the rate budget of this provider."""
    used = Store(url)
    budget = SharedBudget(ACCOUNT, {"default": LIMIT}, 1.0, lambda: used)
    client = ApiClient(Settings("Strict", {"api": base}), NoAuth(), budget, Redactor())
    used.run(lambda _: None)
    return lambda _: client.send(Call(ENDPOINT, path={"who": who}))


def requests_retry(base: str, who: str, _: str) -> Send:
    """``requests`` as its documentation advises: an adapter that repeats after a 429, obeying Retry-After."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(10, backoff_factor=1, status_forcelist=[429])))
    return lambda _: session.get(f"{base}/{who}", timeout=30).raise_for_status()


def _connection(base: str) -> None:
    host = base.removeprefix("http://")
    os.environ["AIRFLOW_CONN_STRICT"] = json.dumps({"conn_type": "http", "host": host})


def http_hook(base: str, who: str, _: str) -> Send:
    """Airflow's ``HttpHook`` with its tenacity retries, exponential with jitter."""
    import tenacity
    from airflow.providers.http.hooks.http import HttpHook

    _connection(base)
    hook = HttpHook(method="GET", http_conn_id="strict")
    retries = {
        "wait": tenacity.wait_random_exponential(multiplier=1, max=60),
        "stop": tenacity.stop_after_attempt(10),
        "retry": tenacity.retry_if_exception_type(Exception),
    }
    return lambda _: hook.run_with_advanced_retry(_retry_args=retries, endpoint=who)


def http_operator(base: str, who: str, _: str) -> Send:
    """Tasks with an ``HttpOperator`` and Airflow's retries.

    ``execute`` runs here; the scheduler is simulated, in the operator's favour: starting a try costs nothing, and while
    a task is up for retry, its worker runs others. The delays are the ones that Airflow works out.
    """
    from airflow.providers.http.operators.http import HttpOperator

    _connection(base)

    def send(tried: int) -> None:
        operator = HttpOperator(task_id="call", method="GET", http_conn_id="strict", endpoint=who)
        try:
            operator.execute({})
        except Exception as error:
            if tried > RETRIES:
                raise
            raise Later(airflows_delay(f"{who}{time.monotonic()}", tried) / SCALE) from error

    return send


def airflows_delay(task: str, try_number: int) -> float:
    """Return the seconds until the next try, as ``TaskInstance.next_retry_datetime`` works them out."""
    least = max(1, math.ceil(RETRY_DELAY * MULTIPLIER ** (try_number - 1)))
    number = int(hashlib.sha1(f"{task}#{try_number}".encode(), usedforsecurity=False).hexdigest(), 16)
    return float(least + number % least)


CONTENDERS: dict[str, Callable[[str, str, str], Send]] = {
    "this provider": provider,
    "requests, urllib3 Retry": requests_retry,
    "HttpHook, tenacity": http_hook,
    "HttpOperator, task retries": http_operator,
}


def silence() -> None:
    """Airflow's tasks write logs; here they would only bury the table."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def work(name: str, url: str, base: str, who: str, number: int, results: Any, start: Any) -> None:  # noqa: PLR0917
    """Send ``number`` requests, and again those that shall be, as one worker that does one thing at a time.

    Puts ``(who, requests that failed for good)`` when all is done.
    """
    silence()
    send = CONTENDERS[name](base, who, url)
    start.wait()
    lost, waiting = 0, list[tuple[float, int]]()
    while number or waiting:
        if waiting and (waiting[0][0] <= time.monotonic() or not number):
            due, tried = heapq.heappop(waiting)
            time.sleep(max(0.0, due - time.monotonic()))
        else:
            number, tried = number - 1, 1
        try:
            send(tried)
        except Later as later:
            heapq.heappush(waiting, (time.monotonic() + later.seconds, tried + 1))
        except Exception:  # noqa: BLE001 - whatever the contender raises in the end
            lost += 1
    results.put((who, lost))
