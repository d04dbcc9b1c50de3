# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A try stands still at a step while another takes its place, and then goes on: never twice, never silently lost.

``make test`` takes a sample; ``make chaos-freeze`` takes the whole table.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.chaos.freezes import FREEZES, NO_BODY, TABLE, Course, Freeze, Thaw, Where
from tests.chaos.subjects import SUBJECTS
from tests.chaos.thaws import Launch

pytestmark = pytest.mark.proof

SEED = 20261129
SAMPLE = 120
"""Cells of a sample."""
WHOLE = "MKT_WHOLE_MATRIX"
"""Environment variable: take every cell."""
STANDSTILL = 1e-4
WRITTEN = [name for name in SUBJECTS if name != "flodesk_upsert"]
"""Subjects that keep a record; repeating the other one changes nothing."""
ALL = [
    (freeze, name)
    for freeze in FREEZES
    for name in WRITTEN
    if not (freeze.where in (Where.OPEN, Where.HEAD) and name in NO_BODY)
]


def sample() -> list[tuple[Freeze, str]]:
    """Return some cells, with every step, course, thaw and subject among them; all when asked."""
    if os.environ.get(WHOLE):
        return ALL
    chosen = random.Random(SEED).sample(ALL, SAMPLE)
    seen = {part for freeze, name in chosen for part in (freeze.where, freeze.course, freeze.thaw, name)}
    assert seen == {*TABLE, *Course, *Thaw, *WRITTEN}, "choose another seed"
    return chosen


CELLS = [pytest.param(freeze, name, id=f"{name}-{freeze}") for freeze, name in sample()]


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=STANDSTILL) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The vendors, as new; their time passes where the story says so."""
    running_sandbox.reset()
    running_sandbox.limits({"*": None})
    monkeypatch.setenv("AIRFLOW_CONN_FLINQUE_DEFAULT", json.dumps(running_sandbox.connections["flinque_default"]))
    return running_sandbox


@pytest.mark.parametrize(("freeze", "name"), CELLS)
def test_cell(freeze: Freeze, name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    launch = Launch(name, tmp_path, sandbox, freeze)
    launch.run()
    happened = subject.happened(sandbox)
    times = Counter(entry["reference"] for entry in happened)

    assert len(happened) == subject.parts, launch.told
    assert set(times.values()) == {1}, launch.told
    assert launch.people == freeze.needs_a_person(subject), launch.told
    assert {record.state for record in launch.records()} == {"submitted"}, launch.told
    if freeze.certain:
        assert not any(record.doubtful for record in launch.records()), launch.told


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("flow_social", 1),
        ("flow_social_batch", 3),
        ("flinque", 2),
        ("flow_living", 2),
        ("flodesk_workflow", 2),
        ("flokit", 1),
    ],
)
def test_the_remainder(name: str, times: int, sandbox: Sandbox, tmp_path: Path) -> None:
    """Between the last check and the last byte nothing can tell, except a vendor with idempotency keys.

    The documentation names this, and says how long it takes. Should a doubled one become single, it may say less.
    """
    launch = Launch(name, tmp_path, sandbox, Freeze(Where.LAST, Course.RETRY, Thaw.AFTER))
    launch.run()
    assert len(SUBJECTS[name].happened(sandbox)) == times, launch.told
