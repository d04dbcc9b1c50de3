# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What really happened at the vendors: one entry for each side effect, so that a test can count them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from airflow_provider_mkt.sandbox.engine.clock import iso


def digest(text: str) -> str:
    """Short handle for something that must not be shown, such as an e-mail address."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:8]


class Ledger:
    """Append-only list of effects, newest last."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def record(
        self,
        vendor: str,
        effect: str,
        reference: str,
        ids: Iterable[str],
        *,
        idempotency_key: str | None,
        body_sha256: str,
        at: float,
    ) -> None:
        """Add one effect; ``reference`` is the natural handle by which duplicates can be counted."""
        self._entries.append(
            {
                "vendor": vendor,
                "effect": effect,
                "reference": reference,
                "ids": list(ids),
                "idempotency_key": idempotency_key,
                "body_sha256": body_sha256,
                "at": iso(at),
            }
        )

    def entries(
        self, vendor: str | None = None, effect: str | None = None, reference: str | None = None, since: int = 0
    ) -> list[dict[str, Any]]:
        """Entries that match every given field exactly, without the first ``since`` of all."""
        wanted = {"vendor": vendor, "effect": effect, "reference": reference}
        filters = {key: value for key, value in wanted.items() if value is not None}
        return [entry for entry in self._entries[since:] if all(entry[key] == value for key, value in filters.items())]

    def summary(self) -> list[dict[str, Any]]:
        """How often each (vendor, effect, reference) happened."""
        counts = Counter((entry["vendor"], entry["effect"], entry["reference"]) for entry in self._entries)
        return [
            {"vendor": vendor, "effect": effect, "reference": reference, "times": times}
            for (vendor, effect, reference), times in counts.items()
        ]
