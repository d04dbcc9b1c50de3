# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many who wait share one loop: what it costs the vendor, whom it tells, and what it outlives."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time.task_runner import _defer_task

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import list_loop, loop, watch
from airflow_provider_mkt.triggers.line import Line
from airflow_provider_mkt.triggers.list_loop import ListLoop
from airflow_provider_mkt.triggers.subscribers import Group
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flinque import CampaignWatch as Campaign
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.unit.triggers.streams import triggerer, triggers, until

pytestmark = pytest.mark.slow

LIST = "GET /flokit/v1/integrations"
SINCE = "2999-01-01T00:00:00+00:00"


def asked(vendors: Sandbox, path: str) -> int:
    return sum(each["path"].startswith(path) and each["method"] == "GET" for each in vendors.requests())


def syncs(number: int, **fields: Any) -> list[SyncWatch]:
    return [SyncWatch(("int_adjust", "int_stripe")[each % 2], **fields) for each in range(number)]


def test_fifty_tasks_cost_the_vendor_what_one_does(vendors: Sandbox) -> None:
    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers([*syncs(49, since=SINCE), SyncWatch("int_appsflyer")], "flokit_default"):
                running.run(each)
            await until(lambda: asked(vendors, "/flokit") >= 5)
            assert [each.done() for each in running.tasks] == [False] * 49 + [True]
            return [running.tasks[-1].result()]

    assert [each["state"] for each in asyncio.run(wait())] == ["failed"]
    lists = [each for each in vendors.requests("flokit") if each["path"].endswith("/integrations")]
    # One besides: what the failed task returns has the figures that a list lacks.
    assert len(vendors.requests("flokit")) == len(lists) + 1


def test_the_result_is_what_a_task_that_polls_alone_returns(vendors: Sandbox) -> None:
    campaigns = [FlinqueHook().create_campaign({"name": f"c{each}", "status": "active"})["id"] for each in range(3)]
    report = FlinqueHook().generate_report({"type": "campaign"})["id"]
    post = {"channelId": "channel_1", "content": "soon"}
    posts = [FlowSocialHook().create_post(post)["id"] for _ in range(3)]
    living = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")
    vendors.advance(700)
    kinds: list[tuple[str, list[Any]]] = [
        ("flokit_default", [SyncWatch("int_adjust"), SyncWatch("int_google_play")]),
        ("flinque_default", [ReportWatch(report)]),
        ("flinque_default", [Campaign(each, ["active"]) for each in campaigns]),
        ("flow_social_default", [PostWatch(posts[:2], ["done"]), PostWatch(posts[2:], ["done"])]),
        ("flow_living_default", [CampaignWatch(living["campaign_tracking_ids"], ["published"])]),
    ]

    async def wait() -> list[tuple[Any, Any]]:
        async with triggerer() as running:
            found = [each for conn_id, watches in kinds for each in triggers(watches, conn_id)]
            for each in found:
                running.run(each)
            together = await running.results()
            return [(one, (await anext(each.run())).payload) for one, each in zip(together, found, strict=True)]

    pairs = asyncio.run(wait())
    assert [together for together, _ in pairs] == [alone for _, alone in pairs]
    assert {together["state"] for together, _ in pairs} == {"done", "failed"}


def test_a_late_joiner_gets_what_was_read_last(vendors: Sandbox) -> None:
    async def wait() -> None:
        async with triggerer() as running:
            running.run(triggers(syncs(1, since=SINCE), "flokit_default", 60.0)[0])
            running.run(triggers([SyncWatch("int_stripe", SINCE)], "flokit_default", 60.0)[0])
            await until(lambda: asked(vendors, "/flokit") == 1)
            late = running.run(triggers([SyncWatch("int_appsflyer")], "flokit_default", 60.0)[0])
            await asyncio.wait_for(late, 10)

    asyncio.run(wait())
    # What it returns is read once more, with all its figures.
    assert [each["path"].rpartition("/")[2] for each in vendors.requests("flokit")][1:] == ["int_appsflyer"]


