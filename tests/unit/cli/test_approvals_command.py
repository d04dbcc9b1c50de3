# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt approvals``: what it shows, and how an answer reaches the task.

==================================  ==============================================================================
Airflow                             then
==================================  ==============================================================================
shows what is asked                 the answer goes through its API; Airflow says who gave it
shows what was asked earlier        the answer is in the shared store, and the task is told to look
refuses the answer                  the question waits as before
has no such task any more           nothing is answered
==================================  ==============================================================================
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.cli import approvals_command
from airflow_provider_mkt.cli.airflow_api import AirflowApiError, Instance
from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, VOID, WAITING, Approvals, Asked
from airflow_provider_mkt.submission.question import Question
from tests.unit.state.launches.test_register import launch

REQUEST = json.dumps({"method": "POST", "url": "https://vendor.example/things", "body": {"text": "[b]Hello\u202e"}})
ASKED = [Asked(launch(1, amount=1_450_500, currency="GBP", goes_live="2026-06-08T09:00:00Z"), "a" * 64, REQUEST)]
TWO = [*ASKED, Asked(launch(2, amount=50_000, currency="GBP", what="post"), "b" * 64, REQUEST)]


class Api:
    """Airflow's API, with one task that asks."""

    def __init__(self, options: list[str]) -> None:
        self.shown, self.answers, self.error = options, list[tuple[Instance, str, str]](), None
        self.state = "awaiting_input"

    error: AirflowApiError | None

    def options(self, instance: Instance) -> list[str]:
        return self.shown

    def task_state(self, instance: Instance) -> str:
        return self.state

    def answer(self, instance: Instance, option: str, reason: str) -> None:
        if self.error:
            raise self.error
        self.answers.append((instance, option, reason))


@pytest.fixture(autouse=True)
def _store(tmp_path: Path) -> Iterator[None]:
    with separate_store(f"sqlite:///{tmp_path / 'state.db'}"):
        yield


@pytest.fixture
def ask() -> str:
    return Approvals().ask(ASKED, Question(ASKED).code)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(Question(ASKED).options)
    monkeypatch.setattr(approvals_command, "connect", lambda _: api)
    return api


def states() -> list[str]:
    return [each.state for each in Approvals().find()]


def test_what_waits(run: Callable[..., str]) -> None:
    assert "No data found" in run("approvals", "list")
    name = Approvals().ask(TWO, Question(TWO).code)
    [row] = json.loads(run("approvals", "list", "--output", "json"))
    assert row["ask"] == name[:8]
    assert (row["requests"], row["amount"], row["state"]) == (2, "1,500.50 GBP", WAITING)
    assert (row["what"], row["task"]) == ("campaign for 3 homes and 1 more", "spring.publish")
    Approvals().answer(name, REFUSED, "ana", "too dear", "test")
    assert "No data found" in run("approvals", "list", "--output", "plain")
    [row] = json.loads(run("approvals", "list", "--all", "--output", "json"))
    assert (row["by"], row["reason"]) == ("ana", "too dear")


def test_exactly_what_would_be_sent(run: Callable[..., str], ask: str) -> None:
    [row] = json.loads(run("approvals", "show", ask[:6], "--output", "json"))
    assert row["request"]["body"] == {"text": "[b]Hello\\u202e"}
    assert row["digest"] == "a" * 64
    table = run("approvals", "show", ask)
    assert "[b]Hello" in table
    assert "\u202e" not in table


def test_a_yes_through_airflow(run: Callable[..., str], ask: str, api: Api) -> None:
    assert "Approved: campaign for 3 homes (aaaaaaaaaaaa)" in run("approvals", "approve", ask[:8], "--reason", "fine")
    place = Instance("spring", "r1", "publish", -1)
    assert api.answers == [(place, "Approve aaaaaaaaaaaa", "fine")]
    # Airflow resumes the task, which writes it down.
    assert states() == [WAITING]


def test_a_no_through_airflow(run: Callable[..., str], ask: str, api: Api) -> None:
    with pytest.raises(SystemExit):
        run("approvals", "refuse", ask)  # without a reason
    assert "Refused" in run("approvals", "refuse", ask, "--reason", "too dear")
    assert api.answers[0][1:] == ("Refuse aaaaaaaaaaaa", "too dear")


def test_where_airflow_shows_something_older(run: Callable[..., str], ask: str, api: Api) -> None:
    api.shown = ["Approve 0123456789ab", "Ask again", "Refuse 0123456789ab"]
    run("approvals", "approve", ask, "--reason", "fine")
    assert api.answers[0][1] == "Ask again"
    [row] = Approvals().find()
    assert (row.state, row.answered_by, row.reason) == (APPROVED, getpass.getuser(), "fine")
    assert row.source == "airflow mkt approvals"


@pytest.mark.parametrize("older", [False, True])
def test_an_answer_that_airflow_does_not_take(run: Callable[..., str], ask: str, api: Api, older: bool) -> None:
    api.shown = ["Approve 0123456789ab", "Ask again"] if older else api.shown
    api.error = AirflowApiError("HTTP 403: you may not")
    with pytest.raises(SystemExit, match="HTTP 403: you may not"):
        run("approvals", "approve", ask)
    assert states() == [WAITING]


def test_a_task_that_is_gone(run: Callable[..., str], ask: str, api: Api) -> None:
    api.shown = []
    with pytest.raises(SystemExit, match="The task publish of spring, run r1, is not there any more"):
        run("approvals", "approve", ask)


@pytest.mark.parametrize(("state", "told"), [("failed", "is failed"), ("", "is about to be scheduled")])
def test_a_task_that_waits_for_nobody(run: Callable[..., str], ask: str, api: Api, state: str, told: str) -> None:
    """Airflow would take the answer, and nothing would come of it."""
    api.state = state
    with pytest.raises(SystemExit, match=f"{told}: it waits for no answer"):
        run("approvals", "approve", ask)
    assert (api.answers, states()) == ([], [WAITING])


def test_what_differs_from_what_was_asked_before(run: Callable[..., str], ask: str) -> None:
    assert "differs" not in run("approvals", "show", ask)
    changed = [Asked(launch(1, amount=1_400_000, currency="GBP"), "c" * 64, REQUEST.replace("Hello", "Hullo"))]
    shown = run("approvals", "show", Approvals().ask(changed, Question(changed).code))
    assert "the amount is 1,400.00 GBP, it was 1,450.50 GBP" in shown
    assert "body.text is [b]Hullo" in shown


@pytest.mark.parametrize("state", [APPROVED, REFUSED, VOID])
def test_what_waits_no_more(run: Callable[..., str], ask: str, api: Api, state: str) -> None:
    Approvals().answer(ask, state, "ana", "", "test")
    with pytest.raises(SystemExit, match=f"is {state} by ana; it waits for no answer any more"):
        run("approvals", "approve", ask)
    assert api.answers == []


@pytest.mark.parametrize("given", ["zzz", ""])
def test_no_such_question(run: Callable[..., str], given: str, ask: str) -> None:
    with pytest.raises(SystemExit, match="No question begins with"):
        run("approvals", "show", given)


def test_one_of_several(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [each for name in ("ab1", "ab2") for each in [vars(ASKED[0].launch) | {"ask": name}]]
    monkeypatch.setattr(Approvals, "find", lambda *_, **__: [type("Row", (), row) for row in rows])
    with pytest.raises(SystemExit, match="Several questions begin with 'ab'"):
        run("approvals", "show", "ab")
