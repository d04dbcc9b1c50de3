# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The rules of the house: which room may use which, and why.

Rules are data. An exception stands beside its rule with what is to be done, and fails here once it is no longer needed.
"""

from __future__ import annotations

import pytest

from airflow_provider_mkt.vendors import VENDORS
from tests.structure.imports import PACKAGE, ROOT, circle, imports, loaded_with, modules, room

FLOORS: tuple[tuple[str, ...], ...] = (
    ("exceptions", "sandbox"),
    ("metrics", "validation", "links"),
    ("client", "files"),
    ("retry_policy", "tasks", "state", "vendors"),
    ("hooks", "planning", "provider_info"),
    ("submission", "waiting"),
    ("triggers",),
    ("operators", "sensors"),
    ("transfers",),
    ("cli",),
)
"""From the ground up. A room may use those below it; those of one floor know nothing of each other."""

UP: dict[tuple[str, str], str] = {}
"""Arrows that run up, from room to room, with what is to be done."""

CIRCLE: dict[tuple[str, str], str] = {}
"""Imports that close a circle, with what is to be done."""

FORBIDDEN: dict[str, tuple[tuple[str, ...], str]] = {
    "client": (("airflow",), "how a request is judged and sent is tested without Airflow"),
    "vendors": (("airflow", "requests", "sqlalchemy"), "facts: no I/O, and read at every start of Airflow"),
    "sandbox": (("airflow", "requests"), "it also runs without Airflow, and shares no client with those that it tests"),
    "validation": (("airflow",), "used by all rooms"),
}
"""Packages that a room never imports, not even in a function."""

HEAVY = (
    "cryptography",
    "fastapi",
    "pandas",
    "pyarrow",
    "pydantic",
    "requests",
    "sqlalchemy",
    "tenacity",
    "urllib3",
    "uvicorn",
    "yaml",
)
"""What reading a DAG must not load: each costs more than all operators together."""

ONLY_RUNNING = ("files", "hooks", "planning", "state", "submission", "triggers", "waiting")
"""Rooms that a task needs when it runs, not when a DAG file declares it."""

MAX_LOOSE = 6
"""Modules at the package's root: more of them, and nobody knows where a new one belongs."""

EVERYTHING = [name for name in modules() if name]


def floor(name: str) -> int:
    """Return how high a room lies."""
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def test_every_room_has_a_floor() -> None:
    told = [name for rooms in FLOORS for name in rooms]
    assert sorted(told) == sorted({room(name) for name in EVERYTHING})


def upward() -> dict[tuple[str, str], list[str]]:
    """Return the imports that do not go down, by their rooms."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in imports():
        here, there = room(each.module), room(each.target)
        if each.own and there not in ("", here) and floor(there) >= floor(here):
            found.setdefault((here, there), []).append(str(each))
    return found


def test_no_arrow_runs_up() -> None:
    """A room that uses one above it cannot be read, tested or moved without that one."""
    assert {arrow: lines for arrow, lines in upward().items() if arrow not in UP} == {}


@pytest.mark.parametrize("arrow", UP)
def test_exceptions_of_floors_are_needed(arrow: tuple[str, str]) -> None:
    assert arrow in upward(), "delete it above"


def test_no_circle() -> None:
    """Modules in a circle are one module: none can be understood, or loaded, before the others."""
    assert circle(without=CIRCLE) is None


@pytest.mark.parametrize("arrow", CIRCLE)
def test_exceptions_of_circles_are_needed(arrow: tuple[str, str]) -> None:
    assert circle(without=CIRCLE.keys() - {arrow}) is not None, "delete it above"


def test_the_sandbox_stands_alone() -> None:
    """It is written from the vendors' documents, so that client and simulator can disagree."""
    across = [str(each) for each in imports() if each.own and {room(each.module), room(each.target)} > {"sandbox"}]
    # The command line starts it, in a function.
    assert all(line.startswith("cli.definition -> sandbox.command") for line in across), across


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_a_room_never_imports(name: str) -> None:
    packages, reason = FORBIDDEN[name]
    found = [
        str(each)
        for each in imports()
        if room(each.module) == name and not each.own and each.target.partition(".")[0] in packages
    ]
    assert found == [], reason


def test_reading_a_dag_loads_nothing_heavy() -> None:
    """The DAG processor imports every DAG file again and again."""
    loaded = loaded_with([name for name in modules() if room(name) in ("operators", "sensors", "provider_info")])
    found = [
        " -> ".join([*loaded[each.module], each.target])
        for each in imports()
        if each.module in loaded and not (each.own or each.lazy or each.typing)
        if each.target.partition(".")[0] in HEAVY
    ]
    assert found == []


def test_reading_a_dag_loads_nothing_that_only_a_running_task_needs() -> None:
    """What is loaded for nothing costs more than the operators themselves, in every DAG file, again and again."""
    public = [f"{kind}.{vendor.conn_type}" for kind in ("operators", "sensors") for vendor in VENDORS]
    found = [" -> ".join(way) for name, way in loaded_with(public).items() if room(name) in ONLY_RUNNING]
    assert found == []


def test_few_loose_modules() -> None:
    loose = [path.stem for path in (ROOT / PACKAGE).glob("*.py") if path.stem != "__init__"]
    assert len(loose) <= MAX_LOOSE, loose
