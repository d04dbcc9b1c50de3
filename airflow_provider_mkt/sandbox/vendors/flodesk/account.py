# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts and state of Flodesk."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from fastapi import Path, Query
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.limits import Limit, Reading
from airflow_provider_mkt.sandbox.engine.switches import Switch, webhook_switches
from airflow_provider_mkt.sandbox.engine.vendor import THE_VENDOR, Call, Vendor, VendorError, page_of, whole
from airflow_provider_mkt.sandbox.vendors.flodesk.tokens import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Grants

API_KEY = "sandbox-flodesk-api-key"
WEBHOOK_TOKEN = "sandbox-flodesk-webhook-token"  # noqa: S105 - for the connection to the sandbox
SEEDED_AT = 1_746_000_000.0
MAX_SEGMENTS = 50
COLORS = ("#AABBCC", "#F4C2C2", "#C2F4D0", "#C2D5F4", "#F4E9C2", "#D9C2F4")
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    429: "too_many_requests",
}


class Failure(BaseModel):
    """Error body: two flat fields, confirmed for 401 and assumed for the rest."""

    code: str
    message: str


class Meta(BaseModel):
    """Where a page stands."""

    page: int
    total_pages: int
    per_page: int
    total_items: int


ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 404, 413, 429)}
Page = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1, le=100)]
Id = Annotated[str, Path(alias="id")]


@dataclass
class Segment:
    """A segment and the ids of its members, in the order in which they came."""

    id: str
    name: str
    color: str
    created_at: float
    members: dict[str, None] = field(default_factory=dict)


@dataclass
class Subscriber:
    """A subscriber.

    :param unconfirmed_since: vendor time since which a double opt-in is awaited
    """

    id: str
    email: str
    created_at: float
    status: str = "active"
    source: str = "integration"
    first_name: str = ""
    last_name: str = ""
    segments: list[str] = field(default_factory=list)
    custom_fields: dict[str, str] = field(default_factory=dict)
    optin_ip: str = ""
    optin_timestamp: str | None = None
    unconfirmed_since: float | None = None


@dataclass
class Workflow:
    """A workflow and, by subscriber, the vendor time of the last entry (None after a removal)."""

    id: str
    name: str
    status: str
    repeats: bool = False
    abandoned_cart: bool = False
    entries: dict[str, float | None] = field(default_factory=dict)


