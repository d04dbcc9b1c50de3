# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The file of a SQLite store: its owner's only, and still the same one."""

from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from airflow_provider_mkt.state.errors import StoreError, StoreFailure

log = logging.getLogger(__name__)

OTHERS = stat.S_IRWXO
BESIDE = ("", "-wal", "-shm")
"""What is added to the file's name: SQLite's log and index lie beside it."""


class DatabaseFile:
    """A SQLite file, seen from outside; it is never opened here: closing it would end all locks of this process on it.

    :param path: where it is; None, or a name that is no file's, when there is none
    """

    def __init__(self, path: str | None) -> None:
        in_memory = not path or path == ":memory:" or path.startswith("file:")
        self.path = None if in_memory else path
        self._known: tuple[int, int] | None = None

    def make(self, where: str) -> None:
        """Create the file for its owner only, or close an existing one to others; SQLite's other files get its mode.

        :param where: the store, for messages
        :raises StoreError: when it cannot be made or used, or stays open to everybody
        """
        if self.path is None:
            return
        try:
            with suppress(FileExistsError):
                os.close(os.open(os.path.realpath(self.path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            found = Path(self.path).stat()
        except OSError as error:
            raise StoreError(_failure(error), where, str(error.strerror)) from None
        if not stat.S_ISREG(found.st_mode):
            # A folder or a device must not get the mode of a file either.
            raise StoreError(StoreFailure.MISCONFIGURED, where, "its path is that of something else than a file")
        if not os.access(self.path, os.R_OK | os.W_OK):
            raise StoreError(StoreFailure.READ_ONLY, where)
        if found.st_mode & OTHERS:
            self._close_to_others(where)
        self._known = (found.st_dev, found.st_ino)

    def exists(self) -> bool:
        """Tell whether there is such a file; what is no file counts as there."""
        return self.path is None or Path(self.path).exists()

    def is_still_there(self) -> bool:
        """Tell whether the path still names the file that :meth:`make` found."""
        if self.path is None:
            return True
        try:
            found = os.stat(self.path)  # noqa: PTH116 - before every transaction: half the cost
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._known

    def _close_to_others(self, where: str) -> None:
        try:
            for suffix in BESIDE:
                beside = Path(f"{os.path.realpath(self.path or '')}{suffix}")
                if beside.exists() and not beside.is_symlink():
                    beside.chmod(0o600)
        except OSError:
            raise StoreError(StoreFailure.EXPOSED, where) from None
        log.warning("The shared state store was open to every user of this host (%s); now it is not.", where)


def _failure(error: OSError) -> StoreFailure:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreFailure.READ_ONLY
    return StoreFailure.FULL if error.errno == errno.ENOSPC else StoreFailure.UNREACHABLE
