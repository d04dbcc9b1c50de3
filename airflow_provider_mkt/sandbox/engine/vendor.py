# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the sandbox needs to know of a vendor, and what a vendor's handlers need to know of a call."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request

from airflow_provider_mkt.sandbox.engine.answer import Answer, json_answer
from airflow_provider_mkt.sandbox.engine.limits import Limit, Reading
from airflow_provider_mkt.sandbox.engine.outbox import Delivery
from airflow_provider_mkt.sandbox.engine.switches import Switch
from airflow_provider_mkt.sandbox.engine.world import World

MEGABYTE = 1024 * 1024


class VendorError(Exception):
    """A refusal that is answered in the vendor's envelope.

    :param status: HTTP status
    :param message: text for the client
    :param code: the vendor's machine-readable code, None for the usual one of the status
    :param details: pairs of field and message, for vendors that show them
    :param body: a whole body that replaces the envelope (OAuth errors)
    :param facts: further fields that some vendors put into the envelope, such as ``retry_after``
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.details = list(details)
        self.headers = dict(headers or {})
        self.body = body
        self.facts = dict(facts or {})


@dataclass
class Call:
    """One request to a vendor.

    :param path: path below the server, with the vendor's prefix
    :param route: path below the vendor's prefix
    :param headers: by lower-case name
    :param caller: who is charged for it, filled in by :meth:`Vendor.authenticate`
    """

    method: str
    path: str
    route: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""
    json: Any = None
    caller: str = "anonymous"
    facts: dict[str, Any] = field(default_factory=dict)

    def parameter(self, name: str) -> str | None:
        """First value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def bearer(self) -> str | None:
        """The token of a Bearer authorization."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header."""
        return self.headers.get("idempotency-key") or None

    def fingerprint(self) -> str:
        """SHA-256 of what the body says: canonical JSON, or multipart data without its random boundary."""
        body = self.body
        if self.json is not None:
            body = json.dumps(self.json, sort_keys=True, separators=(",", ":")).encode()
        _, found, boundary = self.headers.get("content-type", "").partition("boundary=")
        if found:
            body = body.replace(boundary.strip('" ').encode("latin-1"), b"")
        return hashlib.sha256(body).hexdigest()


