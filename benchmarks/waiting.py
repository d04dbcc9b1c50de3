# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Thousands of waiting tasks in one triggerer, next to a deferrable ``HttpSensor``: what they cost, how soon they end.

    python -m benchmarks.waiting [--social 100 1000 5000] [--listed 1000 5000] [--living 1000] [--http 1000]
        [--seconds 60] [--interval 15] [--plot FILE]

The triggers run in Airflow's own ``TriggerRunner``, with its shared streams, in a process of its own. Supervisor and
database of a triggerer are left out; :mod:`benchmarks.triggerers` has them. The simulated vendors run in another
process, and permit what the documents say: 100 requests a minute, Flow Living 60 (assumed). A third process, like a
worker, launches something every 6 seconds by way of the same connection.

* Flow Social: half of the posts are delivered while it is measured, the others in a day. It begins a minute after the
  first look, which reads all posts.
* FloKit's syncs and Flinque's reports (``--listed``) are all done at one moment in the middle of that time.
* Flow Living, after a first round: a twentieth of the campaigns ends at random moments of ten minutes, and as many new
  ones go live ten minutes after their task began to wait; none of the others changes. A round over 1,000 takes 21
  minutes, so time is scaled: windows of the rate limit and poll intervals are a tenth, what is measured counts tenfold.
* ``HttpSensor`` asks a route that says 404 as long as it waits.

"launch" is the longest time from asking for a launch until the vendor had it. "late" is the time from the vendor's
change to the trigger's event; the task is resumed after that. "block" is the longest work of the loop's thread between
two turns, "load" the machine's, with what others do on it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from benchmarks.posts_batch import vendor
from benchmarks.waiting_plot import plot
from benchmarks.waiting_runs import Measured, Work, measure
from benchmarks.waits import LEAD, campaigns, posts, reports, round_takes, syncs

DONE_WITHIN = 700.0
"""Seconds after which the simulated vendors' syncs and reports are done."""
SETTLED_WITHIN = 60.0
"""Seconds after which the first look at all posts, a page for every hundred, no longer counts for the limit."""
LISTED = {
    "flokit": ("FloKit (a list)", syncs, "flokit.workspace"),
    "flinque": ("Flinque reports (a list)", reports, "flinque.starter"),
}
"""What the table says, what is prepared, and the limit of the simulated vendor, both 100 requests a minute."""
HEAD = ("", "tasks", "calls a minute", "refused", "launch", "late p50", "p95", "p99", "of", "missed")


