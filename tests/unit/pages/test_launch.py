# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One launch on a page, with what Airflow still has of it, and the ways on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from airflow_provider_mkt.state.launches.launch import ACCEPTED, REFUSED, UNKNOWN
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.record import INTENT, SUBMITTED, Record
from tests.unit.pages.conftest import Browser, kept_run, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
LOST = launch(1, state=UNKNOWN, writer="try", reference="spring-0001")
PATH = f"/launches/{LOST.launch}"
RECORD = Record(
    key=LOST.launch,
    generation=1,
    state=INTENT,
    fingerprint="f",
    body={"content": "Ring ana@example.com on 020 7946 0000", "api_key": "flow_sk_live_12345678"},
    reference="spring-0001",
    id_field="id",
    intent_at=1_700_000_000.0,
    clear_count=0,
    doubtful=True,
    writer="try",
)


def stored() -> dict[str, Any]:
    """Return the record as Airflow has it."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        ours = TaskStateStoreModel.dag_id == LOST.dag_id, TaskStateStoreModel.run_id == LOST.run_id
        found: dict[str, Any] = json.loads(session.scalar(select(TaskStateStoreModel.value).where(*ours)) or "{}")
    return found


def audited() -> list[tuple[str, str, str]]:
    """Return what the audit log has: event, user, and why."""
    from airflow.models import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(Log).where(Log.event.startswith("mkt_")).order_by(Log.id)).all()
        return [(row.event, str(row.owner), json.loads(row.extra or "{}").get("why", "")) for row in rows]


@pytest.fixture
def lost(store: Any) -> Iterator[None]:
    """A launch whose answer was lost; its task has failed."""
    put(store, LOST)
    with kept_run(LOST, "failed", n0=asdict(RECORD)):
        yield


def test_it_shows_what_was_sent_without_what_is_personal(lost: None, browser: Browsers) -> None:
    page = browser("vera").get(PATH)
    assert page.status_code == 200
    assert "spring-0001" in page.text
    assert "Ring" in page.text
    for hidden in ("ana@example.com", "020 7946 0000", "flow_sk_live_12345678"):
        assert hidden not in page.text


def test_it_links_to_the_task(lost: None, browser: Browsers) -> None:
    assert 'href="/dags/spring/runs/r1/tasks/publish"' in browser("vera").get(PATH).text


def test_a_launch_of_a_deleted_run_is_shown_by_the_register(browser: Browsers, store: Any) -> None:
    put(store, LOST)
    page = browser("uma").get(PATH).text
    assert "(deleted)" in page
    assert "no longer has the run" in page
    assert "/adopt" not in page


@pytest.mark.parametrize("path", [f"/launches/{launch(2).launch}", "/launches/0", "/launches/x"])
def test_no_such_launch(path: str, lost: None, browser: Browsers) -> None:
    assert browser("vera").get(path).status_code == 404


def test_who_may_not_see_it_learns_nothing(browser: Browsers, store: Any) -> None:
    put(store, launch(1, dag_id="autumn", what="a secret plan"))
    page = browser("sam").get(PATH)
    assert page.status_code == 404
    assert "secret" not in page.text


def test_who_may_see_may_not_act(lost: None, browser: Browsers) -> None:
    viewer = browser("vera")
    page = viewer.get(PATH).text
    assert "You may not settle" in page
    assert "<form" not in page
    fields = {"token": viewer.token(), "sure": "yes", "ids": "p_1", "reason": "no"}
    for way in ("adopt", "forget", "stop"):
        assert viewer.post(f"{PATH}/{way}", fields).status_code == 403
    assert stored() == asdict(RECORD)
    assert Register().find()[0].state == UNKNOWN


@pytest.mark.parametrize("way", ["adopt", "forget", "stop"])
def test_nothing_is_done_by_following_a_link(way: str, lost: None, browser: Browsers) -> None:
    assert browser("ada").get(f"{PATH}/{way}", sure="yes", ids="p_1").status_code == 405
    assert stored() == asdict(RECORD)


@pytest.mark.parametrize("way", ["adopt", "forget", "stop"])
@pytest.mark.parametrize(
    "forged",
    [
        {"Origin": "https://evil.example.net", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Content_Type": "text/plain"},
    ],
)
def test_a_forged_form_does_nothing(way: str, forged: dict[str, str], lost: None, browser: Browsers) -> None:
    person = browser("ada")
    answer = person.post(
        f"{PATH}/{way}", {"token": person.token(), "sure": "yes", "ids": "p_1", "reason": "x"}, **forged
    )
    assert answer.status_code == 403
    assert stored() == asdict(RECORD)
    assert audited() == []


def test_a_form_without_a_token_does_nothing(lost: None, browser: Browsers) -> None:
    assert browser("ada").post(f"{PATH}/adopt", {"sure": "yes", "ids": "p_1"}).status_code == 403
    assert stored() == asdict(RECORD)


def test_a_token_of_another_person_does_nothing(lost: None, browser: Browsers) -> None:
    person, attacker = browser("ada"), browser("vera")
    token = attacker.token()
    person.client.cookies.set("mkt_form", attacker.client.cookies["mkt_form"])
    assert person.post(f"{PATH}/adopt", {"token": token, "sure": "yes", "ids": "p_1"}).status_code == 403
    assert stored() == asdict(RECORD)


def test_adopting_asks_first_then_writes_and_is_audited(lost: None, browser: Browsers) -> None:
    person = browser("uma")
    asked = person.post(f"{PATH}/adopt", {"token": person.token(), "ids": " p_1 "})
    assert "Adopt this launch?" in asked.text
    assert "Clear the task publish now" in asked.text
    assert stored() == asdict(RECORD)
    done = person.post(f"{PATH}/adopt", person.fields_of(asked.text))
    assert done.headers["location"] == f"/mkt-ui{PATH}?did=adopted"
    assert (stored()["state"], stored()["receipt"]["id"]) == (SUBMITTED, "p_1")
    [found] = Register().find()
    assert (found.state, json.loads(found.vendor_ids)["id"]) == (ACCEPTED, "p_1")
    assert audited() == [("mkt_adopt", "uma", "p_1")]
    page = person.get(f"{PATH}", did="adopted").text
    assert "Adopted. Clear the task publish now" in page
    assert "Adopt: p_1" in page


def test_forgetting_asks_first_then_writes_and_is_audited(lost: None, browser: Browsers) -> None:
    person = browser("uma")
    asked = person.post(f"{PATH}/forget", {"token": person.token()})
    assert "happens a second time" in asked.text
    assert stored() == asdict(RECORD)
    person.post(f"{PATH}/forget", person.fields_of(asked.text))
    assert stored()["state"] == "refused"
    assert Register().find()[0].state == REFUSED
    assert [event for event, *_ in audited()] == ["mkt_forget"]


@pytest.mark.parametrize("ids", ["", "a b", "a a"])
def test_ids_that_cannot_be_are_refused(ids: str, lost: None, browser: Browsers) -> None:
    person = browser("uma")
    answer = person.post(f"{PATH}/adopt", {"token": person.token(), "ids": ids, "sure": "yes"})
    assert answer.status_code == 409
    assert stored() == asdict(RECORD)


@pytest.mark.parametrize("state", ["running", "deferred", "queued", ""])
def test_a_task_at_work_is_left_alone(state: str, browser: Browsers, store: Any) -> None:
    put(store, LOST)
    with kept_run(LOST, state or "scheduled", n0=asdict(RECORD)):
        person = browser("uma")
        assert "may write this record at any moment" in person.get(PATH).text
        answer = person.post(f"{PATH}/forget", {"token": person.token(), "sure": "yes"})
        assert answer.status_code == 409
        assert stored() == asdict(RECORD)


def test_what_is_settled_is_not_settled_again(browser: Browsers, store: Any) -> None:
    settled = launch(1, state=ACCEPTED)
    put(store, settled)
    with kept_run(settled, "success", n0={**asdict(RECORD), "state": SUBMITTED, "receipt": {"id": "p_1"}}):
        person = browser("uma")
        assert "/forget" not in person.get(PATH).text
        assert person.post(f"{PATH}/forget", {"token": person.token(), "sure": "yes"}).status_code == 409
