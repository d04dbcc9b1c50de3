# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every fault × every safety: what the caller of a hook gets, what happened at the vendor, and how often it was asked.

Each cell reads ``end effects/requests``: how the call ends, how many effects the vendor's ledger saw, and how many
requests reached the vendor's route. "once": the fault hits the first attempt only. "always": it hits every attempt.
Both drivers, ``send`` and ``asend``, have to agree with the same cells; with ``MKT_WHOLE_MATRIX=1`` every cell is tried
with both.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.client.endpoint import Safety
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.contract.faults import (
    Arm,
    Stage,
    connect_timeout,
    cut,
    handshake_cut,
    no_name,
    no_tls,
    proxy,
    proxy_away,
    refused,
    sandbox_fault,
    slow,
    stale,
    timeout,
    untrusted,
)
from tests.contract.wire import Unlimited, certificate

ENDS: dict[str, type[ApiError] | None] = {
    "ok": None,
    "NotSent": NotSentError,
    "RateLimit": RateLimitError,
    "Auth": AuthenticationError,
    "Denied": PermissionDeniedError,
    "NotFound": NotFoundError,
    "Invalid": ValidationError,
    "Api": ApiError,
    "Server": ServerError,
    "Unknown": OutcomeUnknownError,
    "Unreadable": MalformedResponseError,
}


@dataclasses.dataclass(frozen=True)
class Action:
    """One call of a hook, and how to find its traces at the vendor."""

    hook: type[MarketingHook]
    route: str
    do: Callable[[Any, str, str], Any]
    effects: tuple[str, ...]
    reference: Callable[[str], str] = str


def _digest(email: str) -> str:
    return "sha256:" + hashlib.sha256(email.encode()).hexdigest()[:8]


