# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The shared store is down: launches go on, once; what needs the store to be done once is not done at all.

==========================================  ========================================================
launches with a record of their own         go on, and the log says once what is wrong
those that need a token of the vendor's     go on with one that this process fetches for itself
segments and webhooks, which take turns     fail before anything is created, and say what to do
the same, when the store is back            are created once
==========================================  ========================================================
"""

from __future__ import annotations

import logging
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import OutcomeUnknownError
from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator, FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flodesk import FlodeskCreateSegmentOperator, FlodeskEnsureWebhookOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator, FlowSocialSchedulePostOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.budgets import shared as shared_budgets
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens import cache
from airflow_provider_mkt.state.tokens import shared as shared_tokens
from tests.unit.context import Task, Waits

PASSWORD = "s3cret-of-the-database"
PACED = "Until it works again, this host keeps to 25% of the rate limits."
OWN_TOKEN = "Until it works again, this process keeps its tokens to itself."


@dataclass(frozen=True)
class Down:
    """A store that does not work.

    :param url: what ``[mkt] state_url`` is set to
    :param where: how messages name it
    :param remedy: what they say is wrong, and what to do
    """

    url: str
    where: str
    remedy: str

    @property
    def said(self) -> str:
        """How every message about it begins."""
        return f"The shared state store ({self.where}) {self.remedy}."


UNREACHABLE = "cannot be reached; check that it runs and that [mkt] state_url is right"
READ_ONLY = "is read-only; make it writable for the user that runs Airflow"


@pytest.fixture
def nobody_listens() -> Iterator[Down]:
    """PostgreSQL at a port that is taken, so that nobody else gets it, and that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}/mkt"
        yield Down(f"postgresql://airflow:{PASSWORD}@{address}", f"PostgreSQL, {address}", UNREACHABLE)


@pytest.fixture
def no_folder(tmp_path: Path) -> Down:
    """SQLite in a folder that does not exist."""
    path = tmp_path / "nowhere" / "mkt.db"
    return Down(f"sqlite:///{path}", f"SQLite, {path}", UNREACHABLE)


@pytest.fixture
def read_only(tmp_path: Path) -> Down:
    """SQLite in a file that may be read and not written, by root neither."""
    path = tmp_path / "mkt.db"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TABLE other (id INTEGER)")
    return Down(f"sqlite:///file:{path}?mode=ro&uri=true", f"SQLite, file:{path}", READ_ONLY)


@pytest.fixture
def bring_back(no_folder: Down, use: Callable[[Down], None], tmp_path: Path) -> Callable[[], None]:
    """A store that does not work, in use, until this is called."""
    use(no_folder)
    return (tmp_path / "nowhere").mkdir


@pytest.fixture(params=["nobody_listens", "no_folder", "read_only"])
def down(request: pytest.FixtureRequest, use: Callable[[Down], None]) -> Down:
    """A store that does not work, in use."""
    store: Down = request.getfixturevalue(request.param)
    use(store)
    return store


@pytest.fixture
def use(nothing_untold: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Down], None]]:
    """Have this process use a store, and know nothing of any other: neither budgets, nor tokens, nor past troubles.

    It asks the store with every request, so that each one meets the trouble anew.
    """
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setattr(shared_budgets, "_budgets", {})
    monkeypatch.setattr(shared_tokens, "TOKENS", shared_tokens.Tokens())
    monkeypatch.setattr(shared_budgets, "ASK_AGAIN", 0.0)
    monkeypatch.setattr(cache, "READ_AGAIN", 0.0)
    yield lambda store: monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", store.url)
    for each in made.values():
        each.close()


@dataclass(frozen=True)
class Kind:
    """An operator, and how its vendor's ledger calls what it does.

    :param route: the request that does it
    :param told: how the warnings about the store end
    """

    operator: Any
    vendor: str
    effect: str
    options: Mapping[str, Any]
    route: str = ""
    told: tuple[str, ...] = ()

    def __call__(self, **options: Any) -> Any:
        return self.operator(task_id="publish", **self.options, **options)

    def made(self, vendors: Sandbox) -> int:
        return len(vendors.ledger(self.vendor, self.effect))


