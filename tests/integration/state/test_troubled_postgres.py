# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a task does while PostgreSQL is in failure: requests go on slowly, tokens that can be fetched again are fetched,
no single-use refresh token is spent, nothing hangs; and when the failure is over, all is as before."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets import shared as budget_module
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.database import dialects
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens import rotation
from airflow_provider_mkt.state.tokens.shared import Tokens

PATIENCE = 0.5
LIMITS = {"default": Limit(100, 60.0)}
ONE = ("default",)


class Proxy:
    """Stands between the store and PostgreSQL, and can refuse connections, or take everything and answer nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._stalled = threading.Event()
        self._open: list[socket.socket] = []
        self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._stalled.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def down(self) -> Iterator[None]:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        yield
        self._listen(self.port)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        self._stalled.set()
        yield
        self._stalled.clear()
        self.cut()

    def cut(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()


@pytest.fixture
def admin(clean_postgres: str) -> Iterator[Engine]:
    engine = create_engine(clean_postgres, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def proxy(clean_postgres: str) -> Iterator[Proxy]:
    url = make_url(clean_postgres)
    proxy = Proxy(url.host or "127.0.0.1", url.port or 5432)
    yield proxy
    proxy.cut()


@pytest.fixture
def used(clean_postgres: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(dialects, "CONNECT_PATIENCE", 1)
    store = Store(make_url(clean_postgres).set(host="127.0.0.1", port=proxy.port), PATIENCE)
    yield store
    store.close()


@contextmanager
def locked(admin: Engine) -> Iterator[None]:
    with admin.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
        connection.execute(text("LOCK TABLE mkt_budget, mkt_token IN ACCESS EXCLUSIVE MODE"))
        yield


@contextmanager
def set_for_new_connections(admin: Engine, setting: str) -> Iterator[None]:
    with admin.connect() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET {setting} = on"))
        end_connections(admin)
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} RESET {setting}"))
            end_connections(admin)


@contextmanager
def full(admin: Engine) -> Iterator[None]:
    """PostgreSQL's own error, raised where a full disk would raise it."""
    body = "BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"))
        for table in ("mkt_budget", "mkt_token"):
            when = f"BEFORE INSERT OR UPDATE ON {table}"
            connection.execute(text(f"CREATE TRIGGER full_{table} {when} EXECUTE FUNCTION full_disk()"))
        yield
        connection.execute(text("DROP FUNCTION full_disk CASCADE"))


def end_connections(admin: Engine) -> None:
    """What a restart of the server does to those who are connected."""
    ours = "datname = current_database() AND application_name = 'airflow-provider-mkt'"
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"
    with admin.connect() as connection:
        connection.execute(text(others))


Break = Callable[[Engine, Proxy], AbstractContextManager[None]]
TROUBLES: dict[str, tuple[Break, StoreFailure]] = {
    "down": (lambda admin, proxy: proxy.down(), StoreFailure.UNREACHABLE),
    "slow": (lambda admin, proxy: proxy.stalled(), StoreFailure.UNREACHABLE),
    "locked": (lambda admin, proxy: locked(admin), StoreFailure.LOCKED),
    "read-only": (
        lambda admin, proxy: set_for_new_connections(admin, "default_transaction_read_only"),
        StoreFailure.READ_ONLY,
    ),
    "full": (lambda admin, proxy: full(admin), StoreFailure.FULL),
}


