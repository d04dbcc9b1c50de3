# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The rules of the house: which room may use which, and why.

Rules are data. An exception stands beside its rule with what is to be done, and fails here once it is no longer needed.
"""

from __future__ import annotations

import pytest

from airflow_provider_mkt.vendors import VENDORS
from tests.structure.imports import PACKAGE, ROOT, circle, imports, loaded_with, modules, room

FLOORS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("clock", "exceptions", "sandbox"),
        "for all; the simulated vendors share nothing with those that they test",
    ),
    (("metrics", "validation", "links"), "what any room may need, and needs no other"),
    (("client", "files"), "how a request is sent and a file is written, for no vendor in particular"),
    (
        ("retry_policy", "tasks", "state", "vendors"),
        "Airflow's tasks, what processes share, facts: none needs another",
    ),
    (("hooks", "planning", "provider_info"), "a hook joins a vendor's facts with the client and the shared state"),
    (
        ("submission", "waiting", "webhooks"),
        "launching once, waiting and being told go by what hooks say, and not by one another",
    ),
    (
        ("triggers", "control"),
        "the trigger waits for whatever a watch of ``waiting`` describes, and a person's stop ends it",
    ),
    (("operators", "sensors"), "tasks use all of that; an operator needs no sensor, and the other way round"),
    (("transfers", "decorators"), "they use the operators that write to a vendor"),
    (("plan",), "what the steps of a launch would send is asked of the operators that send it"),
    (("task_groups",), "a launch is made of all kinds of tasks"),
    (("cli", "notifications", "pages"), "what people read and type may use everything, and nothing needs it"),
    (("testing",), "it puts whole DAGs to the test, so it may use everything; only tests need it"),
)
"""From the ground up, with the reason. A room may use those below it; those of one floor know nothing of each other."""

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

NAMING: dict[str, str] = {
    "cli.authorize_command": "one vendor has OAuth in a browser",
    "cli.check_command": "it checks briefs, calendars and audiences",
    "decorators": "each is named for what its function returns",
    "operators.preflight.operator": "a launch has steps at several vendors",
    "task_groups.launch": "a launch has steps at several vendors",
    "plan.steps": "a launch has steps at several vendors",
    "planning.brief": "a brief launches on two vendors",
    "planning.calendar": "a calendar's rows are posts of one vendor",
}
"""Modules that serve no single vendor and name some all the same, with the reason."""

MAX_LOOSE = 6
"""Modules at the package's root: more of them, and nobody knows where a new one belongs."""

EVERYTHING = [name for name in modules() if name]


NAMES = [name.partition(".")[2] for name in modules() if room(name) == "vendors" and name.count(".") == 1]
NAMES.remove("base")


def floor(name: str) -> int:
    """Return how high a room lies."""
    return next(number for number, (rooms, _) in enumerate(FLOORS) if name in rooms)


def test_every_room_has_a_floor() -> None:
    told = [name for rooms, _ in FLOORS for name in rooms]
    assert sorted(told) == sorted({room(name) for name in EVERYTHING})


def test_no_arrow_runs_up() -> None:
    """A room that uses one above it cannot be read, tested or moved without that one."""
    across = [each for each in imports() if each.own and room(each.target) not in ("", room(each.module))]
    assert [str(each) for each in across if floor(room(each.target)) >= floor(room(each.module))] == []


def test_no_circle() -> None:
    """Modules in a circle are one module: none can be understood, or loaded, before the others."""
    assert circle() is None


def vendor_of(module: str) -> str | None:
    """Return the vendor that a module is about; None when it serves all of them."""
    return next((part for part in module.split(".") if part in NAMES), None)


def test_vendors_know_nothing_of_each_other() -> None:
    """One can be added, or deleted, without reading the others."""
    pairs = [(each, vendor_of(each.module), vendor_of(each.target)) for each in imports() if each.own]
    assert [str(each) for each, here, there in pairs if here and there and here != there] == []


def test_what_serves_all_vendors_knows_none() -> None:
    """A new vendor needs no edit there."""
    named = {
        str(each.module) for each in imports() if each.own and not vendor_of(each.module) and vendor_of(each.target)
    }
    assert named == set(NAMING)


def test_the_sandbox_stands_alone() -> None:
    """It is written from the vendors' documents, so that client and simulator can disagree."""
    across = [str(each) for each in imports() if each.own and {room(each.module), room(each.target)} > {"sandbox"}]
    # The command line starts it, and so do the fixtures for tests of DAGs.
    assert all(line.startswith(("cli.definition -> sandbox.command", "testing.")) for line in across), across


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
