# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever a vendor answers, a caller gets a result of the promised type or an error of the family, nothing else."""

from __future__ import annotations

import inspect
import io
import itertools
import json
import logging
import os
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.sdk import Connection
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from airflow_provider_mkt.client import attempt, exchange
from airflow_provider_mkt.client.auth import Auth, BearerAuth
from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens import shared as tokens
from airflow_provider_mkt.state.tokens.shared import Tokens
from airflow_provider_mkt.waiting.base import Verdict, Watch
from airflow_provider_mkt.waiting.flinque import CampaignWatch as InfluencerCampaignWatch
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.contract.wire import Unlimited
from tests.vendors import HOOKS, endpoints

WATCHES: list[Watch] = [
    ReportWatch("r1"),
    InfluencerCampaignWatch("c1", ["active"]),
    SyncWatch("i1", since="2026-01-01T00:00:00Z", requested_at=0.0),
    CampaignWatch(["q1", "q2"], ["published"], 0.0),
    CampaignWatch(["q1"], ["paused"]),
    PostWatch(["p1", "p2"], ["done"]),
]
MAX_REQUESTS = 20
"""After so many requests the vendor gives in and answers 404: some lists go on for ever, as they may."""

CASES = int(os.environ.get("MKT_FUZZ", "20000" if os.environ.get("CI") else "5000"))
"""Cases in total, at least; more for a long attack: ``MKT_FUZZ=200000``. A case is a call and the answers to it."""


class Canned(HTTPAdapter):
    """Answers without a network: every request gets the next of the given answers, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Iterator[tuple[int, dict[str, str], bytes]] = iter(())
        self.requests = 0

    def deal(self, answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        self.answers = itertools.cycle(answers)
        self.requests = 0

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.requests += 1
        status, headers, body = next(self.answers) if self.requests <= MAX_REQUESTS else (404, {}, b"")
        raw = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False, decode_content=False)
        return self.build_response(request, raw)


def _hook(kind: type[MarketingHook]) -> MarketingHook:
    extra = {"request_type": "x", "analytics_host": "http://analytics.test"} if kind is FlowLivingHook else {}
    extra |= {"analytics_user_id": "u", "analytics_user_secret": "secret"} if extra else {}
    extra |= {"refresh_token": "fd_rt_of_tests"} if kind is FlodeskHook else {}
    login = "someone" if kind.vendor.login_required or kind is FlodeskHook else None
    parts = {"conn_type": kind.conn_type, "host": "http://vendor.test/v1", "login": login, "password": "key-of-tests"}
    hook = kind("x", connection=Connection(conn_id="x", **parts, extra=json.dumps(extra)))
    hook.client.budget = Unlimited()
    hook.client.auth = BearerAuth("key-of-tests")
    if isinstance(hook, FlowLivingHook):
        hook._listing_client.budget = Unlimited()
    return hook


def _names() -> list[str]:
    names = {
        *("data", "items", "meta", "page", "per_page", "total", "next", "next_cursor", "has_more", "total_pages"),
        *("error", "message", "details", "code", "retry_after", "request_id", "id", "status", "type", "errors"),
        *(
            "expires_in",
            "last_synced_at",
            "error_message",
            "campaign_id",
            "results",
            "summary",
            "successes",
            "failures",
        ),
    }
    for endpoint in _endpoints():
        names |= {*(endpoint.rows or ()), *([endpoint.envelope] if endpoint.envelope else [])}
        names |= set(endpoint.answer) if isinstance(endpoint.answer, dict) else set()
    return sorted(names)


def _endpoints(conn_type: str | None = None) -> list[Endpoint]:
    return [row for name in ([conn_type] if conn_type else HOOKS) for _, row in endpoints(name)]


WORDS = [
    *("queued", "in_progress", "published", "failed", "paused", "completed", "flowing", "done", "blocked", "ready"),
    *("syncing", "connected", "error", "disconnected", "r1", "q1", "\ud800", "\x00", "{}", "%s {0}", "NaN"),
    *("http://[", "?page=abc", "?page=2", "https://vendor.test/v1?cursor=x", "2026-01-01", "0001-01-01T00:00:00+23:59"),
    *("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiAxZTQwMH0.x", "a.bm90IGpzb24.c", "token\r\nX-Injected: 1", "Schlüssel🔑"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 10**12, 10**30, 10**4000, -(10**400)]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(WORDS),
)
NAMES = st.sampled_from(_names())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=14,
)
OBJECTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=10)
BODIES = st.one_of(
    OBJECTS.map(json.dumps).map(str.encode),
    VALUES.map(json.dumps).map(str.encode),
    OBJECTS.map(lambda value: json.dumps(value).encode()[:-3]),
    OBJECTS.map(lambda value: json.dumps(value).encode("utf-16")),
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b" ", b"null", b"<html>", b"[" * 60_000, b'{"a":' * 60_000, b"1" * 5_000, b'"\xff"', b"\xef\xbb\xbf{}"]
    ),
)
HEADER_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": HEADER_TEXTS | st.sampled_from(["-1", "nan", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT", "0"]),
        "X-RateLimit-Remaining": HEADER_TEXTS | st.just("0"),
        "X-RateLimit-Reset": HEADER_TEXTS | st.sampled_from(["-5", "1e18", "9999999999999", "nan"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "identity", "nonsense"]),
        "Location": HEADER_TEXTS | st.sampled_from(["http://[", "/again", "ftp://x", "http://a.test/", "//", "\xff"]),
        "Content-Type": HEADER_TEXTS,
        "X-Request-Id": HEADER_TEXTS,
    },
)
STATUSES = st.one_of(
    st.sampled_from([200, 201, 202, 204]),
    st.sampled_from([301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 502, 503, 599, 799]),
)
ANSWERS = st.lists(st.tuples(STATUSES | st.just(200), HEADERS, BODIES), min_size=1, max_size=3)

ARGUMENTS: dict[str, Any] = {
    "post": {"channelId": "c", "content": "hello"},
    "posts": [{"channelId": "c", "content": "hello"}],
    "update_posts posts": [{"id": "p1", "content": "hello"}],
    "update_post changes": {"content": "hello"},
    "subscriber": {"email": "a@example.com"},
    "subscribers": [{"email": "a@example.com"}],
    "listing_external_ids": ["l1"],
    "listing": {"home_listing_id": "l1"},
    "status": "paused",
    "url": "https://receiver.example/hook",
    "post_url": "https://receiver.example/hook",
    "redirect_uri": "https://app.example/callback",
    "platform": "twitter",
    "event": {"event": "purchase", "user_id": "u1", "timestamp": "2026-06-08T09:00:00Z"},
    "events": [{"event": "purchase", "user_id": "u1", "timestamp": "2026-06-08T09:00:00Z"}],
    "publish_canva_design design": {
        "title": "x",
        "design_token": "x",
        "bundle_url": "https://a.example/b",
        "page_id": "x",
    },
    "publish_studio_design design": {"title": "x", "html": "<p>x</p>", "asset_id": "x"},
    "params": {"code": "x", "state": "x"},
}
"""Arguments by parameter, or method and parameter; others are made up from the parameter's name and annotation."""
EVENTS = {"flinque": "report.ready", "flow_social": "post.created", "flodesk": "subscriber.created"}
OPTIONAL: dict[str, dict[str, Any]] = {
    "update_channel": {"name": "x"},
    "update_webhook": {"active": True},
    "list_agent_insights": {"agent_external_id": "x"},
}
"""Further arguments of methods that want at least one of several."""
BUILDERS = frozenset({"auth", "bases", "limits", "vendor_limits", "headers", "publish_call", "analytics_call"})
"""Methods of the hooks that prepare requests instead of making them."""


