# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audiences that a person approves: exactly these people, and none of them is stored or shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_mkt.exceptions import StoppedError
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.approvals import APPROVED, WAITING, Approvals
from tests.unit.context import Task
from tests.unit.people import People, resume, waiting

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    write(file, 120)
    return file


def write(file: Path, number: int, first: str = "Ada") -> None:
    rows = "".join(f"person{at}@example.com,{first}\n" for at in range(number))
    file.write_text(f"email,first_name\n{rows}")


def upserting(file: Path) -> FlodeskUpsertSubscribersOperator:
    return FlodeskUpsertSubscribersOperator(
        task_id="publish", path=str(file), segment_ids=["seg_buyers"], approval="required"
    )


def taken_in(vendors: Sandbox) -> int:
    return len(vendors.ledger("flodesk", "subscriber.created"))


def test_one_question_for_all_of_them_without_naming_one(
    file: Path, vendors: Sandbox, task: Task, people: People, approvals_store: Store
) -> None:
    operator = upserting(file)
    wait = waiting(operator.execute, task.context)
    assert taken_in(vendors) == 0
    [asked] = people.asked
    assert asked.subject == "Launch 3 requests at Flodesk?"
    assert asked.body.count("- What: 50 people into seg\\_buyers") == 2
    assert asked.body.count('"people": 20') == 1
    kept = "".join(str(each) for each in Approvals().find())
    assert "example.com" not in asked.body + kept + str(wait.kwargs)
    assert resume(operator, wait, people.yes(), task.context)["upserted"] == 120
    assert taken_in(vendors) == 120
    # A retry goes on with the same yes; whoever clears it is asked.
    operator.execute(task.retry())
    waiting(operator.execute, task.clear())
    assert len(people.asked) == 2


def test_an_audience_that_changes_after_the_yes(file: Path, vendors: Sandbox, task: Task, people: People) -> None:
    operator = upserting(file)
    wait = waiting(operator.execute, task.context)
    write(file, 121)
    wait = waiting(resume, operator, wait, people.yes(), task.context)
    assert taken_in(vendors) == 0
    # Nobody is sent before all are approved, so all of it is asked about.
    rows = Approvals().find([WAITING])
    assert [row.what.partition(" ")[0] for row in rows] == ["50", "50", "21"]
    Approvals().answer(rows[0].ask, APPROVED, "ben", "", "command line")
    assert resume(operator, wait, people.event("Ask again"), task.context)["upserted"] == 121
    assert taken_in(vendors) == 121


def test_a_store_that_is_away(
    file: Path, vendors: Sandbox, task: Task, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = upserting(file)
    wait = waiting(operator.execute, task.context)

    def fail(*_: object) -> None:
        raise StoreError(StoreFailure.UNREACHABLE)

    with monkeypatch.context() as away:
        away.setattr(Approvals, "use", fail)
        with pytest.raises(StoppedError, match="approvals cannot be looked up"):
            resume(operator, wait, people.yes(), task.context)
    assert taken_in(vendors) == 0
    operator.execute(task.retry())
    assert taken_in(vendors) == 120
    assert {each.state for each in Approvals().find()} == {APPROVED}
