# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The file of the store is its owner's only, and one that is replaced or deleted is noticed at once."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from tests.unit.state.database.rows import add_budget, add_plainly, count, versions

MakeStore = Callable[..., Store]


def names(connection: Connection) -> list[str]:
    return [row.name for row in connection.execute(text("SELECT name FROM mkt_budget ORDER BY name"))]


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


@pytest.mark.parametrize("plainly", [False, True], ids=["run", "transact"])
def test_a_file_that_is_deleted_while_open_is_made_anew(
    make_store: MakeStore, path: Path, plainly: bool, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_store()
    made.run(lambda connection: add_budget(connection, "old"))
    delete(path)
    with caplog.at_level(logging.WARNING):
        made.transact(lambda execute: add_plainly(execute, "new")) if plainly else made.run(
            lambda connection: add_budget(connection, "new")
        )
    assert made.run(names) == make_store().run(names) == ["new"]
    assert "replaced or deleted" in caplog.text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_that_is_replaced_is_the_one_that_is_used(make_store: MakeStore, path: Path, tmp_path: Path) -> None:
    made = make_store()
    made.run(lambda connection: add_budget(connection, "old"))
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    other.run(lambda connection: add_budget(connection, "restored"))
    other.close()
    delete(path)
    (tmp_path / "other.db").rename(path)
    assert made.run(names) == ["restored"]
    made.run(lambda connection: add_budget(connection, "next"))
    assert make_store().run(names) == ["next", "restored"]


def test_one_that_comes_back_is_used_again(make_store: MakeStore, path: Path) -> None:
    made = make_store(0.05)
    made.run(add_budget)
    made.close()
    path.rename(path.with_name("away"))
    path.mkdir()
    with pytest.raises(StoreError):
        made.run(versions)
    path.rmdir()
    path.with_name("away").rename(path)
    assert made.run(count) == 1


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o664, 0o606])
def test_an_existing_file_is_closed_to_others(
    make_store: MakeStore, path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    make_store().run(add_budget)
    for file in path.parent.glob("state.db*"):
        file.chmod(mode)
    with caplog.at_level(logging.WARNING):
        made = make_store()
        made.run(lambda connection: add_budget(connection, "more"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("state.db*")} == {0o600}
    assert "was open to every user" in caplog.text
    assert made.run(count) == 2


def test_one_that_its_group_shares_stays_so(make_store: MakeStore, path: Path) -> None:
    make_store().run(add_budget)
    path.chmod(0o660)
    make_store().run(versions)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_one_that_cannot_be_closed_is_refused_in_words(
    make_store: MakeStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    path.chmod(0o666)

    def not_ours(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", not_ours)
    with pytest.raises(
        StoreError, match="can be read or written by every user of this host; let its owner run"
    ) as caught:
        make_store().run(versions)
    assert caught.value.failure is StoreFailure.EXPOSED
    assert str(path) in str(caught.value)


def test_one_that_is_emptied_while_open_is_told_and_made_anew(make_store: MakeStore, path: Path) -> None:
    former = make_store()
    former.run(lambda connection: add_budget(connection, "old"))
    former.close()
    made = Store(f"sqlite:///{path}")
    made.run(count)
    os.truncate(path, 0)
    with pytest.raises(StoreError) as caught:
        made.run(count)
    assert caught.value.failure is StoreFailure.DAMAGED
    assert str(path) in str(caught.value)
    made.run(lambda connection: add_budget(connection, "new"))
    assert made.run(names) == ["new"]


@pytest.mark.parametrize("size", [100, 4_096, 12_288])
def test_one_that_is_cut_while_open_is_told_until_it_is_put_back(make_store: MakeStore, path: Path, size: int) -> None:
    former = make_store()
    former.run(lambda connection: add_budget(connection, "old"))
    former.close()
    whole = path.read_bytes()
    made = Store(f"sqlite:///{path}")
    made.run(count)
    os.truncate(path, size)
    for _ in "ab":
        with pytest.raises(StoreError) as caught:
            made.run(count)
        assert caught.value.failure is StoreFailure.DAMAGED
    delete(path)
    path.write_bytes(whole)
    assert made.run(names) == ["old"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_and_keeps_its_mode(
    make_store: MakeStore, path: Path, make: Callable[[Path], None]
) -> None:
    """As root, a chmod of what a link leads to would close a device to everybody."""
    make(path)
    before = path.stat().st_mode
    with pytest.raises(StoreError, match="something else than a file"):
        make_store().run(count)
    assert path.stat().st_mode == before