def test_one_bad_id_fails_its_own_task(vendors: Sandbox) -> None:
    async def wait() -> dict[str, Any]:
        async with triggerer() as running:
            bad = running.run(triggers([SyncWatch("int_nowhere")], "flokit_default")[0])
            for each in triggers(syncs(4, since=SINCE), "flokit_default"):
                running.run(each)
            found = await asyncio.wait_for(bad, 10)
            seen = asked(vendors, LIST.partition(" ")[2])
            await until(lambda: asked(vendors, LIST.partition(" ")[2]) > seen + 2)
            assert not any(each.done() for each in running.tasks[1:])
            return found

    assert asyncio.run(wait())["kind"] == "NotFoundError"


def test_what_cannot_be_judged_fails_its_own_task(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = SyncWatch.judge

    def odd(self: SyncWatch, rows: Any) -> Any:
        return judge(self, rows if self.integration_id == "int_adjust" else {})

    monkeypatch.setattr(SyncWatch, "judge", odd)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(syncs(2), "flokit_default"):
                running.run(each)
            return await running.results()

    good, bad = asyncio.run(wait())
    assert good["state"] == "done"
    assert "could not be judged" in bad["message"]


# What a loop outlives


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 403}, {"status": 503}, {"status": 404}])
def test_an_outage_fails_nobody_before_the_deadline(
    fault: dict[str, Any], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_PAUSE", 0.02)
    for route in (LIST, f"{LIST}/{{id}}"):
        if fault["status"] != 404 or route == LIST:
            vendors.fault(route, "status", count=None, **fault)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(syncs(4), "flokit_default", 0.01):
                running.run(each)
            if fault["status"] != 404:
                await until(lambda: len(vendors.requests("flokit")) >= 12)
                assert not any(each.done() for each in running.tasks)
                vendors.clear_faults()
            return await running.results()

    # A list alone that is not there is no outage: they are read one by one.
    assert [each["state"] for each in asyncio.run(wait())] == ["done"] * 4


def test_the_last_word_says_why(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    vendors.fault(LIST, "status", status=401, count=None)
    vendors.fault(f"{LIST}/{{id}}", "status", status=401, count=None)
    monkeypatch.setattr(watch, "LAST_WORD", 0.0)

    async def wait() -> dict[str, Any]:
        async with triggerer() as running:
            built = triggers(syncs(1), "flokit_default")[0]
            built.timeout_after = datetime.now(timezone.utc) + timedelta(seconds=1)  # type: ignore[attr-defined]
            return await running.run(built)

    found = asyncio.run(wait())
    assert (found["state"], found["kind"]) == ("error", "ApiError"), "a retry may find it cured"
    assert "deadline" in found["message"]
    assert "401" in found["message"]


def test_a_changed_connection_is_read_again(vendors: Sandbox, connect: Callable[..., str]) -> None:
    conn_id = connect("flokit", password="wrong-key-1")

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(syncs(2), conn_id):
                running.run(each)
            await until(lambda: any(each["status"] == 401 for each in vendors.requests("flokit")))
            connect("flokit")
            return await running.results()

    assert [each["state"] for each in asyncio.run(wait())] == ["done", "done"]


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), RuntimeError("a bug"), StopAsyncIteration()])
def test_a_loop_that_breaks_begins_again(
    raised: BaseException, vendors: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow takes a cancellation from inside for its own: the loop ended, and its tasks waited for ever."""
    monkeypatch.setattr(loop, "RESTART_AFTER", 0.01)
    turn, left = ListLoop.turn, [raised]

    async def breaking(self: ListLoop) -> None:
        if left:
            raise left.pop()
        await turn(self)

    monkeypatch.setattr(ListLoop, "turn", breaking)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(syncs(3), "flokit_default"):
                running.run(each)
            return await running.results()

    with caplog.at_level(logging.ERROR, "airflow_provider_mkt"):
        assert [each["state"] for each in asyncio.run(wait())] == ["done"] * 3
    assert "begins again" in caplog.text


def test_a_loop_that_cannot_even_begin_fails_its_tasks(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no loop")

    monkeypatch.setattr(watch, "run_for_ever", broken)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            running.run(triggers(syncs(1), "flokit_default")[0])
            return await running.results()

    assert "no loop" in asyncio.run(wait())[0]["message"]


def test_a_loop_that_never_begins_is_tried_in_peace_and_named_at_the_deadline(
    vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Any] = []

    def broken(*made: Any) -> None:
        tries.append(made)
        raise RuntimeError("a part is missing")

    monkeypatch.setattr(watch, "_loop", broken)
    monkeypatch.setattr(watch, "LAST_WORD", 0.0)
    monkeypatch.setattr(loop, "RESTART_AFTER", 0.2)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(syncs(2), "flokit_default"):
                each.timeout_after = datetime.now(timezone.utc) + timedelta(seconds=1)  # type: ignore[attr-defined]
                running.run(each)
            return await running.results()

    for found in asyncio.run(wait()):
        assert found["timed_out"]
        assert "a part is missing" in found["message"]
    assert 1 < len(tries) <= 10


# Traps of Airflow's shared streams


def test_the_key_names_the_class_the_connection_and_what_is_read() -> None:
    class Other(WatchTrigger):
        """Another kind of trigger."""

    one = WatchTrigger.of(SyncWatch("a"), "c", 1.0)
    assert one.shared_stream_key() == WatchTrigger.of(SyncWatch("b"), "c", 9.0).shared_stream_key()
    others = [
        Other.of(SyncWatch("a"), "c", 1.0),
        WatchTrigger.of(SyncWatch("a"), "d", 1.0),
        WatchTrigger.of(ReportWatch("a"), "c", 1.0),
        WatchTrigger.of(Campaign("a", ["active"]), "c", 1.0),
    ]
    assert len({one.shared_stream_key(), *(each.shared_stream_key() for each in others)}) == 5


def test_the_loop_has_no_tasks_log_context(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody's")
    seen: set[str] = set()
    client = Line.client

    async def noting(self: Line) -> Any:
        seen.add(mine.get())
        return await client(self)

    monkeypatch.setattr(Line, "client", noting)

    async def wait() -> None:
        async with triggerer() as running:
            mine.set("the first task's")
            running.run(triggers(syncs(1), "flokit_default")[0])
            await running.results()

    asyncio.run(wait())
    assert seen == {"nobody's"}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_task_waits_in_a_triggerer_of_its_queue(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's event triggers ignore queues: where each triggerer serves queues, nobody would run such a trigger."""
    monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", str(enabled))
    instance: Any = SimpleNamespace(dag_id="d", task_id="t", run_id="r", task=SimpleNamespace(queue="eu"))
    deferred = TaskDeferred(trigger=triggers(syncs(1), "flokit_default")[0], method_name="execute_complete")
    message, _ = _defer_task(deferred, instance, structlog.get_logger())
    assert message.queue == ("eu" if enabled else None)  # type: ignore[union-attr]


def test_no_queue_overflows(vendors: Sandbox) -> None:
    async def wait() -> None:
        async with triggerer(max_subscriber_queue=1) as running:
            for each in triggers(syncs(3, since=SINCE), "flokit_default", 0.01):
                running.run(each)
            await until(lambda: asked(vendors, "/flokit") > 20)
            assert not any(each.done() for each in running.tasks)

    asyncio.run(wait())


def test_who_joins_as_the_last_one_leaves_is_looked_after(vendors: Sandbox) -> None:
    async def wait() -> dict[str, Any]:
        async with triggerer() as running:
            first, second = triggers([*syncs(1, since=SINCE), SyncWatch("int_appsflyer")], "flokit_default")
            leaving = running.run(first)
            await until(lambda: asked(vendors, "/flokit") >= 1)
            leaving.cancel()
            return await asyncio.wait_for(running.run(second), 10)

    assert asyncio.run(wait())["state"] == "failed"
    assert Group._all == {} or all(key[0].is_closed() for key in Group._all)


def test_a_webhook_makes_the_loop_look_at_once(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_loop, "GAP", 0.0)
    FlinqueHook().create_campaign({"name": "c", "status": "draft"})
    ids = [FlinqueHook().create_campaign({"name": f"c{each}", "status": "draft"})["id"] for each in range(2)]

    async def wait() -> dict[str, Any]:
        async with triggerer() as running:
            waiting = triggers([Campaign(each, ["active"]) for each in ids], "flinque_default", 3600.0)
            first, _ = [running.run(each) for each in waiting]
            await until(lambda: asked(vendors, "/flinque/v1/campaigns") >= 1)
            await asyncio.to_thread(FlinqueHook().update_campaign, ids[0], {"status": "active"})
            group = Group.of(waiting[0].shared_stream_key())
            group.waiter.heard.add(next(iter(group.by_subject)))
            group.waiter.woken.set()
            return await asyncio.wait_for(first, 10)

    assert asyncio.run(wait())["state"] == "done"
