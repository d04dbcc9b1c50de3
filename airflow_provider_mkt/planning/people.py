# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An audience of any size: each person once, in the order in which they came, in little memory.

People are kept in a temporary SQLite database. It stays in memory while it is small. SQLite moves the rest to a file
that only this process can reach: it has no name in its folder (``SQLITE_TMPDIR``, ``TMPDIR`` or ``/var/tmp``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

from airflow_provider_mkt.files.scratch import scratch_database

CACHE = 8 * 1024
"""KiB that SQLite keeps in memory."""
SCHEMA = "CREATE TABLE people (number INTEGER PRIMARY KEY, key TEXT UNIQUE, place TEXT, body TEXT)"


class Person(NamedTuple):
    """Somebody of an audience.

    :param place: where they were named last, such as ``buyers.csv, line 7``
    :param body: the upsert
    """

    place: str
    body: dict[str, Any]


class People:
    """The people of one audience; a context manager.

    People are told apart by address without regard to case, or by id, where case counts. Who is named again
    gets the later values; custom fields and segments add up.
    """

    def __init__(self) -> None:
        self._base = scratch_database(SCHEMA, CACHE)

    def __enter__(self) -> People:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def add(
        self, place: str, body: dict[str, Any], check: Callable[[dict[str, Any]], object] = lambda _: None
    ) -> dict[str, Any]:
        """Take somebody in, and return the upsert of all that was said about them.

        :param place: where they are named, for messages
        :param body: the checked upsert
        :param check: is given that upsert; when it raises, everything stays as it was
        """
        key = identity(body)
        known = self._base.execute("SELECT number, body FROM people WHERE key = ?", (key,)).fetchone()
        whole = body if known is None else merged(json.loads(known[1]), body)
        check(whole)
        if known is None:
            self._base.execute("INSERT INTO people (key, place, body) VALUES (?, ?, ?)", (key, place, json.dumps(body)))
        else:
            self._base.execute(
                "UPDATE people SET place = ?, body = ? WHERE number = ?", (place, json.dumps(whole), known[0])
            )
        return whole

    def __len__(self) -> int:
        count: int = self._base.execute("SELECT count(*) FROM people").fetchone()[0]
        return count

    def batches(self, size: int) -> Iterator[list[Person]]:
        """Yield all of them in lists of ``size``."""
        cursor = self._base.execute("SELECT place, body FROM people ORDER BY number")
        while rows := cursor.fetchmany(size):
            yield [Person(place, json.loads(body)) for place, body in rows]


def identity(body: dict[str, Any]) -> str:
    """Return what somebody is told apart by: the address without regard to case, or the id."""
    email = body.get("email")
    return f"email:{str(email).strip().lower()}" if email else f"id:{str(body.get('id')).strip()}"


def merged(known: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return one upsert for two of the same person."""
    custom = {**known.get("custom_fields", {}), **later.get("custom_fields", {})}
    segments = list(dict.fromkeys([*known.get("segment_ids", []), *later.get("segment_ids", [])]))
    extra = {**({"custom_fields": custom} if custom else {}), **({"segment_ids": segments} if segments else {})}
    return {**known, **later, **extra}