LAUNCHES = {
    "campaign": Kind(
        FlowLivingPublishCampaignOperator,
        "flow_living",
        "campaign.published",
        {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"},
        "POST /flow-living/campaigns/publish",
        (PACED, OWN_TOKEN),
    ),
    "post": Kind(
        FlowSocialSchedulePostOperator,
        "flow_social",
        "post.created",
        {"channel_id": "channel_1", "content": "Open house on Sunday"},
        "POST /flow-social/v1/posts",
        (PACED,),
    ),
    "report": Kind(
        FlinqueGenerateReportOperator,
        "flinque",
        "report.generated",
        {"report": {"type": "campaign", "campaign_id": "ca_1"}},
        "POST /flinque/v1/reports/generate",
        (PACED, OWN_TOKEN),
    ),
}
URL = "https://airflow.example.com/mkt/webhooks/mine"
IN_TURN = {
    "segment": Kind(FlodeskCreateSegmentOperator, "flodesk", "segment.created", {"name": "Open house, June"}),
    "Flinque webhook": Kind(
        FlinqueEnsureWebhookOperator, "flinque", "webhook.created", {"url": URL, "events": ["report.ready"]}
    ),
    "Flow Social webhook": Kind(
        FlowSocialEnsureWebhookOperator, "flow_social", "webhook.created", {"url": URL, "events": ["post.failed"]}
    ),
    "Flodesk webhook": Kind(
        FlodeskEnsureWebhookOperator,
        "flodesk",
        "webhook.created",
        {"url": URL, "events": ["subscriber.created"], "name": "Airflow"},
    ),
}
every_launch = pytest.mark.parametrize("kind", LAUNCHES.values(), ids=LAUNCHES)
everything_in_turn = pytest.mark.parametrize("kind", IN_TURN.values(), ids=IN_TURN)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says about the store."""
    named = [each for each in caplog.records if each.name.startswith("airflow_provider_mkt.state.")]
    return [record.getMessage() for record in named if record.levelno >= logging.WARNING]


@every_launch
def test_launches_go_on(kind: Kind, down: Down, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """Exactly once, whatever tries follow. The log says once what is wrong, and what this process does about it."""
    with caplog.at_level(logging.INFO):
        result = kind(wait_for_completion=False).execute(task.context)
        for again in (task.retry, task.clear):
            assert kind(wait_for_completion=False).execute(again()) == result
    assert kind.made(vendors) == 1
    told = warnings(caplog)
    assert all(line.startswith(f"{down.said} ") for line in told)
    assert sorted(line[line.index("Until it works") :] for line in told) == sorted(kind.told)
    assert PASSWORD not in caplog.text


def once_launched(waits: Waits, launched: Callable[[], Any], act: Callable[[], Any]) -> None:
    """Act in the first wait after the launch. Before it there may be one for the rate budget, which is cut."""

    def happen() -> None:
        if launched():
            waits.happenings.clear()
            act()

    waits.happenings = [happen] * 50


@pytest.mark.slow
@every_launch
def test_they_are_seen_through_to_their_end(kind: Kind, down: Down, vendors: Sandbox, task: Task, waits: Waits) -> None:
    """The tokens run out while they are waited for, and are fetched anew."""
    once_launched(waits, lambda: kind.made(vendors), lambda: vendors.advance(86_400))
    result = kind(wait_for_completion=True).execute(task.context)
    assert waits.each
    assert kind(wait_for_completion=True).execute(task.retry()) == result
    assert kind.made(vendors) == 1


@every_launch
def test_a_lost_answer_is_still_no_second_launch(kind: Kind, down: Down, vendors: Sandbox, task: Task) -> None:
    """Only with an idempotency key it is asked again; else a person or the vendor's list has to tell."""
    vendors.fault(kind.route, "drop_after")
    with suppress(OutcomeUnknownError):
        kind(wait_for_completion=False).execute(task.context)
    with suppress(OutcomeUnknownError):
        kind(wait_for_completion=False).execute(task.retry())
    assert kind.made(vendors) == 1


@everything_in_turn
def test_what_takes_turns_fails_before_it_creates_anything(
    kind: Kind, down: Down, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    for context in (task.context, task.retry()):
        with pytest.raises(StoreError) as caught:
            kind().execute(context)
        assert str(caught.value).startswith(down.said)
        assert PASSWORD not in str(caught.value) + caplog.text
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value != "fail"
    assert [each for each in vendors.requests() if each["method"] != "GET" and "token" not in each["path"]] == []
    assert vendors.ledger(kind.vendor) == []
    assert task.store.values == {}


@everything_in_turn
def test_when_it_is_back_it_is_created_once(
    kind: Kind, bring_back: Callable[[], None], vendors: Sandbox, task: Task
) -> None:
    """Nothing of the former tries stands in the way, and the process need not be started anew."""
    with pytest.raises(StoreError):
        kind().execute(task.context)
    bring_back()
    first = kind().execute(task.retry())
    assert first["created"] is True
    assert kind().execute(task.retry()) == first
    assert kind.made(vendors) == 1


@pytest.mark.slow
@every_launch
def test_a_launch_goes_on_when_the_store_comes_back(
    kind: Kind, bring_back: Callable[[], None], vendors: Sandbox, task: Task, waits: Waits
) -> None:
    """The same process shares its rate limits again, without a word from anybody."""
    once_launched(waits, lambda: kind.made(vendors), lambda: (bring_back(), vendors.advance(86_400)))
    result = kind(wait_for_completion=True).execute(task.context)
    assert kind(wait_for_completion=True).execute(task.retry()) == result
    assert kind.made(vendors) == 1
    assert any(use.used for use in shared_budgets.snapshot())
