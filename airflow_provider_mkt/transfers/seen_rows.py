# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which rows were seen: in this walk of a list, and in the files before. Kept on disk, so that memory stays bounded."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from airflow_provider_mkt.files.scratch import scratch_database

DIGEST = 12
"""Bytes of a digest. Two of a hundred million ids are alike once in 10¹³ times."""
CACHE_KIB = 6 * 1024
SCHEMA = "CREATE TABLE seen (digest BLOB PRIMARY KEY, at INTEGER NOT NULL, walked INTEGER NOT NULL) WITHOUT ROWID"
UNDATED = 0


class Mark(NamedTuple):
    """A row that is remembered.

    :param digest: of its id
    :param at: its time in whole seconds since 1970; 0 when it has none that can be read
    """

    digest: bytes
    at: int


class Novelty(Enum):
    """Whether a row is new."""

    NEW = "new"
    EARLIER = "earlier"
    """It was remembered from before."""
    AGAIN = "again"
    """This walk has come by it already."""


def digest_of(row: Mapping[str, Any]) -> bytes:
    """Return what a row is recognised by: its ``id``, or everything in it when it has none."""
    name = row.get("id")
    known = isinstance(name, (str, int)) and name != ""
    text = f"id:{name}" if known else json.dumps(row, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def seconds_of(moment: datetime | None) -> int:
    """Return a time in whole seconds, for a :class:`Mark`; 1 for whatever was before 1970."""
    return UNDATED if moment is None else min(max(math.floor(moment.timestamp()), 1), 2**32 - 1)


class Seen:
    """The rows seen so far.

    :param earlier: the rows remembered from before
    """

    def __init__(self, earlier: Iterable[Mark] = ()) -> None:
        self._store = scratch_database(SCHEMA, CACHE_KIB)
        self._store.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, 0)", earlier)

    def add(self, mark: Mark) -> Novelty:
        """Remember a row and say whether it is new."""
        added = self._store.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, 1)", mark)
        if added.rowcount:
            return Novelty.NEW
        first = self._store.execute("UPDATE seen SET walked = 1 WHERE digest = ? AND walked = 0", mark[:1])
        return Novelty.EARLIER if first.rowcount else Novelty.AGAIN

    def dated(self, since: int, most: int) -> list[Mark]:
        """Return the rows from a second on, the newest first."""
        where = "at >= ? ORDER BY at DESC LIMIT ?"
        return self._marks(where, max(since, 1), most)

    def undated(self, most: int) -> list[Mark]:
        """Return rows whose time cannot be read, those of this walk before all others."""
        return self._marks("at = ? ORDER BY walked DESC LIMIT ?", UNDATED, most)

    def _marks(self, where: str, *values: int) -> list[Mark]:
        with closing(self._store.execute(f"SELECT digest, at FROM seen WHERE {where}", values)) as found:  # noqa: S608
            return [Mark(*row) for row in found]

    def close(self) -> None:
        """Forget everything."""
        self._store.close()
