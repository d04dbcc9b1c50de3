# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hundreds of launches under random kills and faults, and what became of each of them.

``python -m tests.chaos.soak --launches 500`` runs it, and the same launches with a plain HttpOperator for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from airflow_provider_mkt.sandbox.server import Sandbox
from scripts.demo.airflow_api import TaskState
from scripts.demo.vendors import SIGN_IN
from tests.chaos import mix
from tests.chaos.luck import PATIENCE
from tests.chaos.subjects import ANALYTICS, SUBJECTS
from tests.integration.airflow import Airflow, Run, running_airflow, until

DAGS = Path(__file__).parent / "dags"
SPEED = 300.0
SEED = 20261121
PER_LAUNCH = 6.0
"""Seconds per launch after which a soak is given up."""
START_UP = 60.0
TELL_EVERY = 30.0

FAULTS: tuple[tuple[str, float, Mapping[str, Any]], ...] = (
    ("drop_before", 0.03, {}),
    ("reset_before", 0.02, {}),
    ("drop_after", 0.03, {}),
    ("reset_after", 0.02, {}),
    ("drop_mid", 0.02, {}),
    ("malformed", 0.01, {}),
    ("rate_limit", 0.03, {"retry_after": 1}),
    ("status", 0.02, {"status": 503}),
    ("status", 0.02, {"status": 502, "processed": True}),
    ("html", 0.01, {"status": 504}),
    ("delay", 0.05, {"seconds": 0.3, "when": "after"}),
)
"""What happens to the requests that launch something: how, and to which share of them."""
READ_FAULTS: tuple[tuple[str, float, Mapping[str, Any]], ...] = (
    ("drop_before", 0.02, {}),
    ("status", 0.02, {"status": 500}),
)

PUBLISHED, ATTACHED, RECONCILED = "published", "re-attached", "reconciled"
UNKNOWN, REFUSED, AFTERWARDS = "failed as unknown", "refused", "failed afterwards"
FATES = (PUBLISHED, ATTACHED, RECONCILED, UNKNOWN)
"""How a launch may end; these add up to all of them."""
SUCCEEDED, FAILED = "succeeded", "failed"
SAYS_UNKNOWN = ("It is unknown whether", "It is not known yet whether", "what to follow it by was lost")


@dataclass
class Soak:
    """What became of the launches.

    :param fates: how many tasks ended how
    :param happened: for each launch how often it happened, by the vendors' own ledger
    :param wrong: what must not be, in words
    :param shared: launches that are done because another one's sync of the same integration came after their request
    :param people: what a person is told of each launch that ended as unknown
    """

    title: str
    launches: int
    seconds: float
    fates: Counter[str] = field(default_factory=Counter)
    happened: dict[str, int] = field(default_factory=dict)
    killed: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    silent: int = 0
    orphans: int = 0

    @property
    def duplicates(self) -> int:
        """How many launches happened more than once."""
        return sum(times > 1 for times in self.happened.values())

    @property
    def effects(self) -> int:
        """How many effects the ledger holds."""
        return sum(self.happened.values())


def mistreat(sandbox: Sandbox, seed: int) -> None:
    """Order the random faults."""
    for subject in (SUBJECTS[name] for name in mix.SHARES):
        for kind, share, options in FAULTS:
            sandbox.fault(subject.route, kind, count=None, probability=share, seed=seed, **options)
        for kind, share, options in READ_FAULTS:
            sandbox.fault(str(subject.status), kind, count=None, probability=share, seed=seed, **options)


def soak(airflow: Airflow, launches: int, *, seed: int = SEED, plain: bool = False, restart: bool = False) -> Soak:
    """Run the launches and judge them.

    :param plain: with an HttpOperator
    :param restart: kill the triggerer in the middle, and start another one
    """
    sandbox = airflow.sandbox
    sandbox.reset()
    sandbox.limits({"*": None})
    sandbox.switch({"flow_living.analytics_delay": ANALYTICS_SHOW_AFTER * SPEED})
    if plain:
        _sign_in(airflow)
    mistreat(sandbox, seed)
    began = time.monotonic()
    dag_id = "plain_soak" if plain else "chaos_soak"
    run = airflow.run(dag_id, f"{dag_id}-{launches}-{seed}", {"launches": launches, "seed": seed})
    if restart:
        until("half of the launches", lambda: len(_effects(sandbox)) > launches / 2, launches * PER_LAUNCH + START_UP)
        airflow.kill_triggerer()
        airflow.start_triggerer()
    run.finished(launches * PER_LAUNCH + START_UP)
    title = "HttpOperator, retries=2" if plain else "this provider, retries=3"
    result = Soak(title, launches, time.monotonic() - began)
    result.faults = sum(rule["hits"] for rule in sandbox.order("GET", "faults")["faults"])
    _judge(result, run, _effects(sandbox), plain=plain)
    return result


