# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts and state of Flow Social."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

from fastapi import Header
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso, millis
from airflow_provider_mkt.sandbox.engine.limits import Limit, Reading
from airflow_provider_mkt.sandbox.engine.outbox import Delivery
from airflow_provider_mkt.sandbox.engine.switches import Switch, webhook_switches
from airflow_provider_mkt.sandbox.engine.vendor import MEGABYTE, THE_VENDOR, Call, Vendor, VendorError, whole
from airflow_provider_mkt.sandbox.vendors.flow_social.objects import Channel, Connection, Key, Post

API_KEY = "flow_sk_live_sandbox1_0123456789abcdef0123456789abcdef"
READ_KEY = "flow_sk_live_sandbox2_fedcba9876543210fedcba9876543210"
TEST_KEY = "flow_sk_test_sandbox3_00112233445566778899aabbccddeeff"
SEEDED_AT = 1_750_000_000.0
Permission = Literal[
    "posts:read",
    "posts:write",
    "channels:read",
    "channels:write",
    "connections:read",
    "connections:write",
    "webhooks:read",
    "webhooks:write",
    "api-keys:read",
    "api-keys:write",
    "analytics:read",
    "media:read",
    "media:write",
]
PERMISSIONS: tuple[str, ...] = get_args(Permission)
UPLOAD_LIMIT = 12 * MEGABYTE
FINAL = {
    "done": ("post.delivered", "delivered_at"),
    "failed": ("post.failed", "failed_at"),
    "blocked": ("post.blocked", "blocked_at"),
}
"""The event of each final state, and the name of its moment (of the last two assumed)."""
_TYPES = {
    400: ("validation_error", "VALIDATION_ERROR"),
    401: ("authentication_error", "INVALID_API_KEY"),
    403: ("authorization_error", "FORBIDDEN"),
    404: ("not_found", "RESOURCE_NOT_FOUND"),
    405: ("validation_error", "METHOD_NOT_ALLOWED"),
    409: ("validation_error", "IDEMPOTENCY_CONFLICT"),
    413: ("validation_error", "VALIDATION_ERROR"),
    429: ("rate_limit_error", "RATE_LIMIT_EXCEEDED"),
}
_CREATIONS = {
    "/posts": "post_creation",
    "/posts/batch": "post_creation",
    "/webhooks": "webhook_creation",
    "/api-keys": "api_key_creation",
}


class Problem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ErrorObject(BaseModel):
    """The error itself; ``retry_after`` comes with a 429."""

    type: str
    message: str
    code: str
    details: list[Problem]
    retry_after: int | None = None


class Failure(BaseModel):
    """Error envelope."""

    error: ErrorObject


class Message(BaseModel):
    """Answer of a deletion."""

    message: str


DataType = TypeVar("DataType")


class Envelope(BaseModel, Generic[DataType]):
    """Success envelope."""

    data: DataType


ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 403, 404, 409, 413, 429)}


