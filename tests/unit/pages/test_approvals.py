# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Approving and refusing on a page.

=============================================  ==============================================================
what happens                                   then
=============================================  ==============================================================
a yes or a no                                  it is asked about once more, given by Airflow's route, audited
the person may see, and not answer             no button, and 403
the form comes from elsewhere                  403
the form is about another digest               409: what was shown is what is answered
somebody else has answered, here or elsewhere  409, with who it was; the first answer stays
another question was asked since               409
Airflow shows what was asked earlier           the answer is in the shared store, and the task is told to look
the task is gone, or waits for nobody          409
=============================================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, WAITING, Approvals, Asked
from airflow_provider_mkt.submission.question import AGAIN
from tests.unit.pages.conftest import Browser, asks, chosen, kept_run, launch
from tests.unit.pages.test_launch import audited

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
ONE = launch(1, what="campaign for 3 homes", amount=1_450_500, currency="GBP", audience=3)
REQUEST = '{"body": {"text": "Spring at ana@example.com \\u202e", "budget": 1450.5}}'
ASKED = [Asked(ONE, "a1" * 32, REQUEST)]
CHANGED = [Asked(replace(ONE, amount=1_400_000), "b2" * 32, REQUEST.replace("1450.5", "1400"))]
YES, NO = "Approve a1a1a1a1a1a1", "Refuse a1a1a1a1a1a1"
WAYS = ["approve", "refuse"]


@pytest.fixture
def waiting(store: Any) -> Iterator[str]:
    """A task that waits for an answer; the name of its question."""
    with kept_run(ONE, "awaiting_input"):
        yield asks(ASKED)


