# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Batches that a person approves: one question for all chunks, and no chunk leaves without a yes to exactly it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_mkt.operators.flow_social import FlowSocialUploadMediaOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.launches.approvals import APPROVED, VOID, WAITING, Approvals
from airflow_provider_mkt.state.launches.register import Register
from tests.unit.context import Task, WorkerDiedError
from tests.unit.operators.flow_social.batches import batches, contents, dying, listed, once, scheduling
from tests.unit.people import People, resume, waiting

pytestmark = pytest.mark.usefixtures("people")
ASKING = {"approval": "required"}


def test_all_chunks_are_asked_about_together(vendors: Sandbox, task: Task, people: People) -> None:
    operator = scheduling(listed(8), **ASKING)
    wait = waiting(operator.execute, task.context)
    assert contents(vendors) == {}
    [asked] = people.asked
    assert asked.subject == "Launch 3 requests at Flow Social?"
    assert all(f'"content": "Post {at}"' in asked.body for at in range(8))
    assert asked.body.count("```json") == 3
    assert resume(operator, wait, people.yes(), task.context)["scheduled"] == 8
    assert contents(vendors) == once(8)
    assert [each.approved_by for each in Register().find()] == ["ana"] * 3


def test_a_row_that_changes_after_the_yes_keeps_its_chunk_back(vendors: Sandbox, task: Task, people: People) -> None:
    wait = waiting(scheduling(listed(6), **ASKING).execute, task.context)
    changed = scheduling(listed(6, row_4={"content": "Changed"}), **ASKING)
    wait = waiting(resume, changed, wait, people.yes(), task.context)
    # What was approved left; the changed chunk asks anew.
    assert contents(vendors) == once(3)
    assert people.asked[-1].subject.startswith("Launch at Flow Social? 3 posts, the first: Post 3")
    [row] = Approvals().find([WAITING])
    Approvals().answer(row.ask, APPROVED, "ben", "", "command line")
    resume(changed, wait, people.event("Ask again"), task.context)
    assert contents(vendors) == {**once(6, 4), "Changed": 1}
    assert [each.state for each in Approvals().find()] == [APPROVED, VOID, APPROVED]


def test_a_worker_that_dies_in_the_middle_goes_on_with_the_same_yes(
    vendors: Sandbox, task: Task, people: People
) -> None:
    operator = scheduling(listed(9), **ASKING)
    wait = waiting(operator.execute, task.context)
    task.store.interrupt = dying(task, "after submitted 2")
    with pytest.raises(WorkerDiedError):
        resume(operator, wait, people.yes(), task.context)
    task.store.interrupt = None
    operator.execute(task.retry())
    assert contents(vendors) == once(9)
    assert len(batches(vendors)) == 3
    assert len(people.asked) == 1


def test_a_file_that_changes_after_the_yes_is_asked_about_anew(
    vendors: Sandbox, task: Task, people: People, tmp_path: Path
) -> None:
    file = tmp_path / "house.png"
    file.write_bytes(b"a house" * 100)
    operator = FlowSocialUploadMediaOperator(task_id="upload", path=str(file), approval="required")
    wait = waiting(operator.execute, task.context)
    file.write_bytes(b"another" * 100)
    wait = waiting(resume, operator, wait, people.yes(), task.context)
    assert vendors.ledger("flow_social", "media.uploaded") == []
    file.write_bytes(b"a house" * 100)
    waiting(resume, operator, wait, people.yes(), task.context)
    assert vendors.ledger("flow_social", "media.uploaded") == []
    [row] = Approvals().find([WAITING])
    Approvals().answer(row.ask, APPROVED, "ben", "", "command line")
    assert operator.execute(task.clear())["size"] == 700
    assert len(vendors.ledger("flow_social", "media.uploaded")) == 1