def line(name: str, number: int, seen: Measured) -> str:
    """Return a line of the table."""
    cuts = statistics.quantiles(seen.late.values(), n=100) if len(seen.late) > 1 else []
    cells = (
        name,
        f"{number:,}",
        f"{seen.calls:,.1f}",
        f"{seen.refused:,}",
        f"{max(seen.launches):.1f} s" if seen.launches else "–",
        *(f"{cuts[each - 1]:.0f} s" if cuts else "–" for each in (50, 95, 99)),
        f"{len(seen.late):,}",
        f"{seen.missed:,}",
        f"{seen.cpu:.1%}",
        f"{seen.rss:.0f} MB",
        f"{1000 * seen.block:.0f} ms",
        f"{seen.load:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def given_to(made: list[dict[str, Any]], vendor_name: str, interval: float) -> list[dict[str, Any]]:
    """Return triggers with their connection and their interval."""
    return [{**each, "conn_id": f"{vendor_name}_default", "poll_interval": interval} for each in made]


def social(number: int, given: argparse.Namespace) -> Measured:
    """Measure waits of which half end one by one."""
    lead = given.lead + SETTLED_WITHIN
    with vendor(1) as sandbox:
        made, ends = posts(sandbox, number, given.seconds, lead)
        sandbox.limits({"flow_social.default": {"limit": 100, "window": 60}})
        changed = {each: end for each, end in enumerate(ends.values()) if each % 2 == 0}
        seconds = given.seconds + 2 * given.interval
        triggers = given_to(made, "flow_social", given.interval)
        return measure(sandbox, Work("flow_social", triggers, changed, lead, seconds))


def listed(vendor_name: str, number: int, given: argparse.Namespace) -> Measured:
    """Measure waits that all end at one moment."""
    _, prepare, limit = LISTED[vendor_name]
    with vendor(1) as sandbox:
        triggers = given_to(prepare(sandbox, number), vendor_name, given.interval)
        sandbox.limits({limit: {"limit": 100, "window": 60}})
        changed: dict[int, float] = {}

        def change() -> None:
            sandbox.advance(DONE_WITHIN)
            changed.update(dict.fromkeys(range(number), time.time()))

        timer = threading.Timer(given.lead + given.seconds / 2, change)
        timer.start()
        return measure(sandbox, Work(vendor_name, triggers, changed, given.lead, given.seconds))


def living(number: int, given: argparse.Namespace) -> dict[str, Measured]:
    """Measure waits for what is read one by one; what changes at random apart from what is about to go live."""
    lead = given.lead + (0 if given.living_seconds else round_takes(number) / given.scale)
    with vendor(1) as sandbox:
        made, ends = campaigns(sandbox, number, lead, given.scale)
        sandbox.limits({"flow_living.default": {"limit": 60, "window": 60 / given.scale}})
        triggers = given_to(made, "flow_living", given.interval / given.scale)
        seconds = given.living_seconds or (round_takes(number) + 700) / given.scale
        changed = {each: at for kind in ends.values() for each, at in kind.items()}
        seen = measure(sandbox, Work("flow_living", triggers, changed, lead, seconds, given.scale, 3.0))
        return {name: seen.only(kind) for name, kind in ends.items()}


def http(number: int, given: argparse.Namespace) -> Measured:
    """Measure Airflow's own sensor."""
    with vendor(1) as sandbox:
        os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": sandbox.url})
        headers = {"Authorization": f"Bearer {sandbox.connections['flow_social_default']['password']}"}
        made = [
            {
                "endpoint": f"flow-social/v1/posts/post_{9000 + each}",
                "headers": headers,
                "poke_interval": given.interval,
            }
            for each in range(number)
        ]
        return measure(sandbox, Work("flow_social", made, {}, given.lead, given.seconds, launch_every=0))


def measured(given: argparse.Namespace) -> Iterator[tuple[str, int, Measured]]:
    """Measure one after the other; yield what each line of the table is about, and what was seen."""
    for number in given.social:
        yield "Flow Social (a list)", number, social(number, given)
    for number in given.listed:
        for vendor_name, (name, *_) in LISTED.items():
            yield name, number, listed(vendor_name, number, given)
    for number in given.living:
        for kind, seen in living(number, given).items():
            yield f"Flow Living (no list), {kind}", number, seen
    for number in given.http:
        yield "HttpSensor", number, http(number, given)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number: dict[str, Any] = {"type": int, "nargs": "*"}
    parser.add_argument("--social", default=[100, 1000, 5000], **number)
    parser.add_argument("--listed", default=[1000, 5000], **number)
    parser.add_argument("--living", default=[1000], **number)
    parser.add_argument("--http", default=[1000], **number)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--living-seconds", type=float, help="instead of a round and ten minutes, by the scale")
    parser.add_argument("--scale", type=float, default=10.0, help="seconds that pass for Flow Living in one")
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--lead", type=float, default=LEAD, help="seconds before anything is measured")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    head = (*HEAD, "CPU", "RSS", "block", "load")
    print(f"| {' | '.join(head)} |\n| {' | '.join('---' for _ in head)} |", flush=True)
    lines = []
    for name, tasks, seen in measured(given):
        print(line(name, tasks, seen), flush=True)
        lines.append((name, tasks, seen))
    if given.plot:
        given.plot.write_text(plot(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
