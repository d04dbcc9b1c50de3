# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How far an incremental export has come, kept in Airflow's asset state store.

A write-ahead record: before a file appears, the store names the file and the cursor that holds once it is there. The
next run looks for the file, and so knows which cursor is true. The rows of a file therefore count as exported exactly
when the file exists, however often tasks die in between.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Protocol

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.transfers.seen_rows import DIGEST, Mark

log = logging.getLogger(__name__)

MARK = DIGEST + 4
IN_A_PART = 3_000
"""Rows remembered in one value of the store: 64,000 characters; above 65,536 Airflow warns."""


class Store(Protocol):
    """The state store of one asset."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value."""

    def set(self, key: str, value: Any) -> None:
        """Write a value."""


@dataclass(frozen=True)
class Cursor:
    """How far the export has come.

    :param watermark: time of the newest row exported, ISO 8601; None before the first one
    :param floor: the moment from which on all exported rows are remembered, ISO 8601
    :param revision: goes up by one with each file
    :param slot: where the remembered rows are
    :param parts: in how many values
    :param token: what these values are marked with
    """

    watermark: str | None = None
    floor: str | None = None
    revision: int = 0
    slot: str = "a"
    parts: int = 0
    token: str = ""

    def start(self, overlap: timedelta, since: datetime | None) -> datetime | None:
        """Return from when on rows are asked for: some time before the watermark; ``since`` before there is one."""
        if self.watermark is None or self.floor is None:
            return since
        back = validation.parsed("watermark", self.watermark) - overlap
        return max(back, validation.parsed("floor", self.floor))


class ExportCursorStore:
    """The cursor of one export, and the file that is about to appear.

    :param store: the asset's state store
    :param key: what the cursor is kept under
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._kept = kept = store.get(key) or {}
        self.cursor = Cursor(**kept.get("cursor", {}))
        self._pending: dict[str, Any] | None = kept.get("pending")

    def recover(self, exists: Callable[[str, int], bool]) -> None:
        """Find out whether the file of an export that was begun and not committed has appeared; commit it if so.

        :param exists: whether a path holds a file of so many bytes
        """
        if self._pending is None:
            return
        path = self._pending["path"]
        if exists(path, self._pending["bytes"]):
            log.warning("A task died after it had written %s and before it had recorded that; recorded now.", path)
            self.commit()
        else:
            log.warning("A task died before %s was written; its rows are exported now.", path)
            self._pending = None

    def marks(self) -> list[Mark]:
        """Return the rows remembered."""
        found: list[Mark] = []
        for number in range(self.cursor.parts):
            part = self._store.get(self._part(self.cursor.slot, number)) or {}
            if part.get("token") != self.cursor.token:
                log.error(
                    "Some of the orders exported last are not remembered any more: two runs have exported at the same "
                    "time. Orders of the overlap may come a second time; set max_active_runs=1."
                )
                continue
            packed = base64.b64decode(part["rows"])
            found += [_unpacked(packed[at : at + MARK]) for at in range(0, len(packed), MARK)]
        return found

    def begin(self, path: str, size: int, watermark: str, floor: str, marks: Sequence[Mark]) -> None:
        """Record which file is about to appear, and the cursor that holds from then on.

        :param path: the file
        :param size: its bytes
        :param watermark: the new watermark
        :param floor: the moment from which on ``marks`` are complete
        :param marks: the rows to remember
        :raises ApiError: when another run has begun or committed an export in the meantime
        """
        if (self._store.get(self._key) or {}) != self._kept:
            raise _another_run()
        slot, token = "b" if self.cursor.slot == "a" else "a", secrets.token_hex(4)
        parts = [marks[at : at + IN_A_PART] for at in range(0, len(marks), IN_A_PART)]
        for number, part in enumerate(parts):
            packed = bytes(chain.from_iterable(map(_packed, part)))
            self._store.set(self._part(slot, number), {"token": token, "rows": base64.b64encode(packed).decode()})
        following = Cursor(watermark, floor, self.cursor.revision + 1, slot, len(parts), token)
        self._pending = {"path": path, "bytes": size, "cursor": asdict(following)}
        self._keep({"cursor": asdict(self.cursor), "pending": self._pending})

    def commit(self) -> None:
        """Record that the file has appeared.

        :raises ApiError: when another run has begun an export in the meantime: it has taken this one for dead, and
            exports the same rows
        """
        if self._pending is None:
            raise ValueError("no export was begun")
        committed = {"cursor": self._pending["cursor"]}
        current = self._store.get(self._key) or {}
        # Another run may have found the file, and committed it already.
        if current != committed and current.get("pending") != self._pending:
            raise _another_run()
        self._keep(committed)
        self.cursor, self._pending = Cursor(**self._pending["cursor"]), None

    def _keep(self, value: dict[str, Any]) -> None:
        self._store.set(self._key, value)
        self._kept = value

    def _part(self, slot: str, number: int) -> str:
        return f"{self._key}.{slot}.{number}"


def _another_run() -> ApiError:
    return ApiError(
        "Another run exported orders at the same time. Nothing was written; a retry takes up from there. Set "
        "max_active_runs=1 so that this does not happen."
    )


def _packed(mark: Mark) -> bytes:
    return mark.digest + mark.at.to_bytes(4, "big")


def _unpacked(packed: bytes) -> Mark:
    return Mark(packed[:DIGEST], int.from_bytes(packed[DIGEST:], "big"))
