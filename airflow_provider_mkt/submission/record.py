# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a submission is described by, and what is remembered of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

PREFIX = "mkt.submission."
"""Beginning of the keys under which records stand in the task state store."""
INTENT, SUBMITTED, REFUSED, FAILED = "intent", "submitted", "refused", "failed"
NONE = "-"
"""Stands for "it is not there" when a person hands over the ids of a batch."""
FORMER_NAMES = {"round": "clear_count"}
"""Fields that records of earlier versions have under another name."""
ADOPTED = -1
"""Round of a record whose ids a person handed over, until a try attaches to it."""


@dataclass(frozen=True)
class Record:
    """What is known about one submission; plain JSON in the task state store."""

    key: str
    generation: int
    state: str
    fingerprint: str
    body: Any
    reference: str
    id_field: str
    intent_at: float
    clear_count: int
    baseline: dict[str, Any] = field(default_factory=dict)
    doubtful: bool = False
    doubt_at: float = 0.0
    receipt: dict[str, Any] = field(default_factory=dict)
    follows: str = ""
    parts: int = 0
    conn_id: str = ""
    """The connection it was sent through; "" in records of earlier versions."""
    try_number: int = 0
    """The try that wrote the intent; 0 in records of earlier versions."""
    executed: bool = False
    """Whether the vendor has said that it happened, without saying what to follow it by: it is never sent anew."""
    accepted_at: float = 0.0
    """When it was known that the vendor had accepted it, in Unix time; 0 when a person said so, and in records of
    earlier versions."""

    @property
    def time(self) -> str:
        """When the intent was written, in UTC."""
        return datetime.fromtimestamp(self.intent_at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")

    @classmethod
    def of(cls, value: Any) -> Record:
        """Return the record that stands in the store; fields of a later version of this package are passed over.

        :raises ValueError: when it is no record
        """
        names = {each.name for each in fields(cls)}
        try:
            found = {FORMER_NAMES.get(name, name): part for name, part in value.items()}
            return cls(**{name: part for name, part in found.items() if name in names})
        except (TypeError, AttributeError):
            raise ValueError("the task state store holds something else than a record of a submission") from None

    def adopt(self, ids: list[str]) -> Record:
        """Return the record with the receipt that a person found at the vendor.

        :param ids: the vendor's ids; for a batch one for each part, in the body's order, :data:`NONE` where the vendor
            has none
        :raises ValueError: when there are none, several where there can only be one, or one twice
        """
        given = [each for each in ids if each != NONE]
        if twice := sorted({each for each in given if given.count(each) > 1}):
            raise ValueError(f"{self.id_field} takes each id once, got {', '.join(twice)} more than once")
        if self.parts:
            if len(ids) != self.parts:
                raise ValueError(
                    f"{self.id_field} takes {self.parts} ids, one for each part of the batch in its order, {NONE!r} "
                    f"for each part that is not there; got {len(ids)}"
                )
            found = [None if each == NONE else each for each in ids]
            return self._adopted(found)
        several = self.id_field.endswith("s")
        if not ids or (len(ids) > 1 and not several):
            raise ValueError(
                f"{self.id_field} takes {'one id or more' if several else 'exactly one id'}, got {len(ids)}"
            )
        return self._adopted(ids if several else ids[0])

    def _adopted(self, found: Any) -> Record:
        return replace(self, state=SUBMITTED, clear_count=ADOPTED, receipt={self.id_field: found, "status": "adopted"})

    def forget(self) -> Record:
        """Return the record as one of a submission that never happened.

        It is not deleted: the next submission takes the next generation of the key. Under the same key, a vendor that
        keeps keys would answer with what is to be forgotten, and make nothing new.
        """
        return replace(self, state=REFUSED, receipt={}, doubtful=False, executed=False)


def fingerprint(body: Any) -> str:
    """Return the SHA-256 of the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
