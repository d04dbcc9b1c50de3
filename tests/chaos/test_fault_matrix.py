# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A launch is interrupted at every step, by SIGKILL and by the network: never twice, never silently lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.chaos.matrix import BLOWS, SUBJECTS, Blow, End, Left, Subject
from tests.chaos.steps import Step
from tests.chaos.tries import Course, Interruption, Scheduler
from tests.integration.airflow import without


def play(sandbox: Sandbox, folder: Path, subject: Subject, blow: Blow) -> Course:

    def hurt(_: str) -> None:
        for route, fault in ((subject.route, blow.fault), (subject.status, blow.status_fault)):
            if fault:
                sandbox.order("POST", "faults", {"route": route, **fault})

    return Scheduler(
        vendor=subject.vendor,
        folder=folder,
        connections={name: without(one, subject.without) for name, one in sandbox.connections.items()},
        interruption=Interruption(blow.step, blow.kill),
        hurt=hurt,
        processed=lambda: bool(sandbox.ledger(subject.vendor, subject.effect)),
        pass_time=sandbox.advance,
    ).run()


def struck(blow: Blow, course: Course, sandbox: Sandbox) -> bool:
    """Whether the interruption really took place."""
    killed = any(one["end"] == "killed" for one in course.reports)
    ordered = all(rule["count"] == 0 for rule in sandbox.order("GET", "faults")["faults"])
    ours = any(one.get("struck") for one in course.reports)
    return killed == blow.kill and ordered and (blow.kill or ours or bool(blow.fault or blow.status_fault))


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("blow", BLOWS, ids=str)
def test_cell(blow: Blow, name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    course = play(sandbox, tmp_path, subject, blow)
    happened = len(sandbox.ledger(subject.vendor, subject.effect))
    end = subject.ends[blow.left]
    said = "\n".join(f"{one['what']}: {one['end']} {one.get('trace', '')}" for one in course.reports)

    assert struck(blow, course, sandbox), f"it did not happen: {blow.how}"
    assert happened == (0 if end is End.UNKNOWN_NOT_DONE else 1), said
    assert course.state == ("success" if end is End.ONCE else "failed"), said
    if end is not End.ONCE:
        for part in ("is not submitted again", "Look at", "for the reference"):
            assert part in course.message


def test_no_cell_is_empty() -> None:
    steps = list(Step)
    assert {(blow.step, blow.kill) for blow in BLOWS} == {(step, kill) for step in steps for kill in (True, False)}
    assert all(set(subject.ends) == set(Left) for subject in SUBJECTS.values())
