# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rounds over what a vendor shows one by one: fair, the urgent first, and no block of the triggerer's loop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import RateLimitError, ServerError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import loop
from airflow_provider_mkt.triggers.round_loop import RoundLoop
from airflow_provider_mkt.triggers.subscribers import Group, News, Subscriber
from airflow_provider_mkt.waiting.base import Verdict, WaitState
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.unit.triggers.streams import triggerer, triggers, until
from tests.unit.triggers.test_watch import heartbeat

pytestmark = pytest.mark.slow

STATUS = "GET /flow-living/campaigns/status/{id}"
CONN = "flow_living_default"
MAX_BLOCK = 0.05
"""Seconds."""


def looks(vendors: Sandbox) -> Counter[str]:
    paths = [each["path"] for each in vendors.requests("flow_living") if "/campaigns/status/" in each["path"]]
    return Counter(path.rpartition("/")[2] for path in paths)


def published(number: int) -> list[str]:
    found: list[str] = []
    while len(found) < number:
        found += FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")[
            "campaign_tracking_ids"
        ]
    return found[:number]


def test_the_round_is_fair(vendors: Sandbox) -> None:
    ids = published(10)

    async def wait() -> None:
        async with triggerer() as running:
            for each in triggers([CampaignWatch([one], ["completed"]) for one in ids], CONN, 0.2):
                running.run(each)
            await until(lambda: min((looks(vendors)[one] for one in ids), default=0) >= 4)

    asyncio.run(wait())
    counts = looks(vendors)
    assert max(counts.values()) <= 2 * min(counts.values()), counts


def test_two_who_wait_for_the_same_cost_one_look(vendors: Sandbox) -> None:
    ids = published(1)

    async def wait() -> None:
        async with triggerer() as running:
            for each in triggers([CampaignWatch(ids, ["completed"])] * 20, CONN, 60.0):
                running.run(each)
            await until(lambda: looks(vendors)[ids[0]] >= 1)
            await asyncio.sleep(0.3)

    asyncio.run(wait())
    assert looks(vendors)[ids[0]] <= 4, "those that begin at the same moment"


def test_one_bad_id_fails_its_own_task(vendors: Sandbox) -> None:
    ids = published(2)

    async def wait() -> dict[str, Any]:
        async with triggerer() as running:
            watches = [CampaignWatch([one], ["completed"]) for one in ("queue_999", *ids)]
            bad, *_ = [running.run(each) for each in triggers(watches, CONN)]
            found = await asyncio.wait_for(bad, 10)
            seen = looks(vendors)[ids[0]]
            await until(lambda: looks(vendors)[ids[0]] > seen + 2)
            assert not any(each.done() for each in running.tasks[1:])
            return found

    assert asyncio.run(wait())["kind"] == "NotFoundError"


