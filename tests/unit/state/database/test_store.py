# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The store creates itself, brings its schema forward, and says in words what is wrong with it."""

from __future__ import annotations

import os
import pickle
import socket
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from airflow_provider_mkt.state.database import dialects, migrations
from airflow_provider_mkt.state.database import store as store_module
from airflow_provider_mkt.state.database.plain import Execute
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from tests.unit.state.database.rows import add_budget, add_plainly, count, elsewhere, versions


def test_the_file_is_made_on_first_use_for_its_owner_only(make_store: Callable[..., Store], path: Path) -> None:
    path.parent.chmod(0o755)
    previous = os.umask(0)
    try:
        made = make_store()
        assert not path.exists()
        made.run(add_budget)
        files = sorted(path.parent.iterdir())
    finally:
        os.umask(previous)
    assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


def test_the_schema_is_brought_forward(make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_store()
    old.run(add_budget)
    more = (*migrations.STEPS, ("CREATE TABLE mkt_more (data {bytes})",))
    monkeypatch.setattr(migrations, "STEPS", more)
    monkeypatch.setattr(store_module, "STEPS", more)
    new = make_store()
    assert new.run(versions) == len(more)
    assert new.run(count) == 1
    assert new.run(lambda connection: connection.execute(text("SELECT * FROM mkt_more")).all()) == []


def test_a_step_that_fails_changes_nothing(make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    make_store().run(add_budget)
    broken = (*migrations.STEPS, ("CREATE TABLE mkt_more (data INTEGER)", "CREATE NONSENSE"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", broken)
        patch.setattr(store_module, "STEPS", broken)
        with pytest.raises(StoreError):
            make_store().run(versions)
    assert make_store().run(versions) == len(migrations.STEPS)
    assert make_store().run(count) == 1


def test_a_newer_schema_is_refused(make_store: Callable[..., Store]) -> None:
    make_store().run(lambda connection: connection.execute(text("UPDATE mkt_version SET version = 99")))
    with pytest.raises(StoreError, match="newer version of this provider; upgrade") as caught:
        make_store().run(versions)
    assert caught.value.failure is StoreFailure.NEWER


def test_many_threads_may_start_at_once(make_store: Callable[..., Store]) -> None:
    made, start = make_store(), threading.Barrier(16)
    errors = []

    def use(number: int) -> None:
        start.wait()
        try:
            made.run(lambda connection: add_budget(connection, str(number)))
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert made.run(count) == 16


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_what_fails_is_rolled_back(make_store: Callable[..., Store], error: type[BaseException]) -> None:
    def work(connection: Connection) -> None:
        add_budget(connection)
        raise error

    def plainly(execute: Execute) -> None:
        add_plainly(execute)
        raise error

    made = make_store()
    with pytest.raises(error):
        made.run(work)
    with pytest.raises(error):
        made.transact(plainly)
    assert made.run(count) == 0
    assert make_store(0.05).transact(lambda execute: execute("SELECT count(*) FROM mkt_budget", ())[0][0]) == 0


def test_a_commit_that_fails_holds_no_lock(make_store: Callable[..., Store]) -> None:
    """The last error that SQLite can report; the connection must come back clean for the next transaction."""
    made = make_store(0.05)
    made.run(add_budget)
    deferred = "PRAGMA defer_foreign_keys = ON"
    keys = "CREATE TABLE child (name VARCHAR REFERENCES mkt_budget (name) DEFERRABLE INITIALLY DEFERRED)"
    made.run(lambda connection: connection.exec_driver_sql(keys))
    made.close()
    event.listen(made._engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))

    def orphan(execute: Execute) -> None:
        execute(deferred, ())
        execute("INSERT INTO child VALUES (?)", ("nobody",))

    with pytest.raises(StoreError, match="FOREIGN KEY constraint failed"):
        made.transact(orphan)
    make_store(0.05).run(lambda connection: add_budget(connection, "other"))
    made.transact(lambda execute: add_plainly(execute, "mine"))
    assert made.run(count) == 3


def read_only(path: Path, made: Store) -> None:
    made.close()
    event.listen(made._engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = 1"))


def full(path: Path, made: Store) -> None:
    made.close()
    event.listen(made._engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1"))


def damaged(path: Path, made: Store) -> None:
    made.close()
    path.write_bytes(b"This is not a database. " * 1000)


def emptied(path: Path, made: Store) -> None:
    made.run(lambda connection: connection.execute(text("DROP TABLE mkt_budget")))


def locked(path: Path, made: Store) -> None:
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    made.other = other  # type: ignore[attr-defined] - kept open with the store


def gone(path: Path, made: Store) -> None:
    made.close()
    for file in path.parent.glob("state.db*"):
        file.unlink()
    path.parent.rmdir()


TROUBLES = [
    (read_only, StoreFailure.READ_ONLY, "is read-only; make it writable"),
    (full, StoreFailure.FULL, "has no space left"),
    (damaged, StoreFailure.DAMAGED, "is damaged or not a database"),
    (emptied, StoreFailure.DAMAGED, "is damaged or not a database"),
    (locked, StoreFailure.LOCKED, "was locked for too long"),
    (gone, StoreFailure.UNREACHABLE, "cannot be reached; check"),
]


@pytest.mark.parametrize("plainly", [False, True], ids=["run", "transact"])
@pytest.mark.parametrize(("break_it", "failure", "words"), TROUBLES)
def test_troubles_are_told_in_words(  # noqa: PLR0917
    make_store: Callable[..., Store],
    path: Path,
    break_it: Callable[[Path, Store], None],
    failure: StoreFailure,
    words: str,
    plainly: bool,
) -> None:
    made = make_store(0.05)
    made.run(versions)
    break_it(path, made)
    big = b"x" * 10_000
    with pytest.raises(StoreError, match=words) as caught:
        made.transact(lambda execute: add_plainly(execute, slots=big)) if plainly else made.run(
            lambda connection: add_budget(connection, slots=big)
        )
    assert caught.value.failure is failure
    assert str(path) in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("plainly", [False, True], ids=["run", "transact"])
@pytest.mark.parametrize("freed", [False, True])
def test_a_file_that_is_locked_when_it_is_first_used(
    make_store: Callable[..., Store], path: Path, freed: bool, plainly: bool
) -> None:
    """The switch to WAL is tried for as long as a lock is waited for, and then told in words."""
    made = make_store(5.0 if freed else 0.1)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE theirs (a)")
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.2, other.rollback)
    if freed:
        timer.start()
    with nullcontext() if freed else pytest.raises(StoreError, match="was locked for too long"):
        made.transact(add_plainly) if plainly else made.run(add_budget)
    if freed:
        timer.join()
        assert made.run(count) == 1
    other.close()


def test_the_store_works_again_after_trouble(make_store: Callable[..., Store], path: Path) -> None:
    made = make_store(0.05)
    made.run(versions)
    locked(path, made)
    with pytest.raises(StoreError):
        made.run(add_budget)
    made.other.rollback()  # type: ignore[attr-defined]
    made.run(add_budget)
    assert made.run(count) == 1


def test_a_server_that_is_down_is_told_without_its_password() -> None:
    pytest.importorskip("psycopg2")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg2://airflow:geheim@127.0.0.1:{unused.getsockname()[1]}/db"
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            Store(url).run(versions)
    assert caught.value.failure is StoreFailure.UNREACHABLE
    shown = f"{caught.value} {Store(url)!r} {caught.value.__cause__!r}"
    assert "geheim" not in shown
    assert "127.0.0.1" in shown


def test_a_first_use_that_fails_costs_no_lock(make_store: Callable[..., Store], path: Path) -> None:
    """Closing any descriptor of the file would end this process's locks; then another one removes the log under it."""
    made = make_store(0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="was locked for too long"):
        made.run(add_budget)
    other.rollback()
    other.close()
    made.run(versions)
    assert elsewhere(path) == 0
    made.run(lambda connection: add_budget(connection, "durable"), durable=True)
    assert elsewhere(path) == 1
    assert made.run(count) == 1


def test_a_link_to_a_file_yet_to_be_made(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    made = Store(f"sqlite:///{link}")
    made.run(add_budget)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made.close()


def test_a_server_that_is_silent_is_waited_for_once_by_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would wait for as long as connecting may take, one after the other."""
    pytest.importorskip("psycopg2")
    tried: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(dialects, "CONNECT_PATIENCE", 2)
        made = Store(f"postgresql+psycopg2://airflow@127.0.0.1:{silent.getsockname()[1]}/db", 0.2)
        event.listen(made._engine, "do_connect", lambda *_: tried.append(1))
        failures: list[StoreFailure] = []

        def use() -> None:
            with pytest.raises(StoreError) as caught:
                made.run(versions)
            failures.append(caught.value.failure)

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == [StoreFailure.UNREACHABLE] * 8
    assert len(tried) == 1