@pytest.mark.proof
@pytest.mark.parametrize("name", TROUBLES)
def test_what_a_task_does(  # noqa: PLR0917
    admin: Engine,
    proxy: Proxy,
    used: Store,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(budget_module, "ASK_AGAIN", 0.3)
    break_it, failure = TROUBLES[name]
    budget = SharedBudget(("v", "http://v", name), LIMITS, 1.0, lambda: used)
    encryptor = Encryptor(Fernet.generate_key().decode())
    tokens = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
    calls: list[str] = []

    def refresh(refresh_token: str) -> Token:
        calls.append(refresh_token)
        return Token("access", 3600.0, "next")

    assert budget.reserve(ONE) < 0.1
    with break_it(admin, proxy):
        begun = time.monotonic()
        assert budget.reserve(ONE) == 0.0
        assert budget.reserve(ONE) > 1.0
        assert tokens.get("a", lambda: Token("fetched", 3600.0)) == "fetched"
        with pytest.raises(StoreError) as caught:
            tokens.get_rotating("b", "seed", refresh)
        assert time.monotonic() - begun < 20.0
    assert caught.value.failure is failure
    assert failure.value in caplog.text
    assert calls == []
    deadline = time.monotonic() + 60.0
    while budget.reserve(ONE) > 0.5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert snapshot(used)[0].used >= 3
    assert tokens.get_rotating("b", "seed", refresh) == "access"


def test_a_restart_in_the_middle_is_not_even_noticed(
    admin: Engine, clean_postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    used = Store(clean_postgres)
    budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used)
    encryptor = Encryptor(Fernet.generate_key().decode())
    tokens = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
    for number in range(5):
        budget.reserve(ONE)
        tokens.get(f"account {number}", lambda: Token("t", 3600.0))
        end_connections(admin)
    assert snapshot(used)[0].used == 5
    assert caplog.text == ""
    used.close()


def test_a_restart_between_the_call_and_the_commit(admin: Engine, used: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "SAVE_PATIENCE", 10.0)
    encryptor = Encryptor(Fernet.generate_key().decode())

    def refresh(refresh_token: str) -> Token:
        with admin.connect() as connection:
            connection.execute(text("ALTER TABLE mkt_token RENAME TO mkt_away"))
        threading.Timer(1.0, come_back).start()
        return Token(f"after {refresh_token}", 3600.0, "next")

    def come_back() -> None:
        end_connections(admin)
        with admin.connect() as connection:
            connection.execute(text("ALTER TABLE mkt_away RENAME TO mkt_token"))

    first = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
    assert first.get_rotating("a", "seed", refresh) == "after seed"
    second = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
    assert second.get_rotating("a", "seed", refresh) == "after seed"


POOLER = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {free}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
"""
"""As Airflow's Helm chart sets it up, without passwords: a session of the server serves whoever is next."""


@pytest.fixture
def pooled(clean_postgres: str, tmp_path: Path) -> Iterator[str]:
    """The same database, by way of a pgbouncer."""
    if (pgbouncer := shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        pytest.skip("no pgbouncer; install one: apt-get install pgbouncer")
    url = make_url(clean_postgres)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        free = unused.getsockname()[1]
    server = f"host={url.host} port={url.port or 5432} user={url.username}"
    server += f" password='{url.password}'" if url.password else ""
    (tmp_path / "pgbouncer.ini").write_text(POOLER.format(server=server, free=free), encoding="utf-8")
    # It refuses to run as root.
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([pgbouncer, "-q", *as_nobody, str(tmp_path / "pgbouncer.ini")])
    try:
        deadline = time.monotonic() + 60.0
        while not listens(free):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url.set(host="127.0.0.1", port=free).render_as_string(hide_password=False)
    finally:
        process.kill()
        process.wait(60)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_through_a_pooler_that_shares_sessions(pooled: str) -> None:
    stores = [Store(pooled) for _ in range(8)]
    encryptor = Encryptor(Fernet.generate_key().decode())
    calls: list[str] = []

    def refresh(refresh_token: str) -> Token:
        calls.append(refresh_token)
        return Token("access", 3600.0, "next")

    def use(used: Store) -> None:
        tokens = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
        budget = SharedBudget(("v", "http://v", "k"), LIMITS, 1.0, lambda: used)
        for _ in range(5):
            budget.reserve(ONE)
        assert tokens.get_rotating("a", "seed", refresh) == "access"

    threads = [threading.Thread(target=use, args=(used,)) for used in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    use_of = snapshot(stores[0])[0]
    assert use_of.used + use_of.queued == 40
    assert calls == ["seed"]
    for used in stores:
        used.close()


@pytest.mark.parametrize("by_way_of", ["clean_postgres", "pooled"])
def test_the_settings_hold_in_every_transaction_and_no_longer(request: pytest.FixtureRequest, by_way_of: str) -> None:
    used = Store(request.getfixturevalue(by_way_of), PATIENCE)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")

    def shown(connection: Connection) -> list[str]:
        return [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]

    for _ in range(3):
        assert used.run(shown) == ["500ms", "500ms", "1s", "off"]
        assert used.run(shown, durable=True) == ["500ms", "500ms", "1s", "on"]
        with used._engine.connect() as another:
            assert shown(another)[:3] == ["0", "0", "0"]
    with pytest.raises(StoreError) as caught:
        used.run(lambda connection: connection.execute(text("SELECT pg_sleep(5)")))
    assert caught.value.failure is StoreFailure.LOCKED
    used.close()
