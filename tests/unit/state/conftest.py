# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import URL, event

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor


class Clock:
    """The database's clock and the process's, set by hand. SQLite is made to read it in place of its own."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run_in(self, store: Store) -> None:
        day = lambda _: self.now / 86400.0 + 2440587.5  # noqa: E731
        event.listen(store._engine, "connect", lambda connection, _: connection.create_function("julianday", 1, day))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def make_store(path: Path) -> Iterator[Callable[..., Store]]:
    made = []

    def make(patience: float = 5.0) -> Store:
        made.append(Store(URL.create("sqlite", database=str(path)), patience))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store], clock: Clock) -> Store:
    """A store that goes by the clock of the test."""
    store = make_store()
    clock.run_in(store)
    return store


@pytest.fixture
def encryptor() -> Encryptor:
    return Encryptor(Fernet.generate_key().decode())
