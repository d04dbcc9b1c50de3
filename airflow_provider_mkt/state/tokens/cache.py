# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The tokens that a process goes by for some seconds before it looks into the store again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.state.tokens.live import Live

READ_AGAIN = 10.0
"""Seconds for which a process goes by what it last read from the store."""


@dataclass(frozen=True)
class _Kept:
    """A token in memory; the moments are this process's."""

    value: str = field(repr=False)
    seed: str = field(repr=False)
    renew_at: float
    expires_at: float
    read_again: float


class TokenCache:
    """Tokens by account, in memory.

    :param clock: seconds that only go forward
    :param mask: hides a secret in logs
    """

    def __init__(self, clock: Callable[[], float], mask: Callable[[str], None]) -> None:
        self._clock, self._mask = clock, mask
        self._kept: dict[str, _Kept] = {}
        self._masked: set[str] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: str, found: Live, seed: str = "") -> str:
        """Remember a token for a few seconds, mask it in logs, and return it.

        :param key: the account
        :param seed: the connection's refresh token by which it was got
        """
        now = self._clock()
        self._kept[key] = _Kept(found.value, seed, now + found.renew_in, now + found.expires_in, now + READ_AGAIN)
        if (name := digest(found.value)) not in self._masked:
            self._masked.add(name)
            self._mask(found.value)
        return found.value

    def fresh(self, key: str, seed: str = "") -> str | None:
        """Return the account's token, if it needs neither renewal nor another look into the store."""
        kept, now = self._kept.get(key), self._clock()
        return kept.value if kept and kept.seed == seed and now < min(kept.renew_at, kept.read_again) else None

    def alive(self, key: str, seed: str) -> str | None:
        """Return the account's token as long as the vendor accepts it."""
        kept = self._kept.get(key)
        return kept.value if kept and kept.seed == seed and self._clock() < kept.expires_at else None

    def keep_on(self, key: str) -> str | None:
        """Go by the account's token for some more seconds, if it need not be renewed yet, and return it."""
        kept, now = self._kept.get(key), self._clock()
        if kept is None or now >= kept.renew_at:
            return None
        return self.keep(key, Live(kept.value, kept.renew_at - now, kept.expires_at - now))

    def drop(self, key: str, value: str | None = None) -> None:
        """Forget the account's token; only if it is ``value``, where one is given."""
        if (kept := self._kept.get(key)) is not None and value in (None, kept.value):
            del self._kept[key]
