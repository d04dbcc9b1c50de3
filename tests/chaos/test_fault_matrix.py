# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A launch is interrupted at every step, by SIGKILL and by the network: never twice, never silently lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.chaos.matrix import BLOWS, Blow
from tests.chaos.steps import RECORD, Step
from tests.chaos.subjects import SUBJECTS, End, Left, Subject, connection
from tests.chaos.tries import Course, Interruption, Scheduler

pytestmark = pytest.mark.proof

CELLS = [
    pytest.param(blow, name, id=f"{blow}-{name}")
    for blow in BLOWS
    for name, subject in SUBJECTS.items()
    if blow.cell not in subject.apply_not
]
STANDSTILL = 1e-4
"""Vendor seconds in one real second: what was launched must not be done before the task has had a look."""
LOOKS = ("execute", "trigger", "resume")


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=STANDSTILL) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The vendors, as new; their time passes between the parts of a task only."""
    running_sandbox.reset()
    running_sandbox.limits({"*": None})
    # For what people do at Flinque; the tries have connections of their own.
    monkeypatch.setenv("AIRFLOW_CONN_FLINQUE_DEFAULT", json.dumps(running_sandbox.connections["flinque_default"]))
    return running_sandbox


def play(sandbox: Sandbox, folder: Path, name: str, blow: Blow | None) -> Course:
    subject = SUBJECTS[name]
    subject.before(sandbox)
    for file, content in subject.files.items():
        (folder / file).write_bytes(content)

    def hurt(_: str) -> None:
        assert blow is not None
        for route, fault in ((subject.route, blow.fault), (subject.status, blow.status_fault)):
            if fault:
                sandbox.order("POST", "faults", {"route": route, **fault})

    return Scheduler(
        subject=name,
        folder=folder,
        connections={f"{subject.vendor}_default": connection(subject, sandbox)},
        interruption=Interruption(blow.step, blow.kill) if blow else None,
        hurt=hurt,
        processed=lambda: bool(subject.happened(sandbox)),
        pass_time=sandbox.advance,
        work=lambda: subject.meanwhile(sandbox),
    ).run()


def struck(blow: Blow, course: Course, sandbox: Sandbox) -> bool:
    """Whether the interruption really took place."""
    killed = any(one["end"] == "killed" for one in course.reports)
    ordered = all(rule["count"] == 0 for rule in sandbox.order("GET", "faults")["faults"])
    ours = any(one.get("struck") for one in course.reports)
    return killed == blow.kill and ordered and (blow.kill or ours or bool(blow.fault or blow.status_fault))


def said(course: Course) -> str:
    return "\n".join(f"{one['what']}: {one['end']} {one.get('trace', '')}" for one in course.reports)


def check(subject: Subject, course: Course, sandbox: Sandbox, end: End) -> None:
    """Compare how the task ended with what the ledger counted."""
    happened = subject.happened(sandbox)
    times = Counter(entry["reference"] for entry in happened)
    assert len(happened) == (0 if end is End.UNKNOWN_NOT_DONE else subject.parts), said(course)
    assert set(times.values()) <= {1}, times
    assert course.state == ("success" if end is End.ONCE else "failed"), said(course)
    if end is not End.ONCE:
        assert "is not submitted again" in course.message or "is never submitted again" in course.message
        assert "Look at" in course.message
        assert "for the reference" in course.message
    elif subject.tells_ids:
        told = json.dumps(course.reports[-1]["result"])
        assert [each for entry in happened for each in entry["ids"] if each not in told] == [], told


@pytest.mark.parametrize(("blow", "name"), CELLS)
def test_cell(blow: Blow, name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    course = play(sandbox, tmp_path, name, blow)
    assert struck(blow, course, sandbox), f"it did not happen: {blow.how}\n{said(course)}"
    check(subject, course, sandbox, subject.ends[blow.left])


@pytest.mark.parametrize("name", SUBJECTS)
def test_undisturbed(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Also shows that cells are left out only where there is no such step."""
    subject = SUBJECTS[name]
    course = play(sandbox, tmp_path, name, None)
    check(subject, course, sandbox, End.ONCE)
    store = tmp_path / "store.json"
    records = [key for key in json.loads(store.read_text()) if key.startswith(RECORD)] if store.exists() else []

    assert tuple(one["what"] for one in course.reports) == (LOOKS if subject.waits else LOOKS[:1])
    assert ((Step.DEFERRING, True) in subject.apply_not) is not subject.waits
    assert ((Step.AFTER_INTENT, True) in subject.apply_not) is (records == [])


def test_no_cell_is_empty() -> None:
    steps = list(Step)
    assert {blow.cell for blow in BLOWS} == {(step, kill) for step in steps for kill in (True, False)}
    assert all(set(subject.ends) == set(Left) for subject in SUBJECTS.values())
    assert all(all(subject.apply_not.values()) for subject in SUBJECTS.values())