class Flodesk(Vendor):
    """Facts and state of Flodesk."""

    name = "flodesk"
    prefixes = ("/flodesk/v1", "/flodesk/oauth2")
    limits: ClassVar[Mapping[str, Limit]] = {"default": Limit(100), "batch": Limit(20)}
    switches: ClassVar[Mapping[str, Switch]] = {
        "refresh_grace": Switch(0.0, "seconds for which a spent refresh token yields its successor again", float),
        "confirm_after": Switch(600.0, "vendor seconds until an unconfirmed person confirms; negative: never", float),
        "workflow_duration": Switch(600.0, "vendor seconds until a subscriber has completed a workflow", float),
        "allow_http_webhooks": Switch(False, "webhook addresses may be http and local"),
        # No repetition is documented, so at most one delivery may ever come.
        **webhook_switches(1),
    }
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "flodeskKey": {"type": "http", "scheme": "basic"},
        "flodeskToken": {"type": "http", "scheme": "bearer"},
    }
    any_media_type = True
    raw_bodies: ClassVar[Mapping[tuple[str, str], int]] = {("POST", "/token"): 64 * 1024}

    def seed(self) -> None:
        self.grants = Grants(self.world.clock.shelf)
        rows = (("seg_buyers", "Buyers"), ("seg_vips", "VIPs"), ("seg_news", "Newsletter"), ("seg_sellers", "Sellers"))
        self.segments = {row[0]: Segment(*row, COLORS[index], SEEDED_AT + index) for index, row in enumerate(rows)}
        labels = ("City", "Budget", "Bedrooms", "Favourite listing")
        self.custom_fields = {label.lower().replace(" ", "_"): label for label in labels}
        self.workflows = {
            workflow.id: workflow
            for workflow in (
                Workflow("wf_welcome", "Welcome", "active"),
                Workflow("wf_viewing", "Viewing reminder", "active", repeats=True),
                Workflow("wf_paused", "Spring campaign", "paused"),
                Workflow("wf_draft", "Autumn campaign", "draft"),
                Workflow("wf_cart", "Abandoned cart", "active", abandoned_cart=True),
            )
        }
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.campaigns: list[dict[str, Any]] = []
        self.design: dict[str, str] | None = None
        self.subscribers: dict[str, Subscriber] = {}
        self.by_email: dict[str, str] = {}
        self._numbers = {}
        for name, status in (("ada", "active"), ("bo", "active"), ("cy", "unsubscribed"), ("di", "bounced")):
            self.add(f"{name}@example.com", SEEDED_AT, status, ["seg_news"])

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        segments = wanted.get("segments", [])
        if not isinstance(segments, list) or not all(name in self.segments for name in segments):
            raise ValueError(f"segments must be a list of {', '.join(self.segments)}")
        for kind, count in wanted.items():
            if kind == "subscribers":
                for _ in range(whole(count, kind, 500_000)):
                    self.add(f"person{len(self.subscribers) + 1}@example.com", SEEDED_AT, "active", segments)
            elif kind != "segments":
                raise ValueError(f"flodesk can seed subscribers (a number) with segments (ids), not {kind!r}")

    def add(self, email: str, at: float, status: str = "active", segments: Sequence[str] = ()) -> Subscriber:
        """Store a new subscriber."""
        subscriber = Subscriber(f"sub_{self.number('subscriber')}", email, at, status)
        self.subscribers[subscriber.id] = subscriber
        self.by_email[email.lower()] = subscriber.id
        self.join(subscriber, segments)
        return subscriber

    def join(self, subscriber: Subscriber, segments: Sequence[str]) -> list[str]:
        """Add a subscriber to segments; returns those that are new."""
        fresh = [name for name in dict.fromkeys(segments) if name not in subscriber.segments]
        for name in fresh:
            subscriber.segments.append(name)
            self.segments[name].members[subscriber.id] = None
        return fresh

    def find(self, id_or_email: str) -> Subscriber | None:
        """A subscriber by id or by e-mail address, which ignores case."""
        return self.subscribers.get(id_or_email) or self.subscribers.get(self.by_email.get(id_or_email.lower(), ""))

    def require(self, id_or_email: str) -> Subscriber:
        """A subscriber by id or e-mail address.

        :raises VendorError: 404
        """
        found = self.find(id_or_email)
        if found is None:
            raise VendorError(404, "Subscriber not found")
        return found

    def status_of(self, subscriber: Subscriber) -> str:
        """The status now: a double opt-in is confirmed by itself after a while (assumed)."""
        wait = self.switch("confirm_after")
        since = subscriber.unconfirmed_since
        if subscriber.status == "unconfirmed" and since is not None and 0 <= wait <= self.world.clock.ticks() - since:
            subscriber.status, subscriber.unconfirmed_since = "active", None
        return subscriber.status

    def authenticate(self, call: Call) -> str:
        if call.path in ("/flodesk/oauth2/authorize", "/flodesk/oauth2/token"):
            return "oauth"
        token = call.bearer
        if token is not None and self.grants.accepts(token):
            return "account"
        if call.path.startswith("/flodesk/v1") and basic(call) == (API_KEY, ""):
            return "account"
        raise VendorError(401, "Unauthorized access is denied!")

    def buckets(self, call: Call) -> tuple[str, ...]:
        if call.path.startswith("/flodesk/oauth2"):
            return ()
        return ("batch",) if (call.method, call.route) == ("POST", "/subscribers/batch") else ("default",)

    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        return {"code": error.code or _CODES.get(error.status, "internal_error"), "message": error.message}

    def rate_headers(self, reading: Reading) -> dict[str, str]:
        return {"X-Fd-RateLimit-Limit": str(reading.limit), "X-Fd-RateLimit-Remaining": str(reading.remaining)}

    @classmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        extra = {"user_agent": "airflow-provider-mkt (sandbox.example)", "webhook_token": WEBHOOK_TOKEN}
        return {"host": f"{base}/flodesk/v1", "login": "", "password": API_KEY, "extra": extra}

    def credentials(self) -> dict[str, Any]:
        return {
            "api_key": API_KEY,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "refresh_token": self.grants.current_refresh(),
        }

    @property
    def listened_to(self) -> bool:
        return bool(self.webhooks)

    def emit(self, event: str, data: Mapping[str, Any]) -> None:
        payload = {"event_name": event, "event_time": iso(self.world.clock.now()), **data}
        for webhook in self.webhooks.values():
            if event in webhook["events"]:
                self.post(webhook["id"], event, webhook["post_url"], {**payload, "webhook_id": webhook["id"]})

    def expire(self, call: Call) -> VendorError:
        if call.bearer is not None:
            self.grants.revoke(call.bearer)
        return VendorError(401, "Unauthorized access is denied!")


def basic(call: Call) -> tuple[str, str] | None:
    """User name and password of a Basic authorization, None without a proper one."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None


def paged(rows: Sequence[Any], page: int, per_page: int) -> dict[str, Any]:
    """A page with its meta data; rows are shown as they are."""
    pages = -(-len(rows) // per_page)
    meta = {"page": page, "total_pages": pages, "per_page": per_page, "total_items": len(rows)}
    return {"meta": meta, "data": page_of(rows, page, per_page)}


Desk = Annotated[Flodesk, THE_VENDOR]