ACTIONS: dict[Safety, Action] = {
    Safety.READ: Action(
        FlowLivingHook,
        "GET /flow-living/campaigns/status/",
        lambda hook, name, tracking_id: hook.get_campaign_status(tracking_id),
        (),
    ),
    Safety.IDEMPOTENT: Action(
        FlodeskHook,
        "POST /flodesk/v1/subscribers/batch",
        lambda hook, name, _: hook.upsert_subscribers([{"email": f"{name}@example.com"}]),
        ("subscriber.created", "subscriber.updated"),
        lambda name: _digest(f"{name}@example.com"),
    ),
    Safety.KEYED: Action(
        FlowSocialHook,
        "POST /flow-social/v1/posts",
        lambda hook, name, _: hook.create_post({"channelId": "channel_1", "content": name}, f"key-{name}"),
        ("post.created",),
    ),
    Safety.ONCE: Action(
        FlowLivingHook,
        "POST /flow-living/campaigns/publish",
        lambda hook, name, _: hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour", order_ref=name),
        ("campaign.published",),
    ),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault and its two lines of cells, in the order READ, IDEMPOTENT, KEYED, ONCE."""

    name: str
    arm: Arm
    once: str
    always: str
    waits: tuple[float, float] | None = None
    """For "once": between which seconds the first wait has to lie."""


NEVER_SENT = ("ok 0/1 | ok 1/1 | ok 1/1 | ok 1/1", "NotSent 0/0 | NotSent 0/0 | NotSent 0/0 | NotSent 0/0")
THROTTLED = ("ok 0/2 | ok 1/2 | ok 1/2 | ok 1/2", "RateLimit 0/5 | RateLimit 0/5 | RateLimit 0/5 | RateLimit 0/5")
BROKEN_BEFORE = ("ok 0/2 | ok 1/2 | ok 1/2 | Unknown 0/1", "Server 0/5 | Server 0/5 | Unknown 0/5 | Unknown 0/1")
BROKEN_AFTER = ("ok 0/2 | ok 2/2 | ok 1/2 | Unknown 1/1", "Server 0/5 | Server 5/5 | Unknown 1/5 | Unknown 1/1")
UNREADABLE = (
    "ok 0/2 | ok 2/2 | ok 1/2 | Unreadable 1/1",
    "Unreadable 0/5 | Unreadable 5/5 | Unreadable 1/5 | Unreadable 1/1",
)


def all_of(cell: str) -> tuple[str, str]:
    return " | ".join([cell] * 4), " | ".join([cell] * 4)


# Flodesk (IDEMPOTENT) and Flow Social (KEYED) have keys that do not change, so no renewal can cure a refusal there.
TABLE = (
    # the request never left
    Row("unknown name", no_name, *NEVER_SENT),
    Row("connection refused", refused, *NEVER_SENT),
    Row("connect timeout", connect_timeout, *NEVER_SENT),
    Row("TLS: untrusted certificate", untrusted, *NEVER_SENT),
    Row("TLS: none spoken", no_tls, *NEVER_SENT),
    Row("TLS: closed in the handshake", handshake_cut, *NEVER_SENT),
    Row("proxy away", proxy_away, *NEVER_SENT),
    Row("proxy refuses 403", proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n"), *NEVER_SENT),
    Row("proxy refuses 502", proxy(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), *NEVER_SENT),
    Row("proxy answers nonsense", proxy(b"go away\r\n\r\n"), *NEVER_SENT),
    Row("proxy closes", proxy(b""), *NEVER_SENT),
    # refused, for now
    Row("429, Retry-After in seconds", sandbox_fault("rate_limit", retry_after=2), *THROTTLED, waits=(2, 2)),
    Row(
        "429, Retry-After as a date",
        sandbox_fault("rate_limit", retry_after="http-date", seconds=4),
        *THROTTLED,
        waits=(4, 5),
    ),
    Row("429, nothing said", sandbox_fault("rate_limit", retry_after=None), *THROTTLED),
    Row("429, wait for nothing", sandbox_fault("rate_limit", retry_after=0), *THROTTLED, waits=(0.5, 1)),
    Row(
        "429, an hour asked",
        sandbox_fault("rate_limit", retry_after=3600),
        *all_of("RateLimit 0/1"),
    ),
    # refused until the token is renewed
    Row(
        "401, a new token cures",
        sandbox_fault("status", status=401),
        "ok 0/2 | Auth 0/1 | Auth 0/1 | ok 1/2",
        "Auth 0/2 | Auth 0/1 | Auth 0/1 | Auth 0/2",
    ),
    Row(
        "token expired (403 JWT expired; 401 for keys)",
        sandbox_fault("expired_token"),
        "ok 0/2 | Auth 0/1 | Auth 0/1 | ok 1/2",
        "Denied 0/2 | Auth 0/1 | Auth 0/1 | Denied 0/2",
    ),
    Row(
        "403",
        sandbox_fault("status", status=403),
        "ok 0/2 | Denied 0/1 | Denied 0/1 | ok 1/2",
        "Denied 0/2 | Denied 0/1 | Denied 0/1 | Denied 0/2",
    ),
    # refused
    Row("400", sandbox_fault("status", status=400), *all_of("Invalid 0/1")),
    Row("404", sandbox_fault("status", status=404), *all_of("NotFound 0/1")),
    Row("405", sandbox_fault("status", status=405), *all_of("Api 0/1")),
    Row("409", sandbox_fault("status", status=409), *all_of("Invalid 0/1")),
    Row("422", sandbox_fault("status", status=422), *all_of("Invalid 0/1")),
    # unknown
    Row("read timeout, executed", timeout("after"), *BROKEN_AFTER),
    Row("read timeout, executed later", timeout("before"), *BROKEN_AFTER),
    Row("reset, executed", sandbox_fault("reset_after"), *BROKEN_AFTER),
    Row("reset, not executed", sandbox_fault("reset_before"), *BROKEN_BEFORE),
    Row("closed without a byte, executed", sandbox_fault("drop_after"), *BROKEN_AFTER),
    Row("closed without a byte, not executed", sandbox_fault("drop_before"), *BROKEN_BEFORE),
    Row("500, not executed", sandbox_fault("status", status=500), *BROKEN_BEFORE),
    Row("500, executed", sandbox_fault("status", status=500, processed=True), *BROKEN_AFTER),
    Row("502 in HTML, executed", sandbox_fault("html", status=502, processed=True), *BROKEN_AFTER),
    # by a gateway that gave up waiting: the vendor may have the whole request
    Row("408, not executed", sandbox_fault("status", status=408), *BROKEN_BEFORE),
    Row("408, executed", sandbox_fault("status", status=408, processed=True), *BROKEN_AFTER),
    Row("499, executed", sandbox_fault("status", status=499, processed=True), *BROKEN_AFTER),
    Row("503, Retry-After", sandbox_fault("status", status=503, retry_after=3), *BROKEN_BEFORE, waits=(3, 3)),
    Row("500 cut short, executed", cut("status", status=500, processed=True), *BROKEN_AFTER),
    Row("400 cut short", cut("status", status=400), *BROKEN_BEFORE),
    Row("redirected", sandbox_fault("redirect", status=300), *BROKEN_BEFORE),
    # a launch does not ride on an idle connection at all, so there is nothing to be unsure of
    Row("stale keep-alive", stale, "ok 0/1 | ok 1/1 | ok 1/1 | ok 1/1", "ok 0/1 | ok 1/1 | ok 1/1 | ok 1/1"),
    # executed, result unreadable
    Row("2xx cut short", sandbox_fault("drop_mid"), *UNREADABLE),
    Row("2xx, half a JSON", sandbox_fault("truncate"), *UNREADABLE),
    Row("2xx, not JSON", sandbox_fault("malformed"), *UNREADABLE),
    Row("2xx in HTML", sandbox_fault("html", status=200, processed=True), *UNREADABLE),
    Row("2xx, empty", sandbox_fault("empty"), *UNREADABLE),
    Row("2xx, an array", sandbox_fault("wrong_types"), *UNREADABLE),
    Row("2xx, null", sandbox_fault("wrong_types", value=None), *UNREADABLE),
    Row("2xx, fields of wrong types", sandbox_fault("wrong_types", inner=True), *UNREADABLE),
    Row("2xx, 50 MB", sandbox_fault("huge", megabytes=50), *UNREADABLE),
    Row("2xx, trickling", slow, *UNREADABLE),
)
WHOLE = "MKT_WHOLE_MATRIX"
"""Environment variable: take every case."""
DRIVERS = ("send", "asend")


def drivers(row: Row, safety: Safety, how: str) -> tuple[str, ...]:
    """Return the drivers to try a cell with: both for one safety of each line, else one, each as often as the other.

    They share the attempt; what each does by itself is to wait and to repeat it.
    """
    number = zlib.crc32(f"{row.name} {how}".encode())
    place = list(ACTIONS).index(safety)
    if WHOLE in os.environ or number % len(ACTIONS) == place:
        return DRIVERS
    return (DRIVERS[(number + place) % 2],)


CASES = [
    pytest.param(row, safety, how, driver, id=f"{row.name} - {safety.name} - {how} - {driver}")
    for row in TABLE
    for safety in ACTIONS
    for how in ("once", "always")
    for driver in drivers(row, safety, how)
]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    """A sandbox of this module's own: requests that are still under way must not meet another test's."""
    with Sandbox(speed=600) as sandbox:
        sandbox.limits({"*": None})
        yield sandbox


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("trusted", "untrusted")}


def hook_of(stage: Stage, kind: type[MarketingHook]) -> MarketingHook:
    known = stage.sandbox.connections[f"{kind.conn_type}_default"]
    host = known["host"].replace(stage.sandbox.url, stage.base)
    connection = Connection(
        conn_id="x", **{**known, "host": host, "extra": json.dumps({**known.get("extra", {}), **stage.extra})}
    )
    hook = kind("x", connection=connection)
    hook.client.budget = Unlimited()
    return hook


def prepare(stage: Stage, kind: type[MarketingHook]) -> str:
    """Have a token ready, a campaign published and no traces left; return the campaign's tracking id."""
    if kind is not FlowLivingHook:
        return ""
    hook = hook_of(stage, kind)
    answer = ACTIONS[Safety.ONCE].do(hook, "prepared", "")
    hook.client.close()
    return str(answer["campaign_tracking_ids"][0])


def run(hook: Any, action: Action, name: str, tracking_id: str, driver: str) -> ApiError | None:
    """Do it and return how it ended. Token calls are always made by ``send``, as in production."""
    if driver == "asend":
        hook.send = lambda call: (
            asyncio.run(hook.client.asend(call)) if call.endpoint.authenticated else hook.client.send(call)
        )
    try:
        action.do(hook, name, tracking_id)
    except ApiError as error:
        return error
    finally:
        hook.client.close()
    return None


_seen = {"seq": 0}


def latest_request(vendors: Sandbox) -> int:
    """Return the number of the last request so far; only what is new since the last time is asked for."""
    _seen["seq"] = max((entry["seq"] for entry in vendors.requests(since=_seen["seq"])), default=_seen["seq"])
    return _seen["seq"]


def settled(count: Callable[[], int], expected: int) -> int:
    """Return the count, waiting a moment for what the vendor does although nobody listens any more."""
    deadline = time.monotonic() + 3
    while (found := count()) < expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize(("row", "safety", "how", "driver"), CASES)
def test_fault(  # noqa: PLR0917 - what a case consists of, and fixtures
    row: Row,
    safety: Safety,
    how: str,
    driver: str,
    vendors: Sandbox,
    certificates: dict[str, Path],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action, name = ACTIONS[safety], f"case-{next(_numbers)}"
    cell = getattr(row, how).split(" | ")[list(ACTIONS).index(safety)]
    end, counts = cell.split(" ")
    effects, requests = map(int, counts.split("/"))
    with ExitStack() as stack:
        stage = Stage(vendors, certificates, stack)
        row.arm(stage, action.route)
        for variable in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in stage.environment.items():
            monkeypatch.setenv(variable, value)
        tracking_id = prepare(stage, action.hook)
        hook = hook_of(stage, action.hook)
        if stage.warm:
            assert hook.test_connection()[0]
        stack.callback(vendors.clear_faults)
        begun = latest_request(vendors)
        waits.clear()
        stage.break_it(1 if how == "once" else 100)
        hook.client.settings = dataclasses.replace(hook.client.settings, **stage.settings)
        error = run(hook, action, name, tracking_id, driver)

        def happened() -> int:
            found = vendors.ledger(hook.conn_type, reference=action.reference(name))
            return len([entry for entry in found if entry["effect"] in action.effects])

        method, path = action.route.split(" ")
        asked = [
            entry
            for entry in vendors.requests(hook.conn_type, since=begun)
            if entry["method"] == method and entry["path"].startswith(path)
        ]
        assert type(error) is (type(None) if ENDS[end] is None else ENDS[end]), error
        assert settled(happened, effects) == effects
        assert len(asked) == requests
    if isinstance(error, ApiError):
        assert (error.vendor, error.method) == (hook.vendor.name, method)
    if isinstance(error, MalformedResponseError):
        assert error.executed is (safety is not Safety.READ)
    if safety is Safety.ONCE:
        # Refusals apart, the vendor was asked at most once: it cannot have done it twice.
        assert len([entry for entry in asked if entry["status"] not in (401, 403, 429)]) <= 1
    if row.waits and how == "once" and requests > 1:
        low, high = row.waits
        assert low <= next(wait for wait in waits if wait) <= high
