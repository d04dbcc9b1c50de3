# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Metrics as a StatsD server receives them, over a real socket and through Airflow's own code."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from cryptography.fernet import Fernet

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.client.endpoint import Endpoint, Limit
from airflow_provider_mkt.exceptions import ApiError, AuthenticationError, OutcomeUnknownError, ValidationError
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens.shared import Tokens
from tests.statsd import StatsdServer
from tests.unit.context import Task
from tests.vendors import FACTS

CAMPAIGN = dict(FACTS["flow_living"].tasks["FlowLivingPublishCampaignOperator"][0])

LINE = re.compile(r"airflow\.(?P<name>[a-z_.]+)(?P<tags>(,[a-z]+=[^,:|=\s]+)*):(?P<value>[-0-9.e]+)\|(?P<kind>ms|c|g)")
KINDS = {"c": "counter", "ms": "timer", "g": "gauge"}
POST = {"channel_id": "channel_1", "content": "The harbour at dawn"}


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsdServer]:
    """Airflow's metrics switched on, as in a task: it initialises them the same way."""
    with StatsdServer() as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        metrics._stats.cache_clear()
        stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
        yield server
        monkeypatch.undo()
        metrics._stats.cache_clear()
        stats.initialize(factory=get_stats_factory(), export_legacy_names=True)


def received(server: StatsdServer, name: str, number: int = 1) -> list[dict[str, str]]:
    """Wait for so many lines of a metric and return the tags of each; every line that arrived must be well-formed."""
    deadline = time.monotonic() + 5.0
    while True:
        found = []
        for line in server.lines():
            match = LINE.fullmatch(line)
            assert match, line
            known = metrics.METRICS[match["name"]]
            tags = dict(pair.split("=") for pair in match["tags"].split(",") if pair)
            assert KINDS[match["kind"]] == known.kind
            assert set(tags) == set(known.tags), line
            if match["name"] == name:
                found.append({**tags, "value": match["value"]})
        if len(found) >= number:
            return found
        assert time.monotonic() < deadline, (name, server.lines())
        time.sleep(0.01)


def test_requests_and_tokens(vendors: Sandbox, statsd: StatsdServer) -> None:
    next(iter(FlinqueHook().list_campaigns()))
    asked = received(statsd, "mkt.requests", 2)
    assert {(each["vendor"], each["method"], each["route"], each["outcome"]) for each in asked} == {
        ("flinque", "POST", "/oauth/token", "answered"),
        ("flinque", "GET", "/campaigns", "answered"),
    }
    assert len(received(statsd, "mkt.request_duration", 2)) == 2
    assert [each["vendor"] for each in received(statsd, "mkt.tokens.fetched")] == ["flinque"]
    used = received(statsd, "mkt.budget.used", 2)
    assert {(each["vendor"], each["budget"]) for each in used} == {("flinque", "default")}
    assert all(0 < float(each["value"]) <= 1 for each in used)


def test_routes_are_templates(vendors: Sandbox, statsd: StatsdServer) -> None:
    with pytest.raises(ApiError):
        FlowSocialHook().get_post("post_of_nobody")
    (asked,) = received(statsd, "mkt.requests")
    assert asked["route"] == "/posts/post_id"
    assert asked["outcome"] == "refused"
    assert not any("nobody" in line for line in statsd.lines())


def test_throttled_and_repeated(vendors: Sandbox, statsd: StatsdServer) -> None:
    vendors.fault("GET /flow-social/v1/channels", "rate_limit", retry_after=0)
    vendors.fault("GET /flow-social/v1/channels", "status", status=500)
    list(FlowSocialHook().list_channels())
    assert Counter(each["outcome"] for each in received(statsd, "mkt.requests", 3)) == {
        "throttled": 1,
        "failed": 1,
        "answered": 1,
    }
    assert len(received(statsd, "mkt.throttled")) == 1
    assert Counter(each["outcome"] for each in received(statsd, "mkt.retries", 2)) == {"throttled": 1, "failed": 1}


def test_waits_for_a_budget(statsd: StatsdServer) -> None:
    metrics.wait("Flow Social", ("default", "post_creation"), 0.0)
    metrics.wait("Flow Social", ("default", "post_creation"), 1.25)
    (waited,) = received(statsd, "mkt.budget.wait")
    assert (waited["budget"], float(waited["value"])) == ("default_and_post_creation", 1250.0)


def test_how_much_of_a_budget_is_used(statsd: StatsdServer, tmp_path: object) -> None:
    used = Store(f"sqlite:///{tmp_path}/state.db")
    budget = SharedBudget(("flinque", "https://api", "key"), {"default": Limit(10, 60.0)}, 0.4, lambda: used)
    for _ in range(4):
        budget.reserve(("default",))
    told = received(statsd, "mkt.budget.used", 4)
    assert [float(each["value"]) for each in told] == [0.25, 0.5, 0.75, 1.0]
    used.close()


