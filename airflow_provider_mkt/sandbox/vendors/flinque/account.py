# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts and state of Flinque. The vendor publishes no schemas: every field but ``id`` is assumed."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Query
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import DAY, iso
from airflow_provider_mkt.sandbox.engine.limits import Limit, Reading
from airflow_provider_mkt.sandbox.engine.switches import Switch, webhook_switches
from airflow_provider_mkt.sandbox.engine.timeline import Timeline
from airflow_provider_mkt.sandbox.engine.vendor import THE_VENDOR, Call, Vendor, VendorError, page_of, whole
from airflow_provider_mkt.sandbox.vendors.flinque.orders import Orders

TOKEN_ROUTE = "/oauth/token"  # noqa: S105 - a path
TOKEN_LIFE = DAY
SEEDED_AT = 1_746_000_000.0
DEFAULT_ORDERS = 500
DEFAULT_REPORT_ROWS = 100
UNFINISHED = ("pending", "processing")
_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    429: "rate_limited",
}


@dataclass(frozen=True)
class Client:
    """Credentials of one workspace."""

    client_id: str
    client_secret: str
    workspace: str


CLIENTS = (
    Client("sandbox-flinque-client", "sandbox-flinque-secret", "ws_1"),
    Client("sandbox-flinque-client-2", "sandbox-flinque-secret-2", "ws_1"),
    Client("sandbox-flinque-free", "sandbox-flinque-free-secret", "ws_2"),
    Client("sandbox-flinque-enterprise", "sandbox-flinque-enterprise-secret", "ws_3"),
)
WORKSPACES = {
    "ws_1": ("Harbour Homes", "starter"),
    "ws_2": ("Harbour Homes Free", "free"),
    "ws_3": ("Harbour Homes Group", "enterprise"),
}


class ErrorObject(BaseModel):
    """The error itself."""

    code: str
    message: str
    details: list[dict[str, str]]


class Failure(BaseModel):
    """Error envelope (assumed)."""

    error: ErrorObject


class Meta(BaseModel):
    """Where a page stands."""

    page: int
    per_page: int
    total: int


ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 403, 404, 409, 413, 429)}
Page = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1, le=100)]


@dataclass
class Report:
    """A report; its timeline decides the status."""

    id: str
    type: str
    name: str | None
    campaign_id: str | None
    format: Literal["csv", "json"]
    created_at: float
    rows: int
    timeline: Timeline


@dataclass
class Workspace:
    """What one workspace holds."""

    id: str
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    webhooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


