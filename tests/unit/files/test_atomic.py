# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files appear whole or not at all, wherever they are."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import store as airflow_stores
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from airflow_provider_mkt.files import atomic
from airflow_provider_mkt.files.atomic import AtomicFile, NotWrittenError, size_of

PART = 300_000


class Upload(AbstractBufferedFile):
    """An upload in parts that counts when it is completed, as that of S3."""

    def _initiate_upload(self) -> None:
        self.parts: list[bytes] = []
        self.fs.uploads.append(self)

    def _upload_chunk(self, final: bool = False) -> bool:
        if self.fs.full:
            raise OSError(28, "No space left on device")
        self.parts.append(self.buffer.getvalue())
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self) -> None:
        self.fs.objects[self.path] = b"".join(self.parts)
        self.fs.uploads.remove(self)

    def discard(self) -> None:
        if self in self.fs.uploads:
            self.fs.uploads.remove(self)


class ObjectStore(AbstractFileSystem):
    """A store of objects that appear when their upload is completed."""

    protocol = "s3"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.uploads: list[Upload] = []
        self.full = False

    def _open(self, path: str, mode: str = "rb", block_size: Any = None, autocommit: bool = True, **_: Any) -> Any:
        if mode == "rb":
            return io.BytesIO(self.objects[path])
        return Upload(self, path, mode, block_size, autocommit=autocommit)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return {"name": path, "size": len(self.objects[path]), "type": "file"}


@pytest.fixture(params=["local", "s3", "memory"])
def path(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStoragePath]:
    monkeypatch.setattr(atomic, "BLOCK", PART)
    monkeypatch.setattr(airflow_stores, "_STORE_CACHE", {})
    MemoryFileSystem.store.clear()
    airflow_stores.attach("memory", fs=MemoryFileSystem())
    airflow_stores.attach("s3", fs=ObjectStore())
    places = {
        "local": f"{tmp_path}/new/folder/a.jsonl",
        "s3": "s3://bucket/folder/a.jsonl",
        "memory": "memory://folder/a.jsonl",
    }
    yield ObjectStoragePath(places[request.param])
    MemoryFileSystem.store.clear()


def content(path: ObjectStoragePath) -> bytes:
    with path.fs.open(path.path, "rb") as file:
        found: bytes = file.read()
    return found


def everything(path: ObjectStoragePath) -> set[str]:
    """Return all names beside ``path``, and what an object store keeps of unfinished uploads."""
    if isinstance(path.fs, ObjectStore):
        return {*path.fs.objects, *(f"unfinished {upload.path}" for upload in path.fs.uploads)}
    folder = path.path.rpartition("/")[0]
    return {str(name).rpartition("/")[2] for name in path.fs.ls(folder, detail=False)}


def written(path: ObjectStoragePath, data: bytes) -> None:
    with AtomicFile(path) as file:
        for at in range(0, len(data), 65_536):
            file.write(data[at : at + 65_536])
        assert size_of(path) is None
        file.seal()
        assert size_of(path) is None
        file.commit()
        assert file.size == len(data)


@pytest.mark.parametrize("size", [0, 1, PART, 10 * PART + 1])
def test_appears_when_it_is_committed(size: int, path: ObjectStoragePath) -> None:
    data = os.urandom(size)
    written(path, data)
    assert size_of(path) == size
    assert content(path) == data
    assert len(everything(path)) == 1


def test_it_is_on_the_disk_before_it_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut there is the whole file, or none; its name is on the disk as well before a task goes on."""
    path, real = tmp_path / "orders.jsonl", os.fsync
    stored: list[tuple[str, bool]] = []

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        stored.append(("folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes", path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    written(ObjectStoragePath(str(path)), b"rows")
    assert stored == [("4 bytes", False), ("folder", True)]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("size", [0, 1, 10 * PART])
def test_the_old_file_stays_when_something_goes_wrong(size: int, sealed: bool, path: ObjectStoragePath) -> None:
    written(path, b"old")
    with contextlib.suppress(RuntimeError), AtomicFile(path) as file:
        file.write(b"x" * size)
        if sealed:
            file.seal()
        raise RuntimeError
    assert content(path) == b"old"
    assert len(everything(path)) == 1


def test_the_new_file_replaces_the_old_one(path: ObjectStoragePath) -> None:
    written(path, b"old" * 1000)
    with AtomicFile(path) as file:
        file.write(b"new")
        file.seal()
        assert content(path) == b"old" * 1000
        file.commit()
    assert content(path) == b"new"
    assert len(everything(path)) == 1


def test_a_local_file_is_its_owners(tmp_path: Path) -> None:
    place = tmp_path / "a.jsonl"
    written(ObjectStoragePath(str(place)), b"personal")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


KILLED = """
import os, signal, sys
from airflow.sdk import ObjectStoragePath
from airflow_provider_mkt.files.atomic import AtomicFile

