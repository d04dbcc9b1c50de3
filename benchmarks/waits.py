# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the waiting tasks of the benchmarks wait for, prepared at the simulated vendors."""

from __future__ import annotations

import random
import time
from datetime import datetime, timezone
from typing import Any

LEAD = 25.0
"""Seconds from the start of the measured process until all its triggers are there."""
FLOWING = 60.0
"""Seconds that a post takes at the simulated vendor."""
PARTS = 100
TEN_MINUTES = 600.0
"""Seconds after which a campaign at the simulated vendor is live."""
AHEAD = 3 * TEN_MINUTES
"""Seconds by which the vendor's time is moved on while campaigns are prepared."""


def moment(at: float) -> str:
    """Return Unix time as ISO 8601."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat()


def unlimited(sandbox: Any) -> None:
    """Prepare without limits, here and at the vendor; the measured process has limits, and a store of its own."""
    from airflow_provider_mkt.client.endpoint import Limit
    from airflow_provider_mkt.hooks.base import MarketingHook

    sandbox.limits({"*": None})
    MarketingHook.limits = lambda self, account: {  # type: ignore[method-assign]
        name: Limit(1_000_000, 0.001) for name in self.vendor_limits(account)
    }


def posts(
    sandbox: Any, number: int, seconds: float, lead: float = LEAD
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Schedule posts; return the triggers, and when each post will be done."""
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

    unlimited(sandbox)
    begin, hook = time.time() + FLOWING + number / 150 + 10, FlowSocialHook()
    draw, done = random.Random(7), {}
    for start in range(0, number, PARTS):
        rows, ends = [], []
        for each in range(start, min(start + PARTS, number)):
            end = begin + lead + draw.random() * seconds if each % 2 == 0 else begin + 86_400
            ends.append(end)
            rows.append({"channelId": "channel_1", "content": f"p{each}", "scheduledFor": moment(end - FLOWING)})
        results = hook.create_posts(rows)["results"]
        done.update({each["post"]["id"]: end for each, end in zip(results, ends, strict=True)})
    watch = "airflow_provider_mkt.waiting.flow_social.PostWatch"
    made = [{"watch": watch, "arguments": {"post_ids": [each], "targets": ["done"]}} for each in done]
    time.sleep(max(0.0, begin - time.time()))
    return made, done


def round_takes(number: int) -> float:
    """Return the seconds of a round over so many campaigns, as the polls' part of the rate limit permits it."""
    return 60.0 * number / 48


def campaigns(
    sandbox: Any, number: int, lead: float, scale: float
) -> tuple[list[dict[str, Any]], dict[str, dict[int, float]]]:
    """Publish campaigns; return the triggers, and when which of them changes, by what changes.

    :param scale: seconds that pass for the tasks in one
    """
    from airflow_provider_mkt.hooks.flow_living import FlowLivingHook

    unlimited(sandbox)
    hook, draw, some, spread = FlowLivingHook(), random.Random(7), max(1, number // 20), TEN_MINUTES / scale

    def published(**options: Any) -> str:
        found = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour", **options)
        name: str = found["campaign_tracking_ids"][0]
        return name

    made = [_campaign(published(), "completed") for _ in range(number - 2 * some)]
    # The vendor's time is moved on by AHEAD in all: what happens at its time t happens at t - AHEAD.
    begin = time.time() + 5.0 + 0.1 * some
    ended: dict[int, float] = {}
    for _ in range(some):
        ended[len(made)] = begin + lead + draw.random() * spread
        made.append(_campaign(published(end_date=moment(ended[len(made)] + AHEAD)), "completed"))
    live: dict[int, float] = {}
    passed = begin + lead + spread + AHEAD - TEN_MINUTES - time.time()
    sandbox.advance(passed)
    for _ in range(some):
        live[len(made)] = time.time() + passed + TEN_MINUTES - AHEAD
        since = max(0.0, live[len(made)] - spread - begin)
        made.append({**_campaign(published(), "published"), "after": since})
        sandbox.advance(spread / some)
        passed += spread / some
    sandbox.advance(AHEAD - passed)
    time.sleep(max(0.0, begin - time.time()))
    # They are looked at in the order in which they began to wait, so the order must not depend on what changes.
    order = draw.sample(range(number), number)
    place = {before: after for after, before in enumerate(order)}
    changes = {"any that ends": ended, "new ones that go live": live}
    placed = {name: {place[each]: at for each, at in kind.items()} for name, kind in changes.items()}
    return [made[before] for before in order], placed


def _campaign(name: str, target: str) -> dict[str, Any]:
    watch = "airflow_provider_mkt.waiting.flow_living.CampaignWatch"
    return {"watch": watch, "arguments": {"tracking_ids": [name], "targets": [target]}}


def syncs(sandbox: Any, number: int) -> list[dict[str, Any]]:
    """Ask for syncs; return the triggers."""
    from airflow_provider_mkt.hooks.flokit import FlokitHook

    unlimited(sandbox)
    names = ("int_adjust", "int_stripe")
    since = moment(time.time())
    for name in names:
        FlokitHook().trigger_sync(name)
    watch = "airflow_provider_mkt.waiting.flokit.SyncWatch"
    return [
        {"watch": watch, "arguments": {"integration_id": names[each % 2], "since": since}} for each in range(number)
    ]


def reports(sandbox: Any, number: int) -> list[dict[str, Any]]:
    """Ask for reports; return the triggers."""
    from airflow_provider_mkt.hooks.flinque import FlinqueHook

    unlimited(sandbox)
    hook = FlinqueHook()
    ids = [hook.generate_report({"type": "campaign", "campaign_id": "ca_1"})["id"] for _ in range(number)]
    watch = "airflow_provider_mkt.waiting.flinque.ReportWatch"
    return [{"watch": watch, "arguments": {"report_id": each}} for each in ids]
