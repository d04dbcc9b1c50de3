# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Triggerers share what they read: a waiting task costs the vendor the same on one of them as on five."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Priority
from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.answers import SharedAnswers
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.triggers import answers as answers_module
from airflow_provider_mkt.triggers.answers import Answers, question_of
from airflow_provider_mkt.vendors import flokit
from airflow_provider_mkt.waiting.flinque import ReportWatch
from tests.unit.triggers.streams import triggerer, triggers, until

LIST = flokit.LIST_INTEGRATIONS(priority=Priority.POLL)


def reads(vendors: Sandbox) -> int:
    return len(vendors.requests("flokit"))


def ask(*triggerers: Answers, max_age: float = 60.0, call: Any = LIST) -> list[Any]:
    async def all_at_once() -> list[Any]:
        client = FlokitHook().client
        return [answer for answer, _ in await asyncio.gather(*(each.ask(client, call, max_age) for each in triggerers))]

    return asyncio.run(all_at_once())


def test_what_one_has_read_the_others_take(vendors: Sandbox) -> None:
    first = ask(Answers(SharedAnswers()))
    assert [ask(Answers(SharedAnswers())) for _ in range(4)] == [first] * 4
    assert reads(vendors) == 1


def test_five_that_ask_at_one_moment_ask_once(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "LOOK_AGAIN", 0.01)
    vendors.fault("GET /flokit/v1/integrations", "delay", seconds=0.2)
    found = ask(*(Answers(SharedAnswers()) for _ in range(5)))
    assert found == [found[0]] * 5
    assert reads(vendors) == 1


def test_what_is_older_is_asked_for_again(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "LOOK_AGAIN", 0.01)
    here = Answers(SharedAnswers())
    for _ in range(2):
        ask(here, max_age=0.0)
    time.sleep(0.5)
    ask(here, Answers(SharedAnswers()), max_age=0.4)
    assert reads(vendors) == 3, "each triggerer's own question, and one for both"


def test_the_age_is_that_of_the_question(vendors: Sandbox) -> None:
    vendors.fault("GET /flokit/v1/integrations", "delay", seconds=0.2)

    async def ages() -> list[float]:
        client, found = FlokitHook().client, []
        for each in (Answers(SharedAnswers()), Answers(SharedAnswers())):
            _, asked_at = await each.ask(client, LIST, 60.0)
            found.append(time.monotonic() - asked_at)
        return found

    own, taken = asyncio.run(ages())
    assert own >= 0.2
    assert taken >= 0.2, "not that of the answer"


def test_one_that_fails_lets_the_others_ask(vendors: Sandbox) -> None:
    call = flokit.GET_INTEGRATION(path={"integration_id": "int_nowhere"}, priority=Priority.POLL)
    since = time.monotonic()
    for _ in range(2):
        with pytest.raises(NotFoundError):
            ask(Answers(SharedAnswers()), call=call)
    assert reads(vendors) == 2
    assert time.monotonic() - since < 5, "nobody waited for the end of a lease"


def test_without_the_store_each_asks_for_itself(vendors: Sandbox) -> None:
    tries: list[int] = []

    def away() -> Any:
        tries.append(1)
        raise StoreError(StoreFailure.UNREACHABLE)

    here = Answers(SharedAnswers(away))
    for _ in range(3):
        ask(here, max_age=0.0)
    assert reads(vendors) == 3
    assert len(tries) == 1, "a store that failed is left alone for a while"


def test_launches_are_never_answered_from_memory(vendors: Sandbox) -> None:
    here = Answers(SharedAnswers())
    for _ in range(2):
        vendors.advance(1000)
        ask(here, call=flokit.TRIGGER_SYNC(path={"integration_id": "int_adjust"}))
    assert len(vendors.ledger("flokit", "sync.started")) == 2


def test_questions_differ_by_all_that_is_asked() -> None:
    one = flokit.GET_INTEGRATION(path={"integration_id": "a"})
    other = flokit.GET_INTEGRATION(path={"integration_id": "b"})
    asked = {question_of(each) for each in (LIST, one, other, flokit.LIST_ACTIONS(query={"page": 1}))}
    assert len({*asked, question_of(flokit.LIST_ACTIONS(query={"page": 2}))}) == 5
    assert question_of(flokit.LIST_INTEGRATIONS(priority=Priority.LAUNCH)) == question_of(LIST)


def test_each_task_is_told_as_soon_as_its_page_is_read(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk along fifty pages takes the rate limit half a minute, which is no reason to hold back the first page."""
    ids = [FlinqueHook().generate_report({"type": "campaign"})["id"] for _ in range(250)]
    vendors.advance(700)
    ask, pages, first_page_told = Answers.ask, [], asyncio.Event()

    async def slow(self: Answers, *call: Any) -> Any:
        pages.append(call)
        if len(pages) == 3:
            await asyncio.wait_for(first_page_told.wait(), 20)
        return await ask(self, *call)

    monkeypatch.setattr(Answers, "ask", slow)

    async def wait() -> list[dict[str, Any]]:
        async with triggerer() as running:
            for each in triggers(map(ReportWatch, ids), "flinque_default", 60.0):
                running.run(each)
            await until(lambda: sum(each.done() for each in running.tasks) >= 200)
            first_page_told.set()
            return await running.results()

    assert {each["state"] for each in asyncio.run(wait())} == {"done"}
    assert len(pages) == 3