def test_an_outage_fails_nobody(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MAX_PAUSE", 0.02)
    ids = published(4)
    vendors.advance(700)
    vendors.fault(STATUS, "status", status=403, count=None)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers([CampaignWatch([one], ["published"]) for one in ids], CONN, 0.01):
                running.run(each)
            await until(lambda: sum(looks(vendors).values()) > 30)
            assert not any(each.done() for each in running.tasks)
            vendors.clear_faults()
            return await running.results()

    assert [each["state"] for each in asyncio.run(wait())] == ["done"] * 4


def test_a_look_that_hangs_holds_up_nobody_else(vendors: Sandbox) -> None:
    ids = published(5)
    vendors.fault(STATUS, "delay", seconds=3, count=1)

    async def wait() -> float:
        async with triggerer() as running:
            for each in triggers([CampaignWatch([one], ["completed"]) for one in ids], CONN):
                running.run(each)
            since = time.monotonic()
            await until(lambda: sum(count >= 3 for count in looks(vendors).values()) >= 4)
            return time.monotonic() - since

    assert asyncio.run(wait()) < 2.5


def test_who_has_left_is_no_longer_looked_for(vendors: Sandbox) -> None:
    """Airflow tells the loop of nobody who leaves: cancelled by a clear, moved elsewhere, or ended."""
    left, stays = published(2)

    async def wait() -> int:
        async with triggerer() as running:
            watches = [CampaignWatch([one], ["completed"]) for one in (left, stays)]
            leaving, _ = [running.run(each) for each in triggers(watches, CONN)]
            await until(lambda: looks(vendors)[left] >= 2)
            leaving.cancel()
            await asyncio.wait({leaving})
            seen, others = looks(vendors)[left], looks(vendors)[stays]
            await until(lambda: looks(vendors)[stays] > others + 4)
            return looks(vendors)[left] - seen

    assert asyncio.run(wait()) <= 1, "one may be under way"


async def looked(one: Subscriber, answers: Any) -> float:
    """Look once, with these answers; return the seconds until the next look may begin."""
    with Group.joined("k", one):
        looking = RoundLoop(Group.of("k"), one.watch, CONN, answers)
        await looking._look(one, time.monotonic())
        return looking._next({})


async def no_client(_: RoundLoop) -> Any:
    return SimpleNamespace(redactor=None)


@pytest.mark.parametrize("urgent", [False, True])
def test_a_look_that_the_rate_limit_forbids_keeps_its_turn(urgent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was seen: it must not go to the end of a round of twenty minutes, nor forget what a webhook told."""
    monkeypatch.setattr(RoundLoop, "client", no_client)

    class NoSlot:
        async def arun(self, *_: Any) -> Any:
            raise RateLimitError("no slot", retry_after=30.0)

    one = subscriber(urgent=urgent)
    assert 20 < asyncio.run(looked(one, NoSlot())) <= 30
    assert (one.urgent, one.seen_at, one.due) == (urgent, 0.0, 0.0)


@pytest.mark.parametrize("failing", [False, True])
def test_what_a_webhook_tells_during_a_look_is_looked_at_again(failing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """That look may be answered with what another triggerer has read before."""
    monkeypatch.setattr(RoundLoop, "client", no_client)

    class Meanwhile:
        async def arun(self, *_: Any) -> Any:
            group = Group.of("k")
            group.waiter.heard.update(group.by_subject)
            group.hear()
            if failing:
                raise ServerError("away")
            return Verdict(WaitState.PENDING, "queued", "", {}), 10.0

    one = subscriber(told="")
    assert asyncio.run(looked(one, Meanwhile())) <= (60 if failing else 0)
    assert one.urgent
    assert one.due <= time.monotonic()


def test_the_first_look_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart of the triggerer nothing is new: a campaign of last week must not pass for one of today."""
    monkeypatch.setattr(RoundLoop, "client", no_client)
    monkeypatch.setattr(Verdict, "redacted", lambda self, _: self)
    sees = ["queued", "queued", "published"]

    class Seeing:
        async def arun(self, *_: Any) -> Any:
            return Verdict(WaitState.PENDING, sees[0], sees.pop(0), {}), 0.0

    one, changed = subscriber(told="", changed_at=7.0), []
    for _ in range(3):
        asyncio.run(looked(one, Seeing()))
        changed.append(one.changed_at)
    assert changed[:2] == [7.0, 7.0]
    assert changed[2] > 7.0


# Who goes first


def subscriber(**fields: Any) -> Subscriber:
    made = Subscriber(CampaignWatch(["queue_1"], ["published"]), 60.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_urgent_is_what_a_webhook_tells_of_then_what_has_changed_lately() -> None:
    told = subscriber(urgent=True)
    fresh = subscriber(seen_at=900.0, changed_at=900.0)
    stale = subscriber(seen_at=900.0, changed_at=-100_000.0)
    order = sorted((stale, told, fresh), key=lambda each: each.urgency(1000.0), reverse=True)
    assert order == [told, fresh, stale]


def test_nobody_is_passed_over_for_ever() -> None:
    fresh = subscriber(seen_at=99_940.0, changed_at=99_940.0)
    stale = subscriber(seen_at=0.0, changed_at=-100_000.0)
    assert stale.urgency(100_000.0) > fresh.urgency(100_000.0)


@pytest.mark.parametrize("changing", [0, 100, 200])
def test_a_round_reaches_everybody(changing: int) -> None:
    """Two hundred, one look a minute as the rate permits: some change at each look, like the size of a segment."""
    waiting = [subscriber() for _ in range(200)]
    looks: Counter[int] = Counter()
    for minute in range(200 * 40):
        now = 60.0 * minute
        chosen = max(range(200), key=lambda each: waiting[each].urgency(now))
        looks[chosen] += 1
        waiting[chosen].seen_at = now
        if chosen < changing:
            waiting[chosen].changed_at = now
    assert min(looks[each] for each in range(200)) >= 5, looks
    assert max(looks.values()) <= 12 * min(looks.values()), looks


def test_the_interval_doubles_up_to_the_longest() -> None:
    one = subscriber(longest=300.0)
    for expected in (60.0, 120.0, 240.0, 300.0, 300.0):
        one.rest(1000.0, 0.0)
        assert one.due == 1000.0 + expected


def test_what_another_triggerer_has_read_is_looked_at_when_that_is_old() -> None:
    one = subscriber()
    one.rest(1000.0, 45.0)
    assert one.due == 1015.0


def test_an_order_is_found_by_each_of_its_ids() -> None:
    async def hear() -> list[bool]:
        group = Group.of("k")
        one, other = (Subscriber(CampaignWatch(ids, ["published"]), 60.0) for ids in (["q1", "q2"], ["q3"]))
        with Group.joined("k", one), Group.joined("k", other):
            group.waiter.heard.add(list(group.by_subject)[1])
            group.hear()
            found = [one.urgent, other.urgent]
            group.waiter.heard.add("")
            group.hear()
            return [*found, other.urgent]

    assert asyncio.run(hear()) == [True, False, True]


# Sharing the triggerer's loop


def test_a_hundred_that_are_told_wake_a_few_at_a_time() -> None:
    """Each has work to do then, and all that wake in one turn of the triggerer's loop do it in that turn."""

    async def tell() -> int:
        group, woken, most = Group.of("k"), 0, 0
        everybody = [subscriber() for _ in range(100)]
        for each in everybody:
            group.add(each)

        async def wait(one: Subscriber) -> None:
            nonlocal woken
            await one.news(None)
            woken += 1

        waiting = [asyncio.ensure_future(wait(each)) for each in everybody]
        await asyncio.sleep(0)
        before = 0
        looking = RoundLoop(group, everybody[0].watch, CONN, None)  # type: ignore[arg-type]
        async for each in looking.in_turns(everybody):
            most, before = max(most, woken - before), woken
            each.tell(News())
        await asyncio.gather(*waiting)
        return max(most, woken - before)

    assert 0 < asyncio.run(tell()) <= 25


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["flokit", "flow_social", "flow_living"])
def test_a_thousand_tasks_do_not_block_the_loop(kind: str, vendors: Sandbox) -> None:
    """The longest work between two beats, of two runs the best: garbage is collected in some."""
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

    watches: list[Any] = [SyncWatch(("int_adjust", "int_stripe")[each % 2], "2999-01-01") for each in range(1000)]
    if kind == "flow_social":
        post = {"channelId": "channel_1", "content": "later", "scheduledFor": "2099-01-01"}
        results = [FlowSocialHook().create_posts([post] * 100)["results"] for _ in range(2)]
        ids = [each["post"]["id"] for part in results for each in part]
        watches = [PostWatch([ids[each % 200]], ["done"]) for each in range(1000)]
    elif kind == "flow_living":
        watches = [CampaignWatch([each], ["completed"]) for each in published(10) for _ in range(100)]

    async def longest() -> float:
        async with triggerer() as running:
            before = len(vendors.requests())
            for number, each in enumerate(triggers(watches, f"{kind}_default", 0.5)):
                running.run(each)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            async with heartbeat(time.thread_time, 0.0) as blocks:
                # Posts that are due in years are read once, in two pages.
                await until(lambda: len(vendors.requests()) >= before + (2 if kind == "flow_social" else 4))
                await asyncio.sleep(1.0)
            assert not any(each.done() for each in running.tasks)
        return max(blocks)

    assert min(asyncio.run(longest()) for _ in range(2)) < MAX_BLOCK