class Vendor(ABC):
    """A simulated vendor: its facts as class attributes, its state in the instance."""

    name: ClassVar[str]
    prefixes: ClassVar[tuple[str, ...]]
    routers: ClassVar[tuple[APIRouter, ...]]
    limits: ClassVar[Mapping[str, Limit]] = {}
    switches: ClassVar[Mapping[str, Switch]] = {}
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    any_media_type: ClassVar[bool] = False
    """JSON bodies are accepted under every media type."""
    raw_bodies: ClassVar[Mapping[tuple[str, str], int]] = {}
    """Routes whose body is not JSON, with the largest size in bytes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seed()

    @abstractmethod
    def seed(self) -> None:
        """Replace the whole state by the seed data."""

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        """Add data in bulk.

        :raises ValueError: unknown kind of data or a bad number
        """
        for kind in wanted:
            raise ValueError(f"{self.name} cannot seed {kind!r}")

    @abstractmethod
    def authenticate(self, call: Call) -> str:
        """Check the credentials and return who is charged for the call.

        :raises VendorError: credentials are missing, wrong, expired or too weak
        """

    @abstractmethod
    def buckets(self, call: Call) -> tuple[str, ...]:
        """The rate buckets in which the call counts."""

    @abstractmethod
    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        """The body of an error answer."""

    def rate_headers(self, reading: Reading) -> dict[str, str]:  # noqa: ARG002 - a hook
        """The documented rate headers of an ordinary answer."""
        return {}

    def too_many(self, reading: Reading) -> VendorError:
        """The answer to a call over the limit."""
        seconds = max(1, math.ceil(reading.wait))
        headers = {"Retry-After": str(seconds)} if self.sends_retry_after else {}
        return VendorError(429, "Too many requests", headers=headers, facts={"retry_after": seconds})

    sends_retry_after: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        """The Airflow connection to this vendor, for a sandbox whose address is ``base``."""

    @abstractmethod
    def credentials(self) -> dict[str, Any]:
        """Everything that is accepted as a credential at the moment."""

    def expire(self, call: Call) -> VendorError:  # noqa: ARG002 - a hook
        """Make the presented short-lived token really invalid; the refusal says so. Static keys stay valid."""
        return VendorError(401, "Invalid or expired credentials")

    def idempotent(self, call: Call) -> bool:  # noqa: ARG002 - a hook
        """Whether the route honours an Idempotency-Key."""
        return False

    def count_request(self, call: Call) -> None:  # noqa: B027 - a hook
        """Called for every accepted request; for vendors that report usage."""

    def record(self, call: Call, effect: str, reference: str, ids: Iterable[str] = ()) -> None:
        """Write a side effect into the ledger."""
        self.world.ledger.record(
            self.name,
            effect,
            reference,
            ids,
            idempotency_key=call.idempotency_key,
            body_sha256=hashlib.sha256(call.body).hexdigest(),
            at=self.world.clock.now(),
        )

    takes_callback: ClassVar[bool] = False
    """Webhooks are set up by the vendor's staff: for one address, by the control API."""
    callback: str | None = None
    """That address."""
    webhook_token: ClassVar[bool] = True
    """Deliveries are not signed, so their addresses end with a secret."""

    @property
    def listened_to(self) -> bool:
        """Whether anybody subscribed to anything."""
        return self.callback is not None

    def look(self) -> None:  # noqa: B027 - a hook
        """Post the events of what has happened by itself since the last look."""

    def emit(self, event: str, data: Mapping[str, Any]) -> None:  # noqa: ARG002 - a hook
        """Send an event to all that subscribed to it.

        :param event: its name
        :param data: what it is about
        :raises ValueError: the vendor has no webhooks
        """
        raise ValueError(f"{self.name} has no webhooks")

    def post(self, webhook_id: str, event: str, url: str, payload: Mapping[str, Any], secret: str = "") -> Delivery:
        """Send an event to one address, as often as the switches ``webhook_attempts`` and ``webhook_pause`` say."""
        return self.world.outbox.post(
            self.name,
            webhook_id,
            event,
            url,
            json.dumps(payload).encode(),
            lambda body, now: self.webhook_headers(event, body, now, secret),
            attempts=self.switch("webhook_attempts"),
            pause=self.switch("webhook_pause"),
            token=self.webhook_token,
        )

    def webhook_headers(self, event: str, body: bytes, now: float, secret: str) -> Mapping[str, str]:  # noqa: ARG002
        """The vendor's headers of a delivery.

        :param now: Unix time
        :param secret: the subscription's secret, "" when there is none
        """
        return {}

    def number(self, kind: str) -> int:
        """The next number of a kind of object, from 1."""
        self._numbers: dict[str, int] = getattr(self, "_numbers", {})
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def switch(self, name: str) -> Any:
        """The value of one of this vendor's switches."""
        return self.world.switches[f"{self.name}.{name}"]


async def _current_call(request: Request) -> Call:
    call: Call = request.scope["sandbox.call"]
    return call


TheCall = Annotated[Call, Depends(_current_call)]
"""Handler parameter: the call being answered."""


async def _current_vendor(request: Request) -> Any:
    return request.scope["sandbox.vendor"]


THE_VENDOR = Depends(_current_vendor)
"""Handler dependency: the vendor that is asked. Its own class completes it: ``Annotated[Flokit, THE_VENDOR]``."""


def page_of(rows: Sequence[Any], page: int, size: int) -> Sequence[Any]:
    """One page of rows; pages count from 1."""
    return rows[(page - 1) * size : page * size]


def whole(value: Any, name: str, most: int) -> int:
    """A count from a control request.

    :raises ValueError: not a whole number between 0 and ``most``
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}")
    return value


def refusal(vendor: Vendor, error: VendorError) -> Answer:
    """A vendor's error answer."""
    return json_answer(error.status, error.body or vendor.envelope(error), error.headers)