def _sign_in(airflow: Airflow) -> None:
    """Give Airflow the connections of somebody who writes the headers by hand."""
    made = {}
    for vendor in mix.SHARES:
        connection = airflow.sandbox.connections[f"{vendor}_default"]
        headers = SIGN_IN[vendor](connection)
        made[f"plain_{vendor}"] = {"conn_type": "http", "host": connection["host"], "extra": headers}
    airflow.api.add_connections(made)


def _effects(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for vendor, effect in mix.EFFECTS.items() for entry in sandbox.ledger(vendor, effect)]


def _name(entry: Mapping[str, Any]) -> str:
    """Return the launch that an effect is of; a reference ends in the task and its index."""
    if entry["vendor"] == "flokit":
        return str(entry["idempotency_key"])
    return "-".join(str(entry["reference"]).split("/")[-2:])


def _judge(result: Soak, run: Run, effects: list[dict[str, Any]], *, plain: bool) -> None:
    times = Counter(_name(entry) for entry in effects)
    ids = {entry_id: _name(entry) for entry in effects for entry_id in entry["ids"]}
    tasks = [one for one in run.airflow.api.task_states(run.dag_id, run.run_id) if one.task_id in mix.SHARES]
    for one in tasks:
        launch = mix.name(one.task_id, one.map_index)
        log = run.log(one.task_id, one.map_index)
        result.killed += log.count("SIGKILL")
        result.happened[launch] = times.pop(launch, 0)
        fate = (SUCCEEDED if one.state == "success" else FAILED) if plain else _fate(run, one, log, launch, ids)
        result.fates[fate] += 1
        if fate == RECONCILED and one.task_id == "flokit" and _synced_since(run, one, effects):
            result.shared.add(launch)
        _count(result, launch, fate)
        if not plain:
            _weigh(result, launch, fate)
        if fate == UNKNOWN:
            result.people[launch] = _told(result, run, one, log)
    if times:
        result.wrong.append(f"effects of nobody: {dict(times)}")
    others = {fate: number for fate, number in result.fates.items() if not plain and fate not in FATES}
    if others:
        result.wrong.append(f"neither published, re-attached, reconciled nor failed as unknown: {others}")
    if len(tasks) != result.launches:
        result.wrong.append(f"{len(tasks)} launches instead of {result.launches}")


def _fate(run: Run, one: TaskState, log: str, launch: str, ids: Mapping[str, str]) -> str:
    """Say how a launch with this provider ended, by Airflow's state, the record and the log."""
    record = run.airflow.api.stored(run, one.task_id, one.map_index).get("mkt.submission.0")
    state = record["state"] if record else None
    if one.state == "success":
        received = record["receipt"] if record else {}
        named = {ids.get(each) for each in _ids(received)}
        # What analytics or an integration shows has none of the ids that the ledger knows.
        found_without_ids = bool(record and record["doubtful"]) and not named
        if state != "submitted" or not (named == {launch} or found_without_ids):
            return f"wrong receipt {received}"
        if record and record["doubtful"]:
            return RECONCILED
        return ATTACHED if "attaching to" in log else PUBLISHED
    if state == "submitted":
        return AFTERWARDS
    if state == "intent":
        return UNKNOWN if any(words in log for words in SAYS_UNKNOWN) else "failed without a word"
    return REFUSED


def _synced_since(run: Run, one: TaskState, effects: list[dict[str, Any]]) -> bool:
    """Whether the integration was synced since the request. Whoever began that: it brings the same data up to date."""
    record = run.airflow.api.stored(run, one.task_id, one.map_index)["mkt.submission.0"]
    before = record["baseline"]["last_synced_at"] or ""
    return record["receipt"]["sync_id"] is None and any(
        entry["vendor"] == "flokit" and entry["at"] > before for entry in effects
    )


def _told(result: Soak, run: Run, one: TaskState, log: str) -> dict[str, Any]:
    """Return what a person has to go by: what the task said last, and the evidence in the record."""
    launch = mix.name(one.task_id, one.map_index)
    record = run.airflow.api.stored(run, one.task_id, one.map_index)["mkt.submission.0"]
    said = [line for line in log.splitlines() if any(words in line for words in SAYS_UNKNOWN)]
    return {
        "happened": result.happened[launch],
        "tries": one.tries,
        "kills": log.count("SIGKILL"),
        "evidence": record["evidence"],
        "said": said[-1][-1500:] if said else "",
    }


def _ids(receipt: Mapping[str, Any]) -> list[str]:
    single = [receipt[name] for name in ("post_id", "report_id", "sync_id") if receipt.get(name)]
    return single or list(receipt.get("campaign_tracking_ids", []))


def _count(result: Soak, launch: str, fate: str) -> None:
    """Count what nobody is told: successes that never happened, refusals that did."""
    times = result.happened[launch]
    done = fate in {PUBLISHED, ATTACHED, RECONCILED, SUCCEEDED}
    result.silent += times == 0 and done and launch not in result.shared
    result.orphans += times > 0 and fate in {FAILED, REFUSED}


