# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the benchmark of waiting measures: a triggerer in a process of its own, and a worker that launches meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

LAUNCHES = {
    "flow_social": "/flow-social/v1/posts",
    "flokit": "/events",
    "flinque": "/reports/generate",
    "flow_living": "/publish",
}
"""How the path of each vendor's launch ends."""


@dataclass
class Work:
    """What is measured.

    :param vendor: whom the tasks wait for
    :param triggers: what builds each trigger; ``after``: seconds after which its task begins to wait
    :param changed: Unix time of the vendor's change, by the number of the trigger
    :param lead: seconds from the start of the process until it is measured
    :param seconds: for how long
    :param scale: seconds of the table in one measured second
    :param launch_every: seconds between launches meanwhile; 0 for none
    """

    vendor: str
    triggers: list[dict[str, Any]]
    changed: dict[int, float] = field(default_factory=dict)
    lead: float = 25.0
    seconds: float = 60.0
    scale: float = 1.0
    launch_every: float = 6.0


@dataclass(frozen=True)
class Measured:
    """What was seen.

    :param calls: polls a minute
    :param refused: answers 429
    :param launches: seconds from asking for each launch until the vendor had it
    :param late: seconds from each change until its task was told, by the number of its trigger
    :param missed: changes of which no task was told
    :param cpu: the part of one processor that the triggerer took
    :param rss: its memory in MB
    :param block: seconds of its loop's longest work between two turns
    :param load: load average of the machine
    """

    calls: float
    refused: int
    launches: list[float]
    late: dict[int, float]
    missed: int
    cpu: float
    rss: float
    block: float
    load: float

    def only(self, changed: Collection[int]) -> Measured:
        """Return the same, of changes with these numbers alone."""
        late = {number: seconds for number, seconds in self.late.items() if number in changed}
        return replace(self, late=late, missed=len(changed) - len(late))


def measure(sandbox: Any, work: Work) -> Measured:
    """Run triggers in a process of its own, and launches in another one; return what they and the vendor saw."""
    quiet = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    order = {"triggers": work.triggers, "seconds": work.seconds, "lead": work.lead, "scale": work.scale}
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, **quiet, "AIRFLOW_HOME": home}
        command = [sys.executable, "-m", "benchmarks.waiting_runs"]
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
        waits = subprocess.Popen([*command, "wait"], **piped)  # type: ignore[call-overload]
        launches = subprocess.Popen([*command, "launch"], **piped)  # type: ignore[call-overload]
        assert launches.stdin is not None
        launches.stdin.write(json.dumps({**order, "vendor": work.vendor, "every": work.launch_every}))
        launches.stdin.close()
        seen = json.loads(waits.communicate(json.dumps(order))[0].splitlines()[-1])
        asked = json.loads(launches.stdout.read().splitlines()[-1])  # type: ignore[union-attr]
        if waits.wait() or launches.wait():
            raise RuntimeError("a measured process failed")
    return _judged(work, seen, asked, sandbox.requests())


def _judged(work: Work, seen: dict[str, Any], asked: list[float], requests: list[dict[str, Any]]) -> Measured:
    known = [(datetime.fromisoformat(each["at"]).timestamp(), each) for each in requests]
    within = [(at, each) for at, each in known if seen["since"] <= at <= seen["since"] + work.seconds]
    ending = LAUNCHES[work.vendor]
    launched = [at for at, each in known if each["method"] == "POST" and each["path"].endswith(ending)]
    there = launched[len(launched) - len(asked) :]
    told = {int(number): at for number, at in seen["events"].items()}
    # The first one is made before it is measured: it also makes the connection.
    launches = [at - begun for begun, at in zip(asked, there, strict=True)][1:]
    return Measured(
        calls=60 * sum(each["method"] == "GET" for _, each in within) / work.seconds / work.scale,
        refused=Counter(each["status"] for _, each in within)[429],
        launches=launches,
        late={number: (told[number] - at) * work.scale for number, at in work.changed.items() if number in told},
        missed=sum(number not in told for number in work.changed),
        cpu=seen["cpu"],
        rss=seen["rss"],
        block=seen["block"],
        load=os.getloadavg()[0],
    )


async def wait(order: dict[str, Any]) -> dict[str, Any]:
    """Run triggers as Airflow's runner does, for a time; return what was seen."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    from airflow_provider_mkt.triggers.watch import WatchTrigger

    runner, block, events = TriggerRunner(), 0.0, {}

    async def one(number: int, made: dict[str, Any]) -> None:
        await asyncio.sleep(made.pop("after", 0.0))
        kind = HttpSensorTrigger if "endpoint" in made else WatchTrigger
        runner.triggers[number] = {"task": None, "is_watcher": False, "name": str(number), "events": 0}
        await runner.run_trigger(number, kind(**made))
        events[number] = time.time()

    tasks = []
    for number, made in enumerate(order["triggers"]):
        tasks.append(asyncio.ensure_future(one(number, made)))
        if number % 20 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(order["lead"])
    end, before = time.monotonic() + order["seconds"], resource.getrusage(resource.RUSAGE_SELF)
    first = time.time()
    while time.monotonic() < end:
        since = time.thread_time()
        await asyncio.sleep(0.005)
        block = max(block, time.thread_time() - since)
    after = resource.getrusage(resource.RUSAGE_SELF)
    for task in tasks:
        task.cancel()
    return {
        "events": events,
        "since": first,
        "cpu": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / order["seconds"],
        "rss": after.ru_maxrss / 1024,
        "block": block,
    }


def launch(order: dict[str, Any]) -> list[float]:
    """Launch again and again, as a worker does; return when each launch was asked for.

    At FloKit an event is sent: a sync that runs lets no other one begin.
    """
    from airflow_provider_mkt.hooks.flinque import FlinqueHook
    from airflow_provider_mkt.hooks.flokit import FlokitHook
    from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

    post = {"channelId": "channel_1", "content": "at once"}
    event = {"event": "purchase", "user_id": "u_1", "timestamp": "2026-01-01T00:00:00Z"}
    launches = {
        "flow_social": lambda: FlowSocialHook().create_post(post),
        "flokit": lambda: FlokitHook().send_event(event),
        "flinque": lambda: FlinqueHook().generate_report({"type": "campaign", "campaign_id": "ca_1"}),
        "flow_living": lambda: FlowLivingHook().publish_campaign("facebookv2", ["listing_1002"], "branch_hill"),
    }
    begun: list[float] = []
    pause, end = order["lead"], time.monotonic() + order["lead"] + order["seconds"]
    while order["every"] and time.monotonic() + pause < end:
        begun.append(time.time())
        launches[order["vendor"]]()
        time.sleep(pause)
        pause = order["every"]
    return begun


def as_in(scale: float) -> None:
    """Have the vendors' windows pass so many times as fast."""
    from airflow_provider_mkt.client.endpoint import Limit
    from airflow_provider_mkt.hooks.base import MarketingHook

    MarketingHook.limits = lambda self, account: {  # type: ignore[method-assign]
        name: Limit(each.requests, each.window / scale) for name, each in self.vendor_limits(account).items()
    }


if __name__ == "__main__":
    ordered = json.loads(sys.stdin.read())
    as_in(ordered["scale"])
    print(json.dumps(launch(ordered) if sys.argv[1] == "launch" else asyncio.run(wait(ordered))))