def task_state() -> str:
    """Return the state of the task that asks."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return str(session.scalar(select(TaskInstance.state).where(TaskInstance.run_id == ONE.run_id)))


def standing() -> list[tuple[str, str]]:
    """Return how each request stands in the register of approvals, and who said so."""
    return [(each.state, each.answered_by) for each in Approvals().find()]


def answer(person: Browser, ask: str, way: str, **fields: str) -> Any:
    """Answer at once, without the confirmation."""
    form = {"token": person.token(), "sure": "yes", "reason": "prices", "code": ASKED[0].digest, **fields}
    return person.post(f"/approvals/{ask}/{way}", form)


def test_it_shows_exactly_what_would_be_sent(waiting: str, browser: Browsers) -> None:
    page = browser("uma").get(f"/approvals/{waiting}").text
    for there in ("campaign for 3 homes", "1,450.50 GBP", "Spring at ana@example.com \\u202e", "a1a1a1a1a1a1"):
        assert there in page
    assert "\u202e" not in page
    assert "this task has asked nothing before" in page
    assert page.count("<form") == 2


def test_it_shows_what_differs_from_before(waiting: str, browser: Browsers) -> None:
    Approvals().answer(waiting, REFUSED, "ana", "too dear", "a test")
    page = browser("uma").get(f"/approvals/{asks(CHANGED)}").text
    assert "refused by ana: too dear" in page
    assert "the amount is 1,400.00 GBP, it was 1,450.50 GBP" in page
    assert "body.budget is 1400, it was 1450.5" in page
    assert "body.text" not in page


@pytest.mark.parametrize(
    ("way", "says", "option"),
    [
        ("approve", "It is sent to Flow Social for 1,450.50 GBP and reaches 3. The digest is a1a1a1a1a1a1.", YES),
        ("refuse", "Nothing is sent. The task publish of spring fails with your reason.", NO),
    ],
)
def test_an_answer_is_asked_about_then_given_and_audited(
    way: str, says: str, option: str, waiting: str, browser: Browsers
) -> None:
    person = browser("uma")
    asked = person.post(f"/approvals/{waiting}/{way}", {"token": person.token(), "code": ASKED[0].digest})
    assert says in asked.text
    assert "campaign for 3 homes, Flow Social, 1,450.50 GBP, at once, reaches 3" in asked.text
    assert (chosen(), task_state()) == ([], "awaiting_input")
    done = person.post(f"/approvals/{waiting}/{way}", {**person.fields_of(asked.text), "reason": "as agreed"})
    assert done.headers["location"] == f"/mkt-ui/approvals/{waiting}"
    # Airflow resumes the task, which writes it down.
    assert (chosen(), task_state(), standing()) == ([option], "scheduled", [(WAITING, "")])
    assert audited() == [(f"mkt_{way}", "uma", "as agreed")]
    page = person.get(f"/approvals/{waiting}").text
    assert f"uma has answered: {option}" in page
    assert "<form" not in page


def test_the_confirmation_says_what_differs(waiting: str, browser: Browsers) -> None:
    person = browser("uma")
    ask = asks(CHANGED)
    asked = person.post(f"/approvals/{ask}/approve", {"token": person.token(), "code": CHANGED[0].digest})
    assert "Differs from what was asked before: the amount is 1,400.00 GBP, it was 1,450.50 GBP" in asked.text


def test_a_refusal_wants_a_reason(waiting: str, browser: Browsers) -> None:
    assert answer(browser("uma"), waiting, "refuse", reason=" ").status_code == 400
    assert chosen() == []


def test_several_requests_are_one_question(store: Any, browser: Browsers) -> None:
    two = [*ASKED, Asked(replace(launch(2, what="post"), amount=50_000, currency="GBP"), "c3" * 32, "{}")]
    with kept_run(ONE, "awaiting_input"):
        ask, person = asks(two), browser("uma")
        page = person.get(f"/approvals/{ask}")
        assert "campaign for 3 homes and 1 more" in page.text
        code = person.fields_of(page.text)["code"]
        asked = person.post(f"/approvals/{ask}/approve", {"token": person.token(), "code": code})
        assert "2 requests are sent to Flow Social for 1,500.50 GBP" in asked.text
        person.post(f"/approvals/{ask}/approve", person.fields_of(asked.text))
        assert chosen() == [f"Approve {code[:12]}"]


@pytest.mark.parametrize("way", WAYS)
def test_who_may_see_may_not_answer(way: str, waiting: str, browser: Browsers) -> None:
    viewer = browser("vera")
    page = viewer.get(f"/approvals/{waiting}").text
    assert "You may not answer" in page
    assert "<form" not in page
    assert answer(viewer, waiting, way).status_code == 403
    assert (chosen(), audited()) == ([], [])


def test_who_may_not_see_the_dag_learns_nothing(store: Any, browser: Browsers) -> None:
    secret = launch(1, dag_id="autumn", what="a secret plan")
    with kept_run(secret, "awaiting_input"):
        ask = asks([Asked(secret, "d4" * 32, "{}")])
        for answered in (browser("sam").get(f"/approvals/{ask}"), answer(browser("sam"), ask, "approve")):
            assert answered.status_code == 404
            assert "secret" not in answered.text
        assert chosen() == []


@pytest.mark.parametrize("name", ["0", "f" * 32, ""])
def test_no_such_question(name: str, waiting: str, browser: Browsers) -> None:
    assert browser("uma").get(f"/approvals/{name}").status_code == 404


def test_a_question_of_another_deployment_is_not_here(store: Any, browser: Browsers) -> None:
    other = replace(ONE, deployment="staging")
    with kept_run(other, "awaiting_input"):
        assert browser("ada").get(f"/approvals/{asks([Asked(other, 'd4' * 32, '{}')])}").status_code == 404


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_answered_by_following_a_link(way: str, waiting: str, browser: Browsers) -> None:
    assert browser("ada").get(f"/approvals/{waiting}/{way}", sure="yes", code=ASKED[0].digest).status_code == 405
    assert chosen() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "forged",
    [
        {"Origin": "https://evil.example.net", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"Content_Type": "text/plain"},
    ],
)
def test_a_forged_form_answers_nothing(way: str, forged: dict[str, str], waiting: str, browser: Browsers) -> None:
    person = browser("ada")
    form = {"token": person.token(), "sure": "yes", "reason": "x", "code": ASKED[0].digest}
    assert person.post(f"/approvals/{waiting}/{way}", form, **forged).status_code == 403
    assert person.post(f"/approvals/{waiting}/{way}", {**form, "token": "forged"}).status_code == 403
    assert (chosen(), audited()) == ([], [])


@pytest.mark.parametrize("code", ["", "b2" * 32, "a1a1a1a1a1a1"])
def test_the_digest_that_is_answered_is_the_one_that_was_shown(code: str, waiting: str, browser: Browsers) -> None:
    answered = answer(browser("uma"), waiting, "approve", code=code)
    assert answered.status_code == 409
    assert "about something else" in answered.text
    assert chosen() == []


def test_a_page_that_is_out_of_date_answers_nothing(waiting: str, browser: Browsers) -> None:
    """The task was cleared, and asks about something else by now."""
    asks(CHANGED, shown=ASKED)
    answered = answer(browser("uma"), waiting, "approve")
    assert answered.status_code == 409
    assert "waits for no answer any more" in answered.text
    assert (chosen(), standing()) == ([], [("void", ""), (WAITING, "")])


@pytest.mark.parametrize("between", [False, True])
def test_the_first_answer_counts(
    between: bool, waiting: str, browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(browser("ada"), waiting, "refuse")
    if between:  # the two are answering at the same moment
        from airflow_provider_mkt.pages.required_actions import RequiredActions

        monkeypatch.setattr(RequiredActions, "given", first_time_none(RequiredActions.given))
        monkeypatch.setattr(RequiredActions, "task_state", lambda *_: "awaiting_input")
    answered = answer(browser("uma"), waiting, "approve")
    assert answered.status_code == 409
    assert f"ada has answered it already: {NO}" in answered.text
    assert (chosen(), [who for _, who, _ in audited()]) == ([NO], ["ada"])


def first_time_none(asked: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same question, which has no answer when it is asked for the first time."""
    calls = iter([True])
    return lambda *args: None if next(calls, False) else asked(*args)


