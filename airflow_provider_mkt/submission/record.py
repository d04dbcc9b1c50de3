# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is remembered of a submission: plain JSON in Airflow's task state store."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import Any

PREFIX = "mkt.submission."
"""Beginning of the keys under which records are kept in the task state store."""
VERSION = 2
"""Of the records that this package writes. It reads all up to this one."""
INTENT, SUBMITTED, REFUSED, FAILED, HELD = "intent", "submitted", "refused", "failed", "held"
STATES = frozenset({INTENT, SUBMITTED, REFUSED, FAILED, HELD})
"""``intent``: to be sent, or sent without a readable answer. ``submitted``: the vendor accepted it. ``refused``: it
certainly did not happen. ``failed``: the vendor confirmed that nothing came of it. ``held``: not sent, because the
vendor lists the task's own reference already."""
SETTLED = 180.0
"""Seconds after the last request may have left after which a vendor that does not list it never executed it."""
NONE = "-"
"""Stands for "it is not there" when a person hands over the ids of a batch."""
FORMER_NAMES = {"round": "clear_count"}
"""Fields that records of earlier versions have under another name."""
OURS, OURS_RECEIPT = "ours", "ours_receipt"
"""Names in a baseline: what the vendor lists under the task's own reference before the first submission, and the
receipt for it where its ids alone are none."""
ADOPTED = -1
"""Clear count of a record whose ids a person handed over, until a try attaches to it."""
KINDS: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "dict[str, Any]": dict,
    "list[str]": list,
}
"""What a field of this type is in JSON."""
MAX_EVIDENCE, MAX_LINE = 5, 400
"""Lines of evidence that are kept, and characters of one."""


class UnreadableRecordError(ValueError):
    """What is in the task state store is no record, or one of a later version of this package."""


@dataclass(frozen=True)
class Record:
    """What is known about one submission.

    :param key: the idempotency key
    :param generation: counts the submissions of this record; each has a key of its own
    :param state: one of :data:`STATES`
    :param fingerprint: digest of the body
    :param body: the exact body that is sent
    :param reference: what to look for at the vendor
    :param id_field: name of the receipt's field that holds the vendor's id or ids
    :param intent_at: when the intent was written, in Unix time like all moments here
    :param clear_count: of the task, when it was written
    :param baseline: what was known of the time before
    :param sent: whether the request may have left. False means: certainly not
    :param sent_at: when it was about to leave
    :param doubtful: whether the request may have been executed without an answer that was recorded
    :param doubt_at: when that was noticed
    :param executed: whether the vendor has said that it happened, without saying what to follow it by
    :param receipt: what the submission is followed by
    :param accepted_at: when it was known that the vendor had accepted it; 0 when a person said so
    :param follows: key of the record that this one goes on from
    :param parts: for a batch: of how many parts it consists
    :param conn_id: the connection it was sent through
    :param deployment: the deployment that wrote it; "" in records of earlier versions
    :param try_number: the try that wrote the intent
    :param writer: what wrote it last: a try, or a person's command
    :param evidence: what was looked at after a lost answer, and what it showed
    :param version: of the record's form
    :param vendor: the vendor's name; "" in records of earlier versions
    """

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
    try_number: int = 0
    executed: bool = False
    accepted_at: float = 0.0
    # What an earlier version wrote may have been sent: it did not say.
    sent: bool = True
    sent_at: float = 0.0
    deployment: str = ""
    writer: str = ""
    evidence: list[str] = field(default_factory=list)
    version: int = 1
    vendor: str = ""

    @property
    def time(self) -> str:
        """When the intent was written, in UTC."""
        return moment(self.intent_at)

    @property
    def left_nothing(self) -> bool:
        """Whether the vendor certainly was sent nothing of it, and may be."""
        return self.state == INTENT and not self.sent and not self.doubtful

    @property
    def conclusive_at(self) -> float:
        """From when on a vendor that does not show it never executed it; 0 when it need not be waited for."""
        if self.state != INTENT or self.left_nothing or self.executed:
            return 0.0
        return max(self.doubt_at, self.sent_at, self.intent_at) + SETTLED

    @property
    def problem(self) -> str:
        """Why nothing can be concluded from the record; "" when something can."""
        if self.state not in STATES:
            return f"it has a state that this version does not know ({self.state!r})"
        if self.state == SUBMITTED and not _names_something(self.receipt, self.id_field):
            return f"it is recorded as submitted, but has no {self.id_field}"
        return ""

    @classmethod
    def of(cls, value: Any) -> Record:
        """Return the record that is kept in the store.

        :raises UnreadableRecordError: when it is none, or one of a later version
        """
        if isinstance(value, dict) and isinstance(value.get("version"), int) and value["version"] > VERSION:
            raise UnreadableRecordError(
                f"a later version of this package wrote it (record version {value['version']}, this one reads up to "
                f"{VERSION})"
            )
        kinds = {each.name: KINDS.get(str(each.type), object) for each in fields(cls)}
        try:
            found = {FORMER_NAMES.get(name, name): part for name, part in value.items()}
            known = {name: part for name, part in found.items() if name in kinds}
            record = cls(**known)
        except (TypeError, AttributeError):
            raise UnreadableRecordError("it is not the record of a submission") from None
        if odd := [name for name, part in known.items() if not isinstance(part, kinds[name])]:
            raise UnreadableRecordError(f"it is damaged ({', '.join(odd)})")
        return record

    def with_evidence(self, *lines: str) -> Record:
        """Return the record with what was looked at, and what it showed; the last few are kept."""
        kept = [*self.evidence, *(line[:MAX_LINE] for line in lines if line)]
        return replace(self, evidence=kept[-MAX_EVIDENCE:])

    def adopt(self, ids: list[str]) -> Record:
        """Return the record with the receipt that a person found at the vendor.

        :param ids: the vendor's ids; for a batch one for each part, in the body's order, :data:`NONE` where the vendor
            has none; for a record that was held back those that its message names
        :raises ValueError: when there are none, several where there can only be one, one twice, or what is no id
        """
        if odd := [each for each in ids if not each.isprintable() or each.split() != [each]]:
            raise ValueError(f"an id is a word without blanks, got {odd[0]!r}; write several as words of their own")
        named = sorted(map(str, self.baseline.get(OURS) or []))
        if self.state == HELD and OURS_RECEIPT in self.baseline and sorted(ids) == named:
            return replace(self, state=SUBMITTED, clear_count=ADOPTED, receipt=self.baseline[OURS_RECEIPT])
        given = [each for each in ids if each != NONE]
        if not self.parts and len(given) < len(ids):
            raise ValueError(f"{NONE!r} stands for a part of a batch that is not there, and this is no batch")
        if twice := sorted(each for each, times in Counter(given).items() if times > 1):
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


def moment(at: float) -> str:
    """Return a Unix time as text, in UTC."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def fingerprint(body: Any) -> str:
    """Return the SHA-256 of the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def content_of(body: Any, reference: str) -> str:
    """Return the SHA-256 of a body without the task's reference, so that other runs with the same content have it too.

    :param body: the exact body
    :param reference: what the body may hold to be found by, such as an order's reference
    """
    return fingerprint(
        {name: value for name, value in body.items() if value != reference} if isinstance(body, dict) else body
    )


def _names_something(receipt: dict[str, Any], id_field: str) -> bool:
    """Tell whether a receipt holds ids. What was found without its own ids is followed by others, such as campaigns."""
    others = [value for name, value in receipt.items() if name.endswith(("_id", "_ids"))]
    return id_field in receipt and (bool(receipt[id_field]) or any(others))