with AtomicFile(ObjectStoragePath(sys.argv[1])) as file:
    file.write(b"new" * 500_000)
    if sys.argv[2] == "sealed":
        file.seal()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.proof
@pytest.mark.parametrize("step", ["written", "sealed"])
def test_kill_9(step: str, tmp_path: Path) -> None:
    place = tmp_path / "a.jsonl"
    place.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(place), step], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert place.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    with AtomicFile(ObjectStoragePath(str(place))) as file:
        file.write(b"newer")
        file.seal()
        file.commit()
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]
    assert place.read_bytes() == b"newer"


FULL = """
import resource, signal, sys
from airflow.sdk import ObjectStoragePath
from airflow_provider_mkt.files.atomic import NotWrittenError, AtomicFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    with AtomicFile(ObjectStoragePath(sys.argv[1])) as file:
        for _ in range(100):
            file.write(b"x" * 65_536)
        file.seal()
        file.commit()
except NotWrittenError as error:
    print(error)
"""


@pytest.mark.proof
def test_a_file_that_the_system_refuses_to_grow(tmp_path: Path) -> None:
    place = tmp_path / "a.jsonl"
    place.write_bytes(b"old")
    ran = subprocess.run([sys.executable, "-c", FULL, str(place)], check=True, capture_output=True, text=True)
    assert f"Cannot write {place}: File too large. Check the path" in ran.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]
    assert place.read_bytes() == b"old"


def overfill(path: ObjectStoragePath) -> None:
    with AtomicFile(path) as file:
        file.write(b"x" * 10 * PART)


@pytest.mark.parametrize("path", ["s3"], indirect=True)
def test_a_full_store(path: ObjectStoragePath) -> None:
    written(path, b"old")
    path.fs.full = True
    with pytest.raises(NotWrittenError, match=r"No space left on device.*Make room there, then retry"):
        overfill(path)
    path.fs.full = False
    assert content(path) == b"old"
    assert len(everything(path)) == 1


def test_a_place_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWrittenError, match="Check the path and the permissions"):
        AtomicFile(ObjectStoragePath(str(tmp_path / "file" / "a.jsonl")))


@pytest.mark.parametrize("path", ["memory"], indirect=True)
def test_left_over_parts_of_a_store_that_cannot_commit(path: ObjectStoragePath) -> None:
    path.fs.pipe("/folder/.a.jsonl.0123abcd.part", b"half")
    path.fs.store["/folder/.a.jsonl.0123abcd.part"].modified -= atomic.ABANDONED
    path.fs.pipe("/folder/.a.jsonl.4567abcd.part", b"of a task that goes on")
    path.fs.pipe("/folder/.b.jsonl.0123abcd.part", b"another's")
    written(path, b"new")
    assert everything(path) == {"a.jsonl", ".a.jsonl.4567abcd.part", ".b.jsonl.0123abcd.part"}


@pytest.mark.slow
def test_storage_is_loaded_only_when_it_is_used() -> None:
    script = """
        import sys
        import airflow.sdk
        import airflow_provider_mkt.transfers.flinque
        import airflow_provider_mkt.transfers.flodesk.export
        print([name for name in ("pyarrow", "requests", "numpy") if name in sys.modules])
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("sealed", [False, True])
def test_two_tasks_with_the_same_path_leave_each_other_alone(sealed: bool, tmp_path: Path) -> None:
    path = ObjectStoragePath(str(tmp_path / "a.jsonl"))
    with AtomicFile(path) as slow:
        slow.write(b"slow")
        if sealed:
            slow.seal()
        written(path, b"fast")
        if not sealed:
            slow.seal()
        slow.commit()
    assert content(path) == b"slow"
    assert everything(path) == {"a.jsonl"}


class QuotaError(Exception):
    """What a storage's own library raises."""


@pytest.mark.parametrize("path", ["memory"], indirect=True)
def test_errors_of_a_storages_own(path: ObjectStoragePath, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise QuotaError("https://store/?sig=planted-secret")

    monkeypatch.setattr(atomic._Moved, "seal", refuse)
    with pytest.raises(NotWrittenError, match=r"Cannot write .*: QuotaError\.") as caught, AtomicFile(path) as file:
        file.seal()
    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["memory"], indirect=True)
def test_a_part_that_cannot_be_removed(
    path: ObjectStoragePath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "denied")

    def commit_where_nothing_can_be_removed() -> None:
        with AtomicFile(path) as file:
            file.seal()
            monkeypatch.setattr(MemoryFileSystem, "rm", refuse)
            monkeypatch.setattr(MemoryFileSystem, "rm_file", refuse)
            file.commit()

    with pytest.raises(NotWrittenError, match=r"denied\. Whether the file has appeared is not known"):
        commit_where_nothing_can_be_removed()
    assert "An unfinished part of" in caplog.text
