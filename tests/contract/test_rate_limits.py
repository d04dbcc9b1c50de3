# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Never over the limit: hooks against vendors that count strictly, with the vendors' own numbers in a short minute.

Of every budget two windows' worth of requests and one more are sent, by a hook for each kind of request, all at once.
None may be refused. The same hooks without their budget are refused by the same vendors, so the first test can fail.

Flinque's bursts are switched off, since the client must never plan on them.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.client import retry
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.budgets import shared as shared_budgets
from airflow_provider_mkt.state.budgets import sliding_window
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.tokens import shared as shared_tokens
from tests.contract.wire import Unlimited

MINUTE = 60.0
SLACK = 0.2
"""Seconds by which windows are longer here. The vendor runs in this process: on a busy machine both hold each other up,
by more than the margin that is meant for networks."""
THREADS = 4
"""Hooks at work when nothing is paced."""
REQUESTS: dict[str, Callable[[Any, int], Any]] = {
    "campaign": lambda hook, _: hook.get_campaign("ca_1"),
    "campaigns": lambda hook, _: list(hook.list_campaigns()),
    "channel": lambda hook, _: hook.get_channel("channel_1"),
    "post": lambda hook, number: hook.create_post({"channelId": "channel_1", "content": f"Post {number}"}),
    "posts": lambda hook, number: hook.create_posts([{"channelId": "channel_1", "content": f"Posts {number}"}]),
    "webhook": lambda hook, number: hook.create_webhook(f"https://airflow.example.com/{number}", ["post.failed"]),
    "key": lambda hook, number: hook.create_api_key(f"Key {number}"),
    "segment": lambda hook, _: hook.get_segment("seg_vips"),
    "batch": lambda hook, number: hook.upsert_subscribers([{"email": f"a{number}@example.com"}]),
    "listing": lambda hook, number: hook.process_listing({"home_listing_id": f"listing_{number}"}),
    "dry run": lambda hook, _: hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour", dry_run=True),
    "integration": lambda hook, _: hook.get_integration("int_adjust"),
}
"""One request each; the number makes it another one than those before."""


@dataclass(frozen=True)
class Case:
    """An account and what is sent from it.

    :param limits: requests and seconds, by the sandbox's name of the budget
    :param sent: how often each kind of request is sent
    :param plan: Flinque's plan
    :param minute: seconds that a minute of the vendor's takes
    """

    hook: type[MarketingHook]
    limits: Mapping[str, tuple[int, float]]
    sent: Mapping[str, int]
    plan: str | None = None
    minute: float = 1.5

    def shortened(self, seconds: float) -> float:
        return self.minute if seconds == MINUTE else seconds


def flinque(plan: str, limit: int, request: str, **more: Any) -> Case:
    return Case(FlinqueHook, {f"flinque.{plan}": (limit, MINUTE)}, {request: 2 * limit + 1}, plan, **more)


CASES: dict[str, Case] = {
    "flinque free": flinque("free", 30, "campaigns"),
    "flinque starter": flinque("starter", 100, "campaign"),
    # In less time a slow machine could not send enough of them to be refused.
    "flinque enterprise": flinque("enterprise", 500, "campaigns", minute=3.0),
    # What creates counts in the main budget as well: 201 in all, of which 61 create posts.
    "flow_social": Case(
        FlowSocialHook,
        {
            "flow_social.default": (100, MINUTE),
            "flow_social.post_creation": (30, MINUTE),
            "flow_social.webhook_creation": (10, MINUTE),
            "flow_social.api_key_creation": (5, MINUTE),
        },
        {"channel": 108, "post": 41, "posts": 20, "webhook": 21, "key": 11},
    ),
    "flodesk": Case(
        FlodeskHook,
        {"flodesk.default": (100, MINUTE), "flodesk.batch": (20, MINUTE)},
        {"segment": 201, "batch": 41},
    ),
    "flow_living": Case(
        FlowLivingHook,
        {"flow_living.default": (60, MINUTE), "flow_living.publish": (1, 1.0)},
        {"listing": 118, "dry run": 3},
    ),
    "flokit": Case(FlokitHook, {"flokit.workspace": (100, MINUTE)}, {"integration": 201}),
}
BARE = [pytest.param(case, kind, id=f"{name}, {kind}") for name, case in CASES.items() for kind in case.sent]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    """A sandbox of the module's own, whose real time passes as it does here."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def open_account(vendors: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Case], None]]:
    """Have the vendor and the hooks count a case's account by its limits, in a store that knows nothing yet."""
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setattr(shared_budgets, "_budgets", {})
    monkeypatch.setattr(shared_tokens, "TOKENS", shared_tokens.Tokens())
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    monkeypatch.setattr(sliding_window, "MARGIN", sliding_window.MARGIN + SLACK)
    stated = MarketingHook.limits

    def opened(case: Case) -> None:
        vendors.reset()
        counted = {name: {"limit": most, "window": case.shortened(span)} for name, (most, span) in case.limits.items()}
        vendors.limits({"*": None, **counted})
        connection = dict(vendors.connections[case.hook.default_conn_name])  # type: ignore[attr-defined]
        if case.plan:
            clients = vendors.credentials()["flinque"]["clients"]
            client = next(each for each in clients if each["plan"] == case.plan)
            connection |= {"login": client["client_id"], "password": client["client_secret"]}
            connection["extra"] = {"plan": case.plan}
        monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", json.dumps(connection))

        def limits(hook: MarketingHook, account: Account) -> Mapping[str, Limit]:
            known = stated(hook, account)
            return {name: Limit(each.requests, case.shortened(each.window)) for name, each in known.items()}

        monkeypatch.setattr(MarketingHook, "limits", limits)

    yield opened
    for each in made.values():
        each.close()


def send(case: Case, kind: str, number: int, pool: ThreadPoolExecutor) -> Iterator[Any]:
    """Send this many requests of a kind, each thread through a hook of its own."""
    own = threading.local()

    def one(number: int) -> None:
        if not hasattr(own, "hook"):
            own.hook = case.hook("account")
        REQUESTS[kind](own.hook, number)

    return pool.map(one, range(number))


def statuses(vendors: Sandbox) -> Counter[int]:
    return Counter(entry["status"] for entry in vendors.requests())


@pytest.mark.proof
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_paced_requests_are_never_refused(case: Case, vendors: Sandbox, open_account: Callable[[Case], None]) -> None:
    """All budgets of an account are used up at once, and no more."""
    open_account(case)
    with ExitStack() as stack:
        pools = {kind: stack.enter_context(ThreadPoolExecutor(1)) for kind in case.sent}
        for sending in [send(case, kind, number, pools[kind]) for kind, number in case.sent.items()]:
            list(sending)
    answered = statuses(vendors)
    assert answered[429] == 0
    # Flinque is asked for a token as well, Flow Living for two.
    assert 0 <= answered.total() - sum(case.sent.values()) <= 2
    assert all(status < 300 for status in answered)


@pytest.mark.parametrize(("case", "kind"), BARE)
def test_unpaced_requests_are_refused(
    case: Case,
    kind: str,
    vendors: Sandbox,
    open_account: Callable[[Case], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So the vendor counts: here over a whole minute, for which no machine is too slow."""
    open_account(replace(case, minute=MINUTE))
    monkeypatch.setattr(shared_budgets, "budget_for", lambda *_: Unlimited())
    monkeypatch.setattr(retry, "ATTEMPTS", 1)
    with ThreadPoolExecutor(THREADS) as pool, pytest.raises(RateLimitError):
        list(send(case, kind, sum(case.sent.values()), pool))
    assert statuses(vendors)[429] > 0