@pytest.mark.parametrize("state", [APPROVED, REFUSED])
def test_what_the_task_has_heard_is_not_answered_again(state: str, waiting: str, browser: Browsers) -> None:
    Approvals().answer(waiting, state, "ana", "as agreed", "airflow mkt approvals")
    person = browser("uma")
    page = person.get(f"/approvals/{waiting}").text
    assert f"ana {state} this" in page
    assert "<form" not in page
    answered = answer(person, waiting, "approve")
    assert (answered.status_code, f"It was {state} by ana" in answered.text) == (409, True)
    assert chosen() == []


def test_where_airflow_shows_what_was_asked_earlier(store: Any, browser: Browsers) -> None:
    with kept_run(ONE, "awaiting_input"):
        asks(ASKED)
        ask = asks(CHANGED, shown=ASKED)
        answer(browser("uma"), ask, "approve", code=CHANGED[0].digest)
        assert (chosen(), task_state()) == ([AGAIN], "scheduled")
        [_, row] = Approvals().find()
        assert (row.state, row.answered_by, row.reason, row.source) == (APPROVED, "uma", "prices", "the control room")


@pytest.mark.parametrize("state", ["failed", "up_for_retry", "scheduled"])
def test_a_task_that_waits_for_nobody(state: str, store: Any, browser: Browsers) -> None:
    with kept_run(ONE, state):
        answered = answer(browser("uma"), asks(ASKED), "approve")
        assert (answered.status_code, f"is {state}: it waits for no answer" in answered.text) == (409, True)
        assert (chosen(), standing()) == ([], [(WAITING, "")])


def test_a_task_that_is_gone(store: Any, browser: Browsers) -> None:
    ask = Approvals().ask(ASKED, ASKED[0].digest)
    person = browser("uma")
    assert person.get(f"/approvals/{ask}").status_code == 200
    answered = answer(person, ask, "approve")
    assert (answered.status_code, "is not there any more" in answered.text) == (409, True)
    assert standing() == [(WAITING, "")]


def test_whom_the_task_does_not_ask(waiting: str, browser: Browsers) -> None:
    """Airflow's own rule: a question may be assigned to some people."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(HITLDetail).values(assignees=[{"id": "ana", "name": "ana"}]))
    answered = answer(browser("uma"), waiting, "approve")
    assert (answered.status_code, "is not a respondent" in answered.text) == (409, True)
    assert chosen() == []
