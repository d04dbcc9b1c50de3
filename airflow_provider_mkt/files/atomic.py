# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files that appear whole or not at all: on a local disk, in an object store, on whatever fsspec can write to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.files.paths import LOCAL

if TYPE_CHECKING:
    from types import TracebackType

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

BLOCK = 8 * 1024 * 1024
"""Bytes that an upload holds in memory; S3 takes parts of 5 MiB or more, and 10,000 of them."""
COMMITTING = frozenset({"s3", "s3a", "gs", "gcs"})
"""Stores whose uploads stay invisible until they are completed."""
OWNER_ONLY = 0o600
"""Exports may hold personal data, and folders for them are often shared."""
BUFFER = 256 * 1024
ABANDONED = timedelta(days=1)
"""Age at which a hidden object counts as left over: other stores than disks cannot tell who is still writing."""


class NotWrittenError(AirflowException):
    """A file could not be written. Unless the message says otherwise, what was there before is still there."""


def size_of(path: ObjectStoragePath) -> int | None:
    """Return the size of the file at ``path`` in bytes, None when there is none.

    :raises NotWrittenError: when the storage cannot be asked
    """
    with _explained(path, "look for"):
        path.fs.invalidate_cache()
        try:
            found = path.fs.info(path.path)
        except FileNotFoundError:
            return None
    return int(found.get("size") or 0)


class _Place(Protocol):
    """Where the bytes go until the file appears."""

    def write(self, data: bytes) -> Any: ...

    def seal(self) -> None: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...


class AtomicFile:
    """A file that is written in one go and appears at once, replacing what was there.

    ``seal`` ends the writing: all bytes are stored, and the file is still invisible. ``commit`` makes it appear.
    Leaving the ``with`` block without it throws the bytes away.

    :param path: where it will be

    ``size`` is how many bytes were written.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self.path = path
        self.size = 0
        self.closed = False
        self._committed = False
        with _explained(path):
            self._place = _place_for(path)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._committed:
            try:
                self._place.discard()
            except Exception as problem:  # noqa: BLE001 - the error that led here matters more
                log.warning("An unfinished part of %s may be left there (%s).", self.path, type(problem).__name__)

    def write(self, data: Any) -> int:
        """Write bytes and return how many.

        :raises NotWrittenError: when they cannot be stored
        """
        with _explained(self.path):
            self._place.write(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing; ``seal`` does."""

    def seal(self) -> None:
        """Store everything, still invisibly.

        :raises NotWrittenError: when that is not possible
        """
        with _explained(self.path):
            self._place.seal()
        self.closed = True

    def commit(self) -> None:
        """Let the file appear.

        :raises NotWrittenError: when that is not possible
        """
        with _explained(self.path, outcome="Whether the file has appeared is not known."):
            self._place.commit()
        self._committed = True


@contextmanager
def _explained(path: ObjectStoragePath, what: str = "write", outcome: str = "") -> Iterator[None]:
    try:
        yield
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001 - only calls of a storage are in here, and each has errors of its own
        number = error.errno if isinstance(error, OSError) else None
        full = number in {errno.ENOSPC, errno.EDQUOT}
        hint = "Make room there, then retry." if full else "Check the path and the permissions of its connection."
        message = " ".join(filter(None, [f"Cannot {what} {path}: {_reason(error)}.", outcome, hint]))
    else:
        return
    raise NotWrittenError(message) from None


def _reason(error: Exception) -> str:
    """Return what a storage says; not all it says, as it may quote signed addresses."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__


def _place_for(path: ObjectStoragePath) -> _Place:
    if path.protocol in LOCAL:
        return _Local(Path(path.path).absolute())
    return _Upload(path.fs, path.path) if path.protocol in COMMITTING else _Moved(path.fs, path.path)


def _unfinished(name: str) -> str:
    return f".{name}.{secrets.token_hex(4)}.part"


def _is_left_over(name: str, of: str) -> bool:
    """Say whether ``name`` is what a killed task left of the file ``of``."""
    return name.startswith(f".{of}.") and name.endswith(".part") and len(name) == len(of) + 15


class _Local:
    """A hidden file beside the final one, renamed when it is complete and on the disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.iterdir():
            if _is_left_over(other.name, path.name) and _is_unlocked(other):
                other.unlink(missing_ok=True)
        self._path, self._part = path, path.with_name(_unfinished(path.name))
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb", buffering=BUFFER)
        # The lock ends with the process, however that ends. Not every network disk has locks.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.write = self._file.write

    def seal(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def commit(self) -> None:
        self._part.replace(self._path)
        self._file.close()
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        self._part.unlink(missing_ok=True)
        # It tries to write what is left, once more.
        with contextlib.suppress(OSError):
            self._file.close()


def _is_unlocked(part: Path) -> bool:
    """Say whether a part is a regular file that no living task writes. What else may have such a name is not opened."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False
    finally:
        os.close(descriptor)


class _Upload:
    """An upload that the store keeps to itself until it is completed."""

    def __init__(self, fs: Any, path: str) -> None:
        self._file = fs.open(path, "wb", block_size=BLOCK, autocommit=False)
        # fsspec notes the file for a transaction of the whole filesystem, which nobody here ends.
        with contextlib.suppress(AttributeError, ValueError):
            fs.transaction.files.remove(self._file)
        self.write = self._file.write

    def seal(self) -> None:
        self._file.close()

    def commit(self) -> None:
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()
        # Closing it would send the rest.
        self._file.closed = True


class _Moved:
    """A hidden object beside the final one, moved when it is complete: for stores that have nothing better."""

    def __init__(self, fs: Any, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._fs, self._path, self._part = fs, path, f"{folder}/{_unfinished(name)}"
        if folder:
            fs.makedirs(folder, exist_ok=True)
            for other in fs.ls(folder, detail=False):
                if _is_left_over(str(other).rpartition("/")[2], name) and _is_abandoned(fs, other):
                    fs.rm_file(other)
        self._file = fs.open(self._part, "wb", block_size=BLOCK)
        self.write = self._file.write

    def seal(self) -> None:
        self._file.close()

    def commit(self) -> None:
        self._fs.mv(self._part, self._path)

    def discard(self) -> None:
        with contextlib.suppress(Exception):
            self._file.close()
        self._fs.rm_file(self._part)


def _is_abandoned(fs: Any, part: str) -> bool:
    try:
        modified: datetime = fs.modified(part)
    except (NotImplementedError, OSError):
        return False
    aware = modified if modified.tzinfo else modified.replace(tzinfo=timezone.utc)
    return datetime.now(timezone.utc) - aware > ABANDONED
