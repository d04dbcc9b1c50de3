# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where files may be written: into the home that ``~`` names, and never over anything but a regular file.

==============================  ==========================================================
what is there                   what must hold
==============================  ==========================================================
a pipe, socket, device, folder  refused before anything is asked of a vendor; nothing hangs
a link to one of these          the same
a link to a regular file        the link is replaced; what it led to stays as it was
a pipe named like a left-over   left alone; nothing hangs
==============================  ==========================================================
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.files.paths import checked_path


def bound(path: Path) -> None:
    # The name of a socket is short, the path of a test's folder is not.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


ODD: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": bound,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
}


def in_time(work: Callable[[], None]) -> None:
    """Do something that may hang, in a thread that the test outlives."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


def write(path: Path, data: bytes = b"new") -> None:
    with AtomicFile(ObjectStoragePath(str(path))) as file:
        file.write(data)
        file.seal()
        file.commit()


def identity(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced or written; reading it moves its other times."""
    told = os.lstat(path)
    return told.st_dev, told.st_ino, told.st_mode, told.st_size, told.st_mtime_ns


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ODD)
def test_only_regular_files_are_replaced(kind: str, linked: bool, scheme: str, tmp_path: Path) -> None:
    odd, place = tmp_path / kind, tmp_path / "orders.jsonl"
    ODD[kind](odd if linked else place)
    if linked:
        place.symlink_to(odd)
    before = identity(place)
    with pytest.raises(
        ValidationError, match=r"^path: .* is a (pipe|socket|device|folder), not a regular file; name a file"
    ):
        in_time(lambda: checked_path("path", f"{scheme}{place}") and None)
    assert identity(place) == before


def test_a_link_to_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other, place = tmp_path / "other.jsonl", tmp_path / "orders.jsonl"
    other.write_bytes(b"old")
    place.symlink_to(other)
    checked_path("path", str(place))
    write(place)
    assert (other.read_bytes(), place.read_bytes(), place.is_symlink()) == (b"old", b"new", False)


def test_a_link_that_leads_nowhere_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "orders.jsonl"
    place.symlink_to(tmp_path / "nowhere")
    checked_path("path", str(place))
    write(place)
    assert (place.read_bytes(), place.is_symlink()) == (b"new", False)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_only_looks_like_a_left_over_part_does_not_hold_up_an_export(kind: str, tmp_path: Path) -> None:
    part = tmp_path / ".orders.jsonl.0123abcd.part"
    ODD[kind](part)
    in_time(lambda: write(tmp_path / "orders.jsonl"))
    assert sorted(each.name for each in tmp_path.iterdir()) == [part.name, "orders.jsonl"]


@pytest.mark.parametrize("written", ["~/exports/orders.jsonl", "file://~/exports/orders.jsonl"])
def test_a_home_is_expanded(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = checked_path("path", written)
    assert path.path == f"{tmp_path}/exports/orders.jsonl"
    write(Path(path.path))
    assert (tmp_path / "exports" / "orders.jsonl").read_bytes() == b"new"


def test_a_home_of_nobody() -> None:
    with pytest.raises(ValidationError, match=r"path: there is no home directory '~nobody-of-that-name'"):
        checked_path("path", "~nobody-of-that-name/orders.jsonl")


@pytest.mark.parametrize("name", ["a~b.jsonl", "folder/~draft.jsonl"])
def test_other_tildes_are_letters(name: str, tmp_path: Path) -> None:
    assert checked_path("path", f"{tmp_path}/{name}").path == f"{tmp_path}/{name}"
