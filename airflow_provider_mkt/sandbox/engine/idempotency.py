# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Answers kept under their Idempotency-Key, and one lock for each key in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airflow_provider_mkt.sandbox.engine.answer import Answer
from airflow_provider_mkt.sandbox.engine.clock import DAY

LIFE = DAY
"""Seconds for which vendors keep a key."""

Key = tuple[str, str, str, str, str]
"""Vendor, caller, method, path, Idempotency-Key."""


@dataclass
class _Kept:
    fingerprint: str
    answer: Answer
    until: float


class Replays:
    """First successful answers by key.

    :param shelf: reads the clock by which keys age
    """

    def __init__(self, shelf: Callable[[], float]) -> None:
        self._shelf = shelf
        self.clear()

    def clear(self) -> None:
        """Forget all keys."""
        self._kept: dict[Key, _Kept] = {}
        self._locks: dict[Key, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, key: Key) -> AsyncIterator[None]:
        """Let one request at a time work under a key."""
        lock, users = self._locks.get(key, (None, 0))
        lock = lock or asyncio.Lock()
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks.get(key, (lock, 1))
            if users <= 1:
                self._locks.pop(key, None)
            else:
                self._locks[key] = (lock, users - 1)

    def find(self, key: Key) -> tuple[str, Answer] | None:
        """Fingerprint and answer of the first request under a key, if it is younger than 24 hours."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._shelf():
            return None
        return kept.fingerprint, kept.answer

    def keep(self, key: Key, fingerprint: str, answer: Answer) -> None:
        """Remember a successful answer."""
        now = self._shelf()
        if len(self._kept) % 1000 == 0:
            self._kept = {known: kept for known, kept in self._kept.items() if kept.until > now}
        self._kept[key] = _Kept(fingerprint, answer, now + LIFE)
