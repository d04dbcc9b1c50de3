# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who waits for deliveries is told of them by PostgreSQL, and goes on without that when it is not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from airflow_provider_mkt.state import doorbell
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.inbox import Delivery, Inbox

LONG = 30.0


@pytest.fixture
def inbox(clean_postgres: str) -> Iterator[Inbox]:
    store, encryptor = Store(clean_postgres), Encryptor(Fernet.generate_key().decode())
    inbox = Inbox(lambda: store, lambda: encryptor)
    assert inbox.latest() == 0
    yield inbox
    store.close()


def delivery(number: int) -> Delivery:
    return Delivery("account", "conn", "report.ready", "", f"identity {number}", {"id": number})


def test_it_rings_for_each_delivery_that_is_new(inbox: Inbox) -> None:
    with inbox.doorbell() as bell:
        assert not bell.wait(0.0)
        for number in range(2):
            later = threading.Timer(0.2, inbox.add, [[delivery(number)]])
            later.start()
            begun = time.monotonic()
            assert bell.wait(LONG)
            assert time.monotonic() - begun < LONG / 2
            later.join()
        inbox.add([delivery(1)])
        assert not bell.wait(0.2), "a repetition is no news"


def test_it_rings_in_a_loop(inbox: Inbox) -> None:
    async def waited() -> float:
        with inbox.doorbell() as bell:
            await bell.await_ring(0.0)
            begun = time.monotonic()
            asyncio.get_running_loop().call_later(
                0.2, asyncio.ensure_future, asyncio.to_thread(inbox.add, [delivery(1)])
            )
            await bell.await_ring(LONG)
            took = time.monotonic() - begun
            await bell.await_ring(0.1)
            return took

    assert 0.1 < asyncio.run(waited()) < LONG / 2


def test_it_is_a_pause_while_the_server_is_away(
    inbox: Inbox, clean_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "AGAIN", 0.0)
    admin = create_engine(clean_postgres, isolation_level="AUTOCOMMIT")
    with inbox.doorbell() as bell, admin.connect() as connection:
        assert not bell.wait(0.0)
        listening = "query LIKE 'LISTEN%' AND datname = current_database()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listening}"))
        assert bell.wait(LONG), "that the connection has ended wakes it as well"
        end = time.monotonic() + LONG
        while bell.wait(0.1):
            assert time.monotonic() < end, "it does not listen again"
        inbox.add([delivery(1)])
        assert bell.wait(LONG)
    admin.dispose()


def test_no_connection_is_left(inbox: Inbox, clean_postgres: str) -> None:
    with inbox.doorbell() as bell:
        bell.wait(0.0)
    admin = create_engine(clean_postgres)
    listening = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    )
    with admin.connect() as connection:
        end = time.monotonic() + LONG
        while connection.execute(listening).scalar_one():
            assert time.monotonic() < end
    admin.dispose()