def _argument(kind: type[MarketingHook], method: str, name: str, annotation: str) -> Any:
    if name == "events" and "webhook" in method:
        return [EVENTS[kind.conn_type]]
    known = ARGUMENTS.get(f"{method} {name}", ARGUMENTS.get(name))
    if known is not None:
        return known
    if "date" in annotation or name.startswith("cohort_"):
        return "2026-06-08" if "start" in name else "2026-06-09"
    if "Mapping" in annotation or "dict" in annotation:
        return {"name": "x"}
    if "Sequence" in annotation or "list" in annotation:
        return ["x"]
    return 1 if annotation == "int" else "x"


def _methods(kind: type[MarketingHook]) -> dict[str, Callable[..., Any]]:
    """Return the public methods that a vendor's hook adds to those of all hooks."""
    found = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_") and name not in BUILDERS}
    return {
        name: method
        for name, method in found.items()
        if inspect.isfunction(method)
        and method.__module__.startswith("airflow_provider_mkt.hooks.")
        and method.__module__ != MarketingHook.__module__
    }


def _call(hook: MarketingHook, method: Callable[..., Any]) -> Any:
    signature = inspect.signature(method)
    wanted = [
        parameter
        for parameter in list(signature.parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    name = method.__name__
    arguments = {each.name: _argument(type(hook), name, each.name, str(each.annotation)) for each in wanted}
    further = {key: value for key, value in OPTIONAL.get(name, {}).items() if key in signature.parameters}
    result = method(hook, **arguments, **further)
    promised = str(signature.return_annotation)
    if promised.startswith("Iterator"):
        rows = list(itertools.islice(result, 100))
        assert all(isinstance(row, bytes if "bytes" in promised else (dict, str)) for row in rows)
    elif promised.startswith("dict"):
        assert isinstance(result, dict)
    elif promised == "str":
        assert isinstance(result, str)
    elif promised == "None":
        assert result is None
    return result


def at_once(_attempts: attempt.Attempts, _progress: object) -> Generator[float, None, float]:
    """Give a slot of the rate budget that begins now."""
    yield from ()
    return 0.0


def no_store() -> Store:
    raise StoreError(StoreFailure.UNREACHABLE, "the store of no test")


@pytest.fixture(autouse=True)
def quiet(waits: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No waits, no log lines and no masks: there would be thousands. Tokens stay in memory.

    A token that is stored waits for the disk, which took a minute and a half while other tests wrote.
    """
    monkeypatch.setattr(tokens, "TOKENS", Tokens(no_store, mask=lambda _: None))
    monkeypatch.setattr("airflow.sdk.log.mask_secret", lambda *args: None)
    monkeypatch.setattr(attempt.Attempts, "_reserve", at_once)
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    monkeypatch.setitem(ARGUMENTS, "path", str(photo))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    """The network of all clients that are made from now on."""
    network = Canned()
    monkeypatch.setattr(exchange, "Adapter", lambda **kwargs: network)
    return network


@pytest.mark.parametrize("conn_type", HOOKS)
def test_every_method_asks_the_vendor(conn_type: str, canned: Canned) -> None:
    """Otherwise the next test would prove nothing: an argument may be missing in :data:`ARGUMENTS`."""
    hook = _hook(HOOKS[conn_type])
    silent = []
    for name, method in _methods(HOOKS[conn_type]).items():
        canned.deal([(404, {}, b"{}")])
        try:
            _call(hook, method)
        except ApiError:
            if not canned.requests:
                silent.append(name)
        else:
            # Built from the connection alone.
            assert canned.requests or "url" in name, name
    assert not silent


def _look(hook: MarketingHook, watch: Watch) -> None:
    verdict = hook.client.run(watch.poll())
    event = json.loads(json.dumps(verdict.event()))
    assert Verdict.of(event).final is verdict.final


def _send(hook: MarketingHook, endpoint: Endpoint) -> None:
    parts = [part.split("}")[0] for part in endpoint.path.split("{")[1:]]
    hook.client.send(endpoint(path=dict.fromkeys(parts, "x"), idempotency_key="k"))


def _fetch_token(hook: MarketingHook) -> None:
    fetch = getattr(hook, "_fetch_token", None) or (lambda: hook._refresh("fd_rt_x"))  # type: ignore[attr-defined]
    token = fetch()
    assert token.value
    assert 0 < token.lifetime < float("inf")


def _calls(kind: type[MarketingHook]) -> dict[str, Callable[[MarketingHook], object]]:
    """Every way to ask a vendor: methods, routes of the table (also those without a method), watches, token calls."""
    calls: dict[str, Callable[[MarketingHook], object]] = {
        name: partial(_call, method=method) for name, method in _methods(kind).items()
    }
    calls |= {
        f"{endpoint.method} {endpoint.path}": partial(_send, endpoint=endpoint)
        for endpoint in _endpoints(kind.conn_type)
        if endpoint.base in _hook(kind).client.settings.bases
    }
    calls |= {repr(watch): partial(_look, watch=watch) for watch in WATCHES if watch.hook is kind}
    return calls | ({"token": _fetch_token} if kind in (FlinqueHook, FlowLivingHook, FlodeskHook) else {})


@pytest.mark.proof
@pytest.mark.parametrize("conn_type", HOOKS)
def test_no_answer_escapes_the_error_family(conn_type: str, canned: Canned) -> None:
    """Each made-up series of answers is given to every call of the vendor."""
    hook, calls = _hook(HOOKS[conn_type]), _calls(HOOKS[conn_type])
    in_all = sum(len(_calls(kind)) for kind in HOOKS.values())
    cases = 0

    @seed(1)
    @settings(
        max_examples=-(-CASES // in_all),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(answers=ANSWERS)
    def attack(answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        nonlocal cases
        for name, call in calls.items():
            cases += 1
            canned.deal(answers)
            try:
                call(hook)
            except ApiError as error:
                str(error).encode()
                json.dumps(error.details)
            except Exception:
                note(f"{conn_type}: {name}")
                raise

    attack()
    assert cases >= CASES * len(calls) // in_all


@pytest.mark.parametrize("value", ["tok\r\nX-Injected: 1", "tok\n", "Schlüssel🔑", "\x00"])
def test_a_token_that_no_header_can_carry(value: str, canned: Canned) -> None:
    """It is refused before anything is sent, and not quoted."""

    class Odd(Auth):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {value}"
            return request

    hook = _hook(FlowSocialHook)
    hook.client.auth = Odd()
    with pytest.raises(ValidationError) as caught:
        hook.get_post("p1")  # type: ignore[attr-defined]
    assert canned.requests == 0
    assert value.strip() not in str(caught.value)
