# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhooks on their way: each event is sent to each address that subscribed to it, and again when that fails.

Nothing is sent to other machines, unless a target is given that stands for all addresses. So a test may subscribe with
``https://airflow.example.com/…``, and the deliveries come to a receiver of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow_provider_mkt.sandbox.engine.clock import iso

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

LOOK_EVERY = 0.05
"""Seconds between looks at what has happened and what is due."""
DEADLINE = 5.0
"""Seconds of one attempt, from the connection to the answer's status."""
MAX_AT_ONCE = 32
MAX_WAITING = 10_000
"""Deliveries that wait for their first or next attempt; further ones fail at once."""
CAPACITY = 20_000
"""Latest deliveries that are shown."""

Headers = Callable[[bytes, float], Mapping[str, str]]
"""From the body and Unix time to the vendor's headers: each attempt has a signature of its own."""


@dataclass(eq=False)
class Delivery:
    """One event for one address.

    :param attempts_left: how often it may still be sent
    :param pause: seconds before the next attempt; they double
    :param token: the address ends with a secret
    """

    number: int
    vendor: str
    webhook_id: str
    event: str
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    attempts_left: int
    pause: float
    token: bool
    created_at: float
    status: Literal["pending", "delivered", "failed"] = "pending"
    attempts: int = 0
    response: int | None = None
    error: str | None = None
    delivered_at: float | None = None

    def describe(self) -> dict[str, Any]:
        """What the control API shows of it: neither its body nor a secret."""
        return {
            "number": self.number,
            "vendor": self.vendor,
            "webhook_id": self.webhook_id,
            "event": self.event,
            "url": self.url.rpartition("/")[0] + "/***" if self.token else self.url,
            "status": self.status,
            "attempts": self.attempts,
            "response": self.response,
            "error": self.error,
            "created_at": iso(self.created_at),
            "delivered_at": None if self.delivered_at is None else iso(self.delivered_at),
        }


class Outbox:
    """All deliveries of one sandbox. Belongs to one event loop.

    :param now: real time in seconds since the epoch
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.first_target: str | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything; what is being sent is broken off."""
        for task in getattr(self, "_sending", ()):
            task.cancel()
        self.target = self.first_target
        self._numbers = 0
        self._log: deque[Delivery] = deque(maxlen=CAPACITY)
        self._waiting: list[tuple[float, Delivery]] = []
        self._sending: set[asyncio.Task[None]] = set()

    def deliveries(self, vendor: str | None = None, webhook_id: str | None = None) -> Iterator[Delivery]:
        """The latest deliveries, the oldest first."""
        for each in self._log:
            if vendor in (None, each.vendor) and webhook_id in (None, each.webhook_id):
                yield each

    def post(  # noqa: PLR0917 - one argument for each column
        self,
        vendor: str,
        webhook_id: str,
        event: str,
        url: str,
        body: bytes,
        headers: Headers,
        *,
        attempts: int,
        pause: float,
        token: bool,
    ) -> Delivery:
        """Send an event to an address, soon."""
        self._numbers += 1
        delivery = Delivery(
            self._numbers, vendor, webhook_id, event, url, body, headers, attempts, pause, token, self._now()
        )
        self._log.append(delivery)
        if len(self._waiting) >= MAX_WAITING:
            delivery.status, delivery.error = "failed", "too many deliveries are waiting"
        elif self._address(url) is None:
            delivery.error = "no target: the address is of another machine"
        else:
            self._waiting.append((time.monotonic(), delivery))
        return delivery

    async def run(self, look: Callable[[], None]) -> None:
        """Send what is due, for as long as the task is not cancelled.

        :param look: called again and again, so that vendors post what has happened by itself
        """
        import httpx

        # Its lines name addresses, and some of them end with a token.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        client: httpx.AsyncClient | None = None
        try:
            while True:
                look()
                if self._waiting and client is None:
                    limits = httpx.Limits(max_connections=MAX_AT_ONCE, max_keepalive_connections=0)
                    client = httpx.AsyncClient(timeout=DEADLINE, limits=limits, trust_env=False, follow_redirects=False)
                if client is not None:
                    self._send_due(client)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for task in self._sending:
                task.cancel()
            if client is not None:
                await client.aclose()

    def _send_due(self, client: httpx.AsyncClient) -> None:
        now = time.monotonic()
        later = []
        for due, delivery in self._waiting:
            if due > now or len(self._sending) >= MAX_AT_ONCE:
                later.append((due, delivery))
                continue
            task = asyncio.create_task(self._attempt(client, delivery))
            self._sending.add(task)
            task.add_done_callback(lambda done, sending=self._sending: sending.discard(done))  # type: ignore[misc]
        self._waiting = later

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        delivery.attempts += 1
        delivery.attempts_left -= 1
        try:
            delivery.response = await asyncio.wait_for(self._status(client, delivery), DEADLINE)
            delivery.error = None
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is a failed attempt, shown by its name
            delivery.response, delivery.error = None, type(error).__name__
        if delivery.response is not None and 200 <= delivery.response < 300:
            delivery.status, delivery.delivered_at = "delivered", self._now()
        elif delivery.attempts_left > 0:
            self._waiting.append((time.monotonic() + delivery.pause, delivery))
            delivery.pause *= 2
        else:
            delivery.status = "failed"

    async def _status(self, client: httpx.AsyncClient, delivery: Delivery) -> int:
        address = self._address(delivery.url)
        if address is None:
            raise ConnectionError
        headers = {"Content-Type": "application/json", **delivery.headers(delivery.body, time.time())}
        # The answer's body is nobody's business, however long it is.
        async with client.stream("POST", address, content=delivery.body, headers=headers) as answer:
            return int(answer.status_code)

    def _address(self, url: str) -> str | None:
        """Where a delivery for ``url`` goes, None for nowhere."""
        parts = urlsplit(url)
        if self.target is not None:
            return self.target + parts.path + (f"?{parts.query}" if parts.query else "")
        return url if _is_loopback(parts.hostname or "") else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def target_of(text: Any) -> str | None:
    """The target that stands for all addresses.

    :param text: scheme, host and perhaps a port and the beginning of a path; None for none
    :raises ValueError: anything else
    """
    if text is None:
        return None
    parts = urlsplit(text) if isinstance(text, str) else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the target of webhooks must look like http://127.0.0.1:8080")
    return str(text).rstrip("/")