class Flinque(Vendor):
    """Facts and state of Flinque."""

    name = "flinque"
    prefixes = ("/flinque/v1",)
    limits: ClassVar[Mapping[str, Limit]] = {
        "free": Limit(30, burst=50),
        "starter": Limit(100, burst=200),
        "enterprise": Limit(500, burst=1000),
    }
    switches: ClassVar[Mapping[str, Switch]] = {
        "token_lifetime": Switch(TOKEN_LIFE, "seconds (real time) until an access token expires", float),
        "reset_unit": Switch("epoch_s", "unit of X-RateLimit-Reset: epoch_s, epoch_ms or seconds", str),
        "report_names": Switch(True, "whether a report shows the name that it was ordered with", bool),
        "export_not_ready_status": Switch(409, "status of an export before the report is ready (409, 404, 202)", int),
        "allow_http_webhooks": Switch(False, "webhook addresses may be http and local"),
        # The vendor does not say how often it sends; three times is assumed.
        **webhook_switches(3),
    }
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {"flinqueToken": {"type": "http", "scheme": "bearer"}}
    sends_retry_after = True
    webhook_token = False

    def seed(self) -> None:
        self.unfinished: list[tuple[Workspace, Report]] = []
        self.tokens: dict[str, tuple[str, float]] = {}
        self.workspaces = {name: Workspace(name) for name in WORKSPACES}
        self.orders = Orders(DEFAULT_ORDERS, self.world.clock.now())
        self.report_rows = DEFAULT_REPORT_ROWS
        self._numbers = {"campaign": 3}
        seeds = (("Spring open house", "active"), ("Harbour launch", "draft"), ("Winter tours", "completed"))
        for number, (name, status) in enumerate(seeds, 1):
            self.workspaces["ws_1"].campaigns[f"ca_{number}"] = {
                "id": f"ca_{number}",
                "name": name,
                "status": status,
                "start_date": None,
                "end_date": None,
                "budget": "1000.00",
                "currency": "USD",
                "creator_ids": ["cr_1", "cr_2"],
                "created_at": iso(SEEDED_AT + number),
                "updated_at": iso(SEEDED_AT + number),
            }

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        for kind, count in wanted.items():
            if kind == "attribution_orders":
                self.orders = Orders(whole(count, kind, 100_000_000), self.world.clock.now())
            elif kind == "report_rows":
                self.report_rows = whole(count, kind, 100_000_000)
            else:
                raise ValueError(f"flinque can seed attribution_orders and report_rows (numbers), not {kind!r}")

    def issue(self, client_id: str, client_secret: str) -> tuple[str, int]:
        """A token for a workspace's credentials, with its life in seconds.

        :raises VendorError: 401
        """
        for client in CLIENTS:
            if (client.client_id, client.client_secret) == (client_id, client_secret):
                life = self.switch("token_lifetime")
                token = f"flq_{secrets.token_hex(24)}"
                self.tokens[token] = (client.workspace, self.world.clock.shelf() + life)
                return token, int(life)
        raise VendorError(401, "The client credentials are wrong", code="invalid_client")

    def authenticate(self, call: Call) -> str:
        if call.route == TOKEN_ROUTE:
            # Token calls count for the workspace of the client that they name (assumed).
            named = (client for client in CLIENTS if f'"{client.client_id}"'.encode() in call.body)
            return next((client.workspace for client in named), "anonymous")
        workspace, until = self.tokens.get(call.bearer or "", ("", 0.0))
        if until <= self.world.clock.shelf():
            raise VendorError(401, "The access token is missing, invalid or expired")
        return workspace

    def buckets(self, call: Call) -> tuple[str, ...]:
        return (WORKSPACES.get(call.caller, ("", "starter"))[1],)

    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        details = [{"field": place, "message": message} for place, message in error.details]
        code = error.code or _CODES.get(error.status, "server_error")
        return {"error": {"code": code, "message": error.message, "details": details}}

    def rate_headers(self, reading: Reading) -> dict[str, str]:
        moment = self.world.clock.now() + reading.reset
        unit = self.switch("reset_unit")
        reset = {"epoch_ms": math.ceil(moment * 1000), "seconds": math.ceil(reading.reset)}.get(unit, math.ceil(moment))
        return {
            "X-RateLimit-Limit": str(reading.limit),
            "X-RateLimit-Remaining": str(reading.remaining),
            "X-RateLimit-Reset": str(reset),
        }

    @classmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        client = CLIENTS[0]
        return {
            "host": f"{base}/flinque/v1",
            "login": client.client_id,
            "password": client.client_secret,
            "extra": {"plan": WORKSPACES[client.workspace][1]},
        }

    def credentials(self) -> dict[str, Any]:
        return {
            "clients": [
                {
                    "client_id": client.client_id,
                    "client_secret": client.client_secret,
                    "workspace": client.workspace,
                    "plan": WORKSPACES[client.workspace][1],
                }
                for client in CLIENTS
            ]
        }

    def expire(self, call: Call) -> VendorError:
        self.tokens.pop(call.bearer or "", None)
        return VendorError(401, "The access token is missing, invalid or expired")

    def room(self, call: Call) -> Workspace:
        """The caller's workspace."""
        return self.workspaces[call.caller]

    @property
    def listened_to(self) -> bool:
        return any(room.webhooks for room in self.workspaces.values())

    def look(self) -> None:
        ticks, still = self.world.clock.ticks(), []
        for room, report in self.unfinished:
            state = report.timeline.at(ticks).state
            if state == "ready":
                self.emit("report.ready", {"id": report.id, "type": report.type, "status": state}, room)
            elif state in UNFINISHED:
                still.append((room, report))
        self.unfinished = still

    def emit(self, event: str, data: Mapping[str, Any], room: Workspace | None = None) -> None:
        room = room or self.workspaces["ws_1"]
        payload = {
            "id": f"evt_{self.number('event')}",
            "type": event,
            "created_at": iso(self.world.clock.now()),
            "workspace_id": room.id,
            "data": dict(data),
        }
        for webhook in room.webhooks.values():
            if event in webhook["events"]:
                self.post(webhook["id"], event, webhook["url"], payload, room.secrets[webhook["id"]])

    def webhook_headers(self, event: str, body: bytes, now: float, secret: str) -> Mapping[str, str]:  # noqa: ARG002
        return {"X-Flinque-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def listing(rows: Sequence[Any], page: int, per_page: int) -> dict[str, Any]:
    """A page, newest first, of rows in order of creation."""
    newest_first = rows[::-1]
    meta = {"page": page, "per_page": per_page, "total": len(rows)}
    return {"data": page_of(newest_first, page, per_page), "meta": meta}


Flinq = Annotated[Flinque, THE_VENDOR]
