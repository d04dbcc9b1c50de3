# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Thousands of waiting tasks in one triggerer, next to a deferrable ``HttpSensor``: what they cost, how soon they end.

    python -m benchmarks.waiting [--tasks 100 1000 5000] [--living 1000] [--listed 1000] [--http 100] [--seconds 60]
        [--interval 15] [--plot FILE]

The triggers run in Airflow's own ``TriggerRunner``, with its shared streams, in a process of its own. Supervisor and
database of a triggerer are left out. The simulated vendors run in another process, in real time, and permit what
the documents say: Flow Social 100 requests a minute, Flow Living 60 (assumed). Half of the Flow Social posts are
delivered while it is measured, the others in a day. FloKit's syncs and Flinque's reports (``--listed``) are all done
at one moment in the middle of that time.

"late" is the time from the vendor's change to the trigger's event; the task is resumed after that. "block" is the
longest work of the loop's thread between two turns. ``HttpSensor`` asks a route that says 404 as long as it waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.posts_batch import vendor
from benchmarks.waits import LEAD, campaigns, posts, reports, syncs

DONE_WITHIN = 700.0
"""Seconds after which the simulated vendors' syncs and reports are done."""


LISTED = {
    "flokit": ("FloKit (a list)", syncs, "flokit.workspace"),
    "flinque": ("Flinque reports (a list)", reports, "flinque.starter"),
}
"""What the table says, what is prepared, and the limit of the simulated vendor, both 100 requests a minute."""


def listed(vendor_name: str, number: int, given: argparse.Namespace) -> str:
    """Measure waits that all end at one moment; return a line of the table."""
    name, prepare, limit = LISTED[vendor_name]
    with vendor(1) as sandbox:
        made = prepare(sandbox, number)
        sandbox.limits({limit: {"limit": 100, "window": 60}})
        made = [{**each, "conn_id": f"{vendor_name}_default", "poll_interval": given.interval} for each in made]
        changed: list[float] = []

        def change() -> None:
            sandbox.advance(DONE_WITHIN)
            changed.append(time.time())

        timer = threading.Timer(given.lead + given.seconds / 2, change)
        timer.start()
        seen, asked = measure(sandbox, made, given.seconds, given.lead)
        timer.join()
    late = [at - changed[0] for at in seen["events"].values()]
    return shown(name, number, seen, asked, late)


async def waiting(order: dict[str, Any]) -> dict[str, Any]:
    """Run triggers as Airflow's runner does, for a time; return what was seen."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    from airflow_provider_mkt.triggers.watch import WatchTrigger

    runner, block, events = TriggerRunner(), 0.0, {}

    async def one(number: int, made: dict[str, Any]) -> None:
        kind = HttpSensorTrigger if "endpoint" in made else WatchTrigger
        trigger = kind(**made)
        runner.triggers[number] = {"task": None, "is_watcher": False, "name": str(number), "events": 0}
        await runner.run_trigger(number, trigger)
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
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    for task in tasks:
        task.cancel()
    return {
        "events": {str(number): at for number, at in events.items()},
        "since": first,
        "cpu": cpu / order["seconds"],
        "rss": after.ru_maxrss / 1024,
        "block": block,
        "failed": sum(task.done() and not task.cancelled() and task.exception() is not None for task in tasks),
    }


def measure(
    sandbox: Any, triggers: list[dict[str, Any]], seconds: float, lead: float = LEAD
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run triggers in a process of its own; return what it saw, and what the vendor saw."""
    command = [sys.executable, "-m", "benchmarks.waiting", "--child"]
    quiet = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    with tempfile.TemporaryDirectory() as home:
        seen = json.loads(
            subprocess.run(
                command,
                input=json.dumps({"triggers": triggers, "seconds": seconds, "lead": lead}),
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **quiet, "AIRFLOW_HOME": home},
                check=True,
            ).stdout.splitlines()[-1]
        )
    window = (seen["since"], seen["since"] + seconds)
    within = [
        each for each in sandbox.requests() if window[0] <= datetime.fromisoformat(each["at"]).timestamp() <= window[1]
    ]
    polls = [each for each in within if each["method"] == "GET"]
    refused = Counter(each["status"] for each in within)[429]
    return seen, {"calls": 60 * len(polls) / seconds, "refused": refused}


