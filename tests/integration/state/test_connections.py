# Licensed under the Apache License, Version 2.0; see LICENSE.
"""PostgreSQL's connections belong to others too: none is idle, and being refused one is waited out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.database import pool
from airflow_provider_mkt.state.database.plain import Execute, PostgresTransaction
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.exclusive import ExclusiveLease
from airflow_provider_mkt.state.tokens.shared import Tokens

ROLE = "mkt_guest_of_test"
LIMIT = 4
ONE = ("default",)
LIMITS = {"default": Limit(100, 60.0)}


@pytest.fixture
def admin(clean_postgres: str) -> Iterator[Engine]:
    engine = create_engine(clean_postgres, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def guest(admin: Engine, clean_postgres: str) -> Iterator[URL]:
    """The same database, for a role that may have few connections."""
    url = make_url(clean_postgres)
    with admin.connect() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {ROLE}"))
        connection.execute(text(f"CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT {LIMIT}"))
        connection.execute(text(f"GRANT CREATE, USAGE ON SCHEMA public TO {ROLE}"))
    yield url.set(username=ROLE)
    with admin.connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :role"), {"role": ROLE}
        )
        connection.execute(text(f"DROP OWNED BY {ROLE}"))
        connection.execute(text(f"DROP ROLE {ROLE}"))


def connected(admin: Engine) -> int:
    with admin.connect() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE usename = :role")
        return int(connection.execute(query, {"role": ROLE}).scalar_one())


def until(condition: Callable[[], bool], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_once(number: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_process_gives_its_connection_back_and_gets_another_one(guest: URL, admin: Engine) -> None:
    used = Store(guest)
    for _ in range(2):
        used.run(lambda connection: connection.execute(text("SELECT 1")))
        used.transact(lambda execute: execute("SELECT 1", ()))
        assert connected(admin) == 1
        until(lambda: connected(admin) == 0)


def test_a_connection_is_kept_while_a_process_goes_on_asking(guest: URL, admin: Engine) -> None:
    used, seen = Store(guest), set()

    def backend(connection: Connection) -> None:
        seen.add(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    for _ in range(6):
        used.run(backend)
        time.sleep(pool.IDLE / 4)
    assert len(seen) == 1
    used.close()


def test_one_process_has_few_connections_however_many_threads(guest: URL, admin: Engine) -> None:
    """And none of its threads is refused for that."""
    used, most = Store(guest), []
    used.run(lambda _: None)
    budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used, get_host_store=None)

    def reserve(_: int) -> None:
        budget.reserve(ONE)
        most.append(connected(admin))

    at_once(32, reserve)
    assert max(most) <= pool.MAX_CONNECTIONS
    (use,) = snapshot(used)
    assert use.used + use.queued == 32


def test_a_hundred_processes_on_four_connections_share_one_limit(
    guest: URL, admin: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All begin at the same moment, each with connections of its own. None paces itself alone."""
    monkeypatch.setattr(pool.IdleConnections.__init__, "__defaults__", (0.02,))
    Store(guest).run(lambda _: None)
    stores = [Store(guest) for _ in range(120)]
    waits: list[float] = []

    def reserve(index: int) -> None:
        budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: stores[index], get_host_store=None)
        waits.append(budget.reserve(ONE, longest=120.0))

    at_once(len(stores), reserve)
    assert len(waits) == 120
    assert sum(wait < 30.0 for wait in waits) <= 100
    (use,) = snapshot(stores[0])
    assert use.used + use.queued == 120
    assert "this host keeps to" not in caplog.text
    until(lambda: connected(admin) == 0)


@pytest.fixture
def taken(guest: URL) -> Iterator[Engine]:
    """All of the role's connections, in use by somebody else."""
    Store(guest).run(lambda _: None)
    others = create_engine(guest, pool_size=LIMIT)
    until(lambda: _fills(others))
    yield others
    others.dispose()


def _fills(others: Engine) -> bool:
    try:
        held = [others.connect() for _ in range(LIMIT)]
    except OperationalError:
        return False
    for connection in held:
        connection.close()
    return True


def test_whoever_is_refused_waits_as_long_as_it_may_and_comes_back_later(guest: URL, taken: Engine) -> None:
    used = Store(guest)
    budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used, get_host_store=None)
    begun = time.monotonic()
    with pytest.raises(RateLimitError, match="has no connection left") as caught:
        budget.reserve(ONE, longest=0.5)
    assert time.monotonic() - begun < 5.0
    assert caught.value.retry_after
    threading.Timer(0.3, taken.dispose).start()
    assert budget.reserve(ONE, longest=30.0) < 0.5


def test_a_token_waits_as_well_and_is_fetched_once(guest: URL, taken: Engine) -> None:
    stores, encryptor = [Store(guest) for _ in range(6)], Encryptor("Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmE=")
    calls: list[int] = []

    def fetch() -> Token:
        calls.append(1)
        return Token("access", 3600.0)

    def get(index: int) -> None:
        Tokens(lambda: stores[index], lambda: encryptor, mask=lambda _: None).get("a", fetch)

    threading.Timer(0.3, taken.dispose).start()
    at_once(6, get)
    assert calls == [1]


def test_the_error_says_what_to_do(guest: URL, taken: Engine) -> None:
    with pytest.raises(StoreError, match="give its role more of them") as caught:
        Store(guest).run(lambda _: None, connection_wait=0.2)
    assert caught.value.failure is StoreFailure.BUSY


def test_a_slot_takes_two_round_trips(guest: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    used, sent = Store(guest), []
    send = PostgresTransaction._send
    monkeypatch.setattr(PostgresTransaction, "_send", lambda self: sent.append(send(self)))
    budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used, get_host_store=None)
    budget.reserve(ONE)
    sent.clear()
    for _ in range(10):
        budget.reserve(ONE)
    assert len(sent) == 20
    used.close()


@pytest.mark.parametrize("failing", ["SELECT 1 / 0", "UPDATE mkt_budget SET requests = 1 / 0"])
def test_a_transaction_that_fails_leaves_the_connection_clean(guest: URL, failing: str) -> None:
    """Whether the statement fails by itself, or on its way with the commit."""
    used = Store(guest)
    SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used, get_host_store=None).reserve(ONE)
    for _ in range(pool.MAX_CONNECTIONS + 1):
        with pytest.raises(StoreError, match="division by zero"):
            used.transact(lambda execute: execute(failing, ()))
        with pytest.raises(KeyboardInterrupt):
            used.transact(interrupted)
        used.transact(lambda execute: execute("SELECT 1", ()))
        assert snapshot(used)[0].used == 1
    used.close()


def interrupted(execute: Execute) -> None:
    execute("UPDATE mkt_budget SET slots = ?", (b"",))
    execute("SELECT 1", ())
    raise KeyboardInterrupt


def test_many_take_turns_at_once(guest: URL) -> None:
    """The row of a turn is deleted while others wait for it."""
    used, done = Store(guest), []
    used.run(lambda _: None)

    def work(index: int) -> None:
        for _ in range(3):
            with ExclusiveLease(used, "address"):
                done.append(index)

    at_once(6, work)
    assert len(done) == 18
    used.close()