def _weigh(result: Soak, launch: str, fate: str) -> None:
    """Hold the fate against the ledger."""
    times = result.happened[launch]
    allowed = {REFUSED: (0,), UNKNOWN: (0, 1)}
    once = fate in {PUBLISHED, ATTACHED, RECONCILED, AFTERWARDS}
    if launch in result.shared:
        once, allowed = False, {RECONCILED: (0, 1)}
    if times not in ((1,) if once else allowed.get(fate, ())):
        result.wrong.append(f"{launch}: {fate}, but it happened {times} times")


def table(*soaks: Soak) -> Table:
    """Return the figures side by side."""
    rows: list[tuple[str, list[str]]] = [
        ("launches", [str(one.launches) for one in soaks]),
        ("processes killed (SIGKILL)", [str(one.killed) for one in soaks]),
        ("requests mistreated", [str(one.faults) for one in soaks]),
    ]
    fates = (SUCCEEDED, FAILED, PUBLISHED, ATTACHED, RECONCILED, UNKNOWN, REFUSED, AFTERWARDS)
    rows += [
        (f"  {fate}", [str(one.fates[fate]) if fate in one.fates else "" for one in soaks])
        for fate in fates
        if any(fate in one.fates for one in soaks)
    ]
    rows += [
        ("effects in the vendors' ledger", [str(one.effects) for one in soaks]),
        ("launches that happened more than once", [str(one.duplicates) for one in soaks]),
        ("  superfluous effects", [str(one.effects - sum(t > 0 for t in one.happened.values())) for one in soaks]),
        ("done by another launch's sync since", [str(len(one.shared)) for one in soaks]),
        ("succeeded, but never happened", [str(one.silent) for one in soaks]),
        ("failed like a refusal, but happened", [str(one.orphans) for one in soaks]),
        ("seconds", [f"{one.seconds:.0f}" for one in soaks]),
    ]
    made = Table("", *[one.title for one in soaks])
    for label, cells in rows:
        made.add_row(label, *cells)
    return made


@contextmanager
def progress(console: Console, title: str, sandbox: Sandbox) -> Iterator[None]:
    """Say every half a minute how far the launches are: it takes many."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(TELL_EVERY):
            console.print(f"{title}: {len(_effects(sandbox))} effects at the vendors", style="dim")

    console.print(f"{title}: started", style="dim")
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


ANALYTICS_DELAY = 60
"""Seconds within which Flow Living's connection says that analytics shows a campaign."""
ANALYTICS_SHOW_AFTER = 30
"""Seconds after which the sandbox does."""


@contextmanager
def soaking(patience: float, *, analytics: bool = False) -> Iterator[Airflow]:
    """Run an Airflow for soaks.

    :param patience: seconds that a retry is put off at most
    :param analytics: whether Flow Living's connection names the analytics host; without it nobody can tell what became
        of a campaign
    """
    extra = {
        PATIENCE: f"{patience:g}",
        # A frozen task keeps its worker. The soak's DAGs take no more than eight.
        "AIRFLOW__CORE__PARALLELISM": "24",
        # A task without a sign of life is given up within seconds instead of minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }
    lacking = () if analytics else (*ANALYTICS, "analytics_delay")
    knowing = {"flow_living_default": {"analytics_delay": ANALYTICS_DELAY}}
    with running_airflow(DAGS, speed=SPEED, lacking=lacking, knowing=knowing, extra=extra) as airflow:
        yield airflow


def main() -> int:
    """Run the soak and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--launches", type=int, default=500, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the kills (%(default)s)")
    parser.add_argument("--patience", type=float, default=200, help="seconds a retry is put off at most (%(default)s)")
    parser.add_argument("--blind", action="store_true", help="without Flow Living's analytics host")
    parser.add_argument("--alone", action="store_true", help="without the comparison")
    parser.add_argument("--json", type=Path, help="file for the fates of all launches")
    options = parser.parse_args()
    console = Console(width=100)
    soaks: list[Soak] = []
    with soaking(options.patience, analytics=not options.blind) as airflow:
        for plain in (False,) if options.alone else (False, True):
            with progress(console, "HttpOperator" if plain else "this provider", airflow.sandbox):
                soaks.append(soak(airflow, options.launches, seed=options.seed, plain=plain, restart=not plain))
            console.print(table(*soaks))
            if options.json:
                options.json.write_text(
                    json.dumps([vars(one) for one in soaks], indent=1, default=sorted), encoding="utf-8"
                )
    for launch, told in soaks[0].people.items():
        console.print(f"{launch}: happened {told['happened']} times. {told['evidence'][-1:]}")
    for line in soaks[0].wrong:
        console.print(line, style="bold red")
    return 1 if soaks[0].wrong else 0


if __name__ == "__main__":
    sys.exit(main())