class FlowSocial(Vendor):
    """Facts and state of Flow Social."""

    name = "flow_social"
    prefixes = ("/flow-social/v1",)
    limits: ClassVar[Mapping[str, Limit]] = {
        "default": Limit(100),
        "post_creation": Limit(30),
        "webhook_creation": Limit(10),
        "api_key_creation": Limit(5),
    }
    switches: ClassVar[Mapping[str, Switch]] = {
        "scopes": Switch(False, "keys are held to their permissions (403 otherwise)"),
        "allow_http_webhooks": Switch(False, "webhook addresses may be http and local"),
        "batch_mixed_status": Switch(201, "status of a batch creation of which some items failed (200, 201, 207)", int),
        "early_posts": Switch(False, "posts go out speed times sooner, that is before their scheduledFor"),
        "not_queued_status": Switch(400, "status when a post that is not queued is edited or deleted (400, 409)", int),
        # Three attempts are documented, but neither the pauses nor whether the first one counts.
        **webhook_switches(3),
    }
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {"flowSocialKey": {"type": "http", "scheme": "bearer"}}
    raw_bodies: ClassVar[Mapping[tuple[str, str], int]] = {("POST", "/media/upload"): UPLOAD_LIMIT}
    sends_retry_after = True
    webhook_token = False

    def seed(self) -> None:
        reading = [name for name in PERMISSIONS if name.endswith(":read")]
        self.keys = {
            "key_1": Key("key_1", "Sandbox", API_KEY, list(PERMISSIONS), SEEDED_AT),
            "key_2": Key("key_2", "Read only", READ_KEY, reading, SEEDED_AT),
        }
        self.channels = {
            "channel_1": Channel("channel_1", "Harbour Homes", "#3B82F6", SEEDED_AT, ["conn_1", "conn_3"]),
            "channel_2": Channel("channel_2", "Harbour Homes News", "#112233", SEEDED_AT + 1, ["conn_2"]),
            "channel_3": Channel("channel_3", "Harbour Homes Careers", None, SEEDED_AT + 2, ["conn_4"]),
        }
        self.connections = {
            "conn_1": Connection("conn_1", "meta", "harbourhomes"),
            "conn_2": Connection("conn_2", "twitter", "@harbourhomes"),
            "conn_3": Connection("conn_3", "linkedin", "harbour-homes"),
            "conn_4": Connection("conn_4", "tiktok", "@harbour.careers", "expired", SEEDED_AT),
        }
        self._numbers = {"key": 2, "channel": 3, "connection": 4}
        self.posts: dict[str, Post] = {}
        self.media: dict[str, tuple[str, bytes]] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.webhook_secrets: dict[str, str] = {}
        self.unfinished: list[Post] = []
        self.states: dict[str, str] = {}
        self.usage: dict[str, dict[str, int]] = {}

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        for kind, count in wanted.items():
            if kind != "channels":
                raise ValueError(f"flow_social can seed channels (a number), not {kind!r}")
            for _ in range(whole(count, kind, 100_000)):
                number = self.number("channel")
                channel = Channel(f"channel_{number}", f"Channel {number}", None, self.world.clock.now())
                self.channels[channel.id] = channel

    def authenticate(self, call: Call) -> str:
        if call.route.endswith("/callback") and call.method == "GET":
            return "browser"
        key = next((key for key in self.keys.values() if key.secret == call.bearer), None)
        if key is None:
            raise VendorError(401, "Invalid or missing API key")
        wanted = _permission(call)
        if self.switch("scopes") and wanted not in key.permissions:
            raise VendorError(
                403, "Insufficient permissions", code="INSUFFICIENT_PERMISSIONS", details=[("permission", wanted)]
            )
        key.last_used_at = self.world.clock.now()
        return key.id

    def buckets(self, call: Call) -> tuple[str, ...]:
        creation = _CREATIONS.get(call.route) if call.method == "POST" else None
        return ("default",) if creation is None else ("default", creation)

    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        kind, code = _TYPES.get(error.status, ("server_error", "SERVER_ERROR"))
        details = [{"field": place, "message": message} for place, message in error.details]
        inner = {"type": kind, "message": error.message, "code": error.code or code, "details": details}
        return {"error": {**inner, **error.facts}}

    def rate_headers(self, reading: Reading) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(reading.limit),
            "X-RateLimit-Remaining": str(reading.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.world.clock.now() + reading.reset)),
        }

    def idempotent(self, call: Call) -> bool:
        return call.method == "POST"

    def count_request(self, call: Call) -> None:  # noqa: ARG002 - every request counts alike
        self.day()["requests"] += 1

    def day(self) -> dict[str, int]:
        """Today's usage."""
        return self.usage.setdefault(iso(self.world.clock.now())[:10], {"requests": 0, "posts": 0})

    @property
    def listened_to(self) -> bool:
        return bool(self.webhooks)

    def look(self) -> None:
        clock, still = self.world.clock, []
        for post in self.unfinished:
            state = post.status(clock)
            if state in FINAL:
                event, moment = FINAL[state]
                ids = {"post_id": post.id, "channel_id": post.channel_id}
                self.emit(event, {**ids, moment: stamp(clock.now())})
            elif post.id in self.posts:
                still.append(post)
        self.unfinished = still

    def emit(self, event: str, data: Mapping[str, Any]) -> None:
        payload = {"event": event, "data": dict(data), "timestamp": stamp(self.world.clock.now())}
        for webhook in self.webhooks.values():
            if webhook["active"] and event in webhook["events"]:
                self.deliver(webhook, payload)

    def deliver(self, webhook: Mapping[str, Any], payload: Mapping[str, Any]) -> Delivery:
        """Send a payload to one subscription."""
        return self.post(webhook["id"], payload["event"], webhook["url"], payload, self.webhook_secrets[webhook["id"]])

    def webhook_headers(self, event: str, body: bytes, now: float, secret: str) -> Mapping[str, str]:
        moment = str(int(now))
        signature = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"Flow-Signature": f"t={moment},v1={signature}", "Flow-Event-Type": event}

    @classmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        return {"host": f"{base}/flow-social/v1", "login": "", "password": API_KEY, "extra": {}}

    def credentials(self) -> dict[str, Any]:
        return {"api_key": API_KEY, "read_only_api_key": READ_KEY, "refused_test_key": TEST_KEY}


def _permission(call: Call) -> str:
    resource = call.route.split("/")[1]
    if resource == "usage":
        return "analytics:read"
    return f"{resource}:{'read' if call.method in ('GET', 'HEAD') else 'write'}"


def stamp(seconds: float) -> int:
    """A time as the vendor's answers show it: Unix milliseconds."""
    return millis(seconds)


Social = Annotated[FlowSocial, THE_VENDOR]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]