def submit(task: Task, **fields: object) -> None:
    FlowSocialSchedulePostOperator(task_id="post", **POST, wait_for_completion=False, **fields).execute(task.context)


def test_a_submission_and_its_second_try(vendors: Sandbox, task: Task, statsd: StatsdServer) -> None:
    submit(task)
    submit(task)
    assert [each["vendor"] for each in received(statsd, "mkt.submissions.submitted")] == ["flow_social"]
    assert len(received(statsd, "mkt.submissions.attached")) == 1


def test_a_lost_answer_and_its_settling(vendors: Sandbox, task: Task, statsd: StatsdServer) -> None:
    vendors.fault("POST /flow-social/v1/posts", "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        submit(task)
    submit(task)
    assert len(received(statsd, "mkt.submissions.reconciled")) == 1
    assert not any("submissions.unknown" in line for line in statsd.lines()), "nobody had to look"


def test_a_lost_answer_that_a_person_has_to_look_at(
    vendors: Sandbox, task: Task, statsd: StatsdServer, connect: Callable[..., str]
) -> None:
    connect("flow_living", "flow_living_default", extra={"analytics_host": ""})
    vendors.fault("POST /flow-living/campaigns/publish", "drop_after")
    operator = FlowLivingPublishCampaignOperator(task_id="publish", **CAMPAIGN)
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            operator.execute(task.context)
    assert [each["vendor"] for each in received(statsd, "mkt.submissions.unknown", 2)] == ["flow_living", "flow_living"]


def test_a_refused_submission(vendors: Sandbox, task: Task, statsd: StatsdServer) -> None:
    vendors.fault("POST /flow-social/v1/posts", "status", status=400)
    with pytest.raises(ApiError):
        submit(task)
    assert len(received(statsd, "mkt.submissions.refused")) == 1


def test_a_refresh_token_that_is_spent(statsd: StatsdServer, tmp_path: object) -> None:
    used, encryptor = Store(f"sqlite:///{tmp_path}/state.db"), Encryptor(Fernet.generate_key().decode())
    tokens = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
    key = "flodesk/https://api/client/conn"
    tokens.get_rotating(key, "seed", lambda _: Token("access", 3600.0, "next"))
    assert received(statsd, "mkt.tokens.refreshed") == [{"vendor": "flodesk", "value": "1"}]

    def refuse(_: str) -> Token:
        raise ValidationError("refused", status=400, code="invalid_grant")

    tokens.discard(key, "access")
    with pytest.raises(AuthenticationError):
        tokens.get_rotating(key, "seed", refuse)
    assert len(received(statsd, "mkt.tokens.failed")) == 1
    used.close()


def test_a_store_that_fails(statsd: StatsdServer) -> None:
    def fail() -> Store:
        raise StoreError(StoreFailure.UNREACHABLE)

    budget = SharedBudget(("flinque", "https://api", "key"), {"default": Limit(10, 60.0)}, 1.0, fail)
    budget.reserve(("default",))
    (failed,) = received(statsd, "mkt.store.failures")
    assert failed["what"] == "budgets"


def test_every_route_of_every_vendor_can_be_told(statsd: StatsdServer) -> None:
    """Airflow drops names with other characters, and long ones."""
    from airflow_provider_mkt import vendors as package

    number = 0
    for vendor in package.VENDORS:
        module = __import__(f"airflow_provider_mkt.vendors.{vendor.conn_type}", fromlist=["x"])
        for endpoint in (each for each in vars(module).values() if isinstance(each, Endpoint)):
            number += 1
            metrics.request(vendor.name, endpoint.method, endpoint.path, "ANSWERED", 0.1)
    assert number > 80
    told = {(each["vendor"], each["method"], each["route"]) for each in received(statsd, "mkt.requests", number)}
    assert {vendor for vendor, *_ in told} == {vendor.conn_type for vendor in package.VENDORS}


def test_nothing_is_loaded_or_sent_while_they_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "incr", lambda *_, **__: pytest.fail("sent"))
    metrics._stats.cache_clear()
    assert not metrics.on()
    metrics.request("Flinque", "GET", "/x", "ANSWERED", 0.1)
    metrics.submission("Flinque", "submitted")


def test_a_backend_that_fails_does_not_stop_a_launch(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the exporter is gone")

    backend = SimpleNamespace(incr=broken, timing=broken, gauge=broken)
    monkeypatch.setattr(metrics, "_stats", lambda: backend)
    submit(task)
    assert len(vendors.ledger("flow_social", "post.created")) == 1


@pytest.fixture
def timed() -> Callable[[Callable[[], None]], float]:
    def best(call: Callable[[], None]) -> float:
        rounds = []
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(2000):
                call()
            rounds.append((time.perf_counter() - begun) / 2000)
        return min(rounds)

    return best


def test_off_costs_next_to_nothing(timed: Callable[[Callable[[], None]], float]) -> None:
    metrics._stats.cache_clear()
    assert timed(lambda: metrics.request("Flow Social", "GET", "/posts", "ANSWERED", 0.1)) < 5e-6