def shown(name: str, number: int, seen: dict[str, Any], asked: dict[str, Any], late: list[float]) -> str:
    """Return a line of the table."""
    cuts = statistics.quantiles(late, n=100) if len(late) > 1 else []
    times = " | ".join(f"{cuts[each - 1]:.0f} s" if cuts else "–" for each in (50, 95, 99))
    return (
        f"| {name} | {number:,} | {asked['calls']:.1f} | {asked['refused']} | {times} | {len(late)} | "
        f"{seen['cpu']:.1%} | {seen['rss']:.0f} MB | {1000 * seen['block']:.0f} ms |"
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--living", type=int, nargs="*", default=[1000])
    parser.add_argument("--listed", type=int, nargs="*", default=[1000])
    parser.add_argument("--http", type=int, nargs="*", default=[100])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--lead", type=float, default=LEAD, help="seconds before anything is measured")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(asyncio.run(waiting(json.loads(sys.stdin.read())))))
        return
    print("| | tasks | calls a minute | refused | late p50 | p95 | p99 | of | CPU | RSS | block |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    points: list[tuple[int, float, float]] = []
    for number in given.tasks:
        with vendor(1) as sandbox:
            made, done = posts(sandbox, number, given.seconds)
            sandbox.limits({"flow_social.default": {"limit": 100, "window": 60}})
            made = [{**each, "conn_id": "flow_social_default", "poll_interval": given.interval} for each in made]
            seen, asked = measure(sandbox, made, given.seconds + 2 * given.interval)
            ends = list(done.values())
            late = [at - ends[int(each)] for each, at in seen["events"].items()]
            points.append((number, asked["calls"], seen["cpu"]))
            print(shown("Flow Social (list)", number, seen, asked, late), flush=True)
    for number in given.living:
        with vendor(1) as sandbox:
            made = campaigns(sandbox, number)
            sandbox.limits({"flow_living.default": {"limit": 60, "window": 60}})
            made = [{**each, "conn_id": "flow_living_default", "poll_interval": given.interval} for each in made]
            seen, asked = measure(sandbox, made, given.seconds, given.lead)
            print(shown("Flow Living (no list)", number, seen, asked, []), flush=True)
    for number in given.listed:
        for name in LISTED:
            print(listed(name, number, given), flush=True)
    for number in given.http:
        with vendor(1) as sandbox:
            os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": sandbox.url})
            key = sandbox.connections["flow_social_default"]["password"]
            headers = {"Authorization": f"Bearer {key}"}
            route = "flow-social/v1/posts/post_{}"
            made = [
                {"endpoint": route.format(9000 + each), "headers": headers, "poke_interval": given.interval}
                for each in range(number)
            ]
            seen, asked = measure(sandbox, made, given.seconds, given.lead)
            print(shown("HttpSensor", number, seen, asked, []), flush=True)
    if given.plot:
        given.plot.write_text(plot(points), encoding="utf-8")


def plot(points: list[tuple[int, float, float]]) -> str:
    """Draw calls a minute and the triggerer's CPU over the number of waiting tasks, as SVG."""
    most, width, height = max(each[0] for each in points), 600, 260
    lines = []
    for index, (name, color) in enumerate((("calls a minute", "#1f6f8b"), ("CPU in percent", "#b5542c"))):
        values = [(each[0], each[1] if index == 0 else 100 * each[2]) for each in points]
        top = max(10.0, *(value for _, value in values))
        places = [(60 + (width - 120) * x / most, height - 40 - (height - 90) * y / top) for x, y in values]
        lines.append(
            f'<polyline fill="none" stroke="{color}" stroke-width="2" '
            f'points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in places)}"/>'
        )
        for (x, y), (_, value) in zip(places, values, strict=True):
            lines.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{color}"/>')
            lines.append(f'<text x="{x:.0f}" y="{y - 8:.0f}" fill="{color}" text-anchor="middle">{value:.1f}</text>')
        lines.append(f'<text x="{70 + 180 * index}" y="20" fill="{color}">{name}</text>')
    for number, _, _ in points:
        x = 60 + (width - 120) * number / most
        lines.append(f'<text x="{x:.0f}" y="{height - 15}" text-anchor="middle" fill="#555">{number:,}</text>')
    lines.append(f'<line x1="60" y1="{height - 40}" x2="{width - 60}" y2="{height - 40}" stroke="#999"/>')
    lines.append(f'<text x="{width - 60}" y="{height - 2}" text-anchor="end" fill="#555">waiting tasks</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
    return f'{head}font-size="12">{"".join(lines)}</svg>\n'


if __name__ == "__main__":
    main()
