# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The table of answers: who asks, who waits, and what is kept."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.state import answers as module
from airflow_provider_mkt.state.answers import LEASE, Shared, SharedAnswers, Wait
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from tests.unit.state.conftest import Clock

KEY = Fernet.generate_key().decode()
ROWS = [{"id": "a", "note": "somebody@example.com"}]


@pytest.fixture
def shared(store: Store) -> SharedAnswers:
    return SharedAnswers(lambda: store, lambda: Encryptor(KEY))


def count(store: Store) -> int:
    return store.run(lambda connection: int(connection.execute(text("SELECT count(*) FROM mkt_answer")).scalar_one()))


def test_the_first_one_asks_and_the_others_wait(shared: SharedAnswers, clock: Clock) -> None:
    assert shared.take("a", "q", 60.0) is None
    waiting = shared.take("a", "q", 60.0)
    assert isinstance(waiting, Wait)
    assert waiting.seconds == pytest.approx(LEASE, abs=0.01)
    shared.keep("a", "q", ROWS, 2.0)
    found = shared.take("a", "q", 60.0)
    assert isinstance(found, Shared)
    assert found.answer == ROWS
    assert found.age == pytest.approx(2.0, abs=0.01)


def test_an_answer_grows_old(shared: SharedAnswers, clock: Clock) -> None:
    shared.keep("a", "q", ROWS, 0.0)
    clock.sleep(59)
    assert isinstance(shared.take("a", "q", 60.0), Shared)
    assert isinstance(shared.take("a", "q", 300.0), Shared)
    clock.sleep(2)
    assert shared.take("a", "q", 60.0) is None
    assert isinstance(shared.take("a", "q", 60.0), Wait)
    assert isinstance(shared.take("a", "q", 300.0), Shared), "for one who takes older answers it still does"


def test_one_that_dies_is_replaced(shared: SharedAnswers, clock: Clock) -> None:
    assert shared.take("a", "q", 60.0) is None
    clock.sleep(LEASE + 1)
    assert shared.take("a", "q", 60.0) is None


def test_one_that_gives_up_is_replaced_at_once(shared: SharedAnswers) -> None:
    assert shared.take("a", "q", 60.0) is None
    shared.free("a", "q")
    assert shared.take("a", "q", 60.0) is None


def test_accounts_and_questions_are_apart(shared: SharedAnswers) -> None:
    shared.keep("a", "q", ROWS, 0.0)
    assert shared.take("b", "q", 60.0) is None
    assert shared.take("a", "r", 60.0) is None


def test_null_is_an_answer(shared: SharedAnswers) -> None:
    shared.keep("a", "q", None, 0.0)
    found = shared.take("a", "q", 60.0)
    assert isinstance(found, Shared)
    assert found.answer is None


def test_answers_are_encrypted(shared: SharedAnswers, store: Store) -> None:
    shared.keep("a", "q", ROWS, 0.0)
    stored = store.run(lambda connection: connection.execute(text("SELECT answer FROM mkt_answer")).scalar_one())
    assert "somebody" not in stored
    assert "somebody" in Encryptor(KEY).decrypt(stored) or stored.startswith("gAAAA")


def test_another_key_makes_no_answer(shared: SharedAnswers, store: Store) -> None:
    shared.keep("a", "q", ROWS, 0.0)
    other = SharedAnswers(lambda: store, lambda: Encryptor(Fernet.generate_key().decode()))
    assert other.take("a", "q", 60.0) is None


def test_old_answers_are_dropped(shared: SharedAnswers, store: Store, clock: Clock) -> None:
    shared.keep("a", "q", ROWS, 0.0)
    clock.sleep(HOUR + 1)
    SharedAnswers(lambda: store, lambda: Encryptor(KEY)).keep("a", "r", ROWS, 0.0)
    assert count(store) == 1


def test_a_huge_answer_is_not_shared(
    shared: SharedAnswers, store: Store, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(module, "MAX_LENGTH", 100)
    assert shared.take("a", "q", 60.0) is None
    shared.keep("a", "q", ROWS, 0.0)
    assert shared.take("a", "q", 60.0) is None
