# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One chunk of a batch of posts: its records, what they say of its rows, and what is to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import MalformedResponseError, ValidationError
from airflow_provider_mkt.hooks.flow_social.posts import check_time
from airflow_provider_mkt.submission.record import INTENT, Record
from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
from airflow_provider_mkt.submission.submit import Store, Submission
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.client.redaction import Redactor
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.tasks.guard import Guard

VENDOR = flow_social.VENDOR.name
SHOWN_ROWS = 20
MAX_REASON = 300
NOT_THERE = "it is not at the vendor, as a person found out"


@dataclass(frozen=True)
class Batch:
    """A list of posts of one task: what all its chunks have in common.

    :param store: the task state store
    :param task_key: where the batch belongs
    :param hook: sends the requests
    :param size: rows in a chunk
    :param guard: whether Airflow still wants this try
    :param resubmit: schedule all of it again, once per clearing of the task
    """

    store: Store
    task_key: TaskKey
    hook: MarketingHook
    size: int
    guard: Guard
    resubmit: bool = False


@dataclass(frozen=True)
class Row:
    """One post of a list.

    :param place: what messages call it
    :param body: the checked post, see :func:`post_body`; empty when it cannot be one
    :param problem: why it cannot be sent
    """

    place: str
    body: Mapping[str, Any]
    problem: str = ""

    @property
    def problem_now(self) -> str:
        """Why it cannot be sent now; "" when it can."""
        try:
            check_time(self.body)
        except ValidationError as error:
            return self.problem or str(error)
        return self.problem


@dataclass
class Chunk:
    """Some rows that go out together.

    :param batch: the list
    :param number: number of the chunk
    :param rows: its rows
    :param done: positions of the rows that are done, with the post's id
    :param reasons: positions of the rows that are refused, with the reason
    :param record: the oldest of its records
    """

    batch: Batch
    number: int
    rows: Sequence[Row]
    done: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    record: Record | None = None
    _sent: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """What was sent last for a row that was refused, unless a clearing of the task makes up for it."""

    def audit(self) -> None:
        """Compare what is recorded with today's rows. Nothing is sent.

        :raises ValidationError: when a row that is done has changed, one of an unsettled request, or the chunks' size
        """
        self._go_through(sending=False)

    def settle(self) -> None:
        """Go through the records of the chunk, and send what is due.

        :raises ValidationError: as for :meth:`audit`
        :raises ApiError: when the outcome of a request is unknown
        """
        self._go_through(sending=True)

    def _go_through(self, *, sending: bool) -> None:
        follows = ""
        for turn in count():
            submission = self._submission(turn)
            record = submission.current(follows=follows, resubmit=self.batch.resubmit)
            fresh = record is None or record.state == INTENT
            if record is None:
                record = self._begin(submission, follows) if sending else None
            elif fresh:
                self._compare_size(record)
                self._compare_unsettled(submission, record)
                record = self._resume(submission, record) if sending else None
            if record is None:
                return
            self._read(record, fresh=fresh)
            if sending and len(self.done) == len(self.rows):
                return
            follows = record.key

    def _submission(self, turn: int) -> Submission:
        operation = f"{self.number}.{turn}" if turn else self.number
        return Submission(self.batch.store, self.batch.task_key, operation, guard=self.batch.guard)

    def _begin(self, submission: Submission, follows: str) -> Record | None:
        """Send the rows that are due; None when there are none, or all of them were refused together."""
        due = self._due()
        if not due:
            return None
        for at in due:
            self.reasons.pop(at, None)
        try:
            return self._submit(submission, [dict(self.rows[at].body) for at in due], due, follows)
        except ValidationError as error:
            self.reasons.update(dict.fromkeys(due, f"with all its chunk: {error}"))
            return None

    def _due(self) -> list[int]:
        due = []
        for at, row in enumerate(self.rows):
            if at in self.done:
                continue
            if problem_now := row.problem_now:
                self.reasons[at] = problem_now
            elif self._sent.get(at) != row.body:
                due.append(at)
        return due

    def _resume(self, submission: Submission, record: Record) -> Record:
        """Settle a request whose answer was lost: what was recorded is sent, even when its times have passed."""
        return self._submit(submission, record.body["posts"], record.baseline["rows"], record.follows)

    def _compare_unsettled(self, submission: Submission, record: Record) -> None:
        """Refuse to go on while rows of an unsettled request have changed.

        The vendor may have carried it out or not. Sent again it could publish what was corrected since; left alone, its
        rows could be posted a second time.
        """
        sent = zip(record.baseline["rows"], record.body["posts"], strict=True)
        changed = [self._place(at) for at, body in sent if at >= len(self.rows) or self.rows[at].body != body]
        if changed:
            raise ValidationError(
                f"{_some(changed)}: sent or about to be sent at {record.time} with another content than today's, and "
                "no answer was recorded. Nothing is sent. Put these rows back as they were to have that settled, and "
                f"change the posts afterwards; or: {submission.remedies(record, VENDOR)}",
                vendor=VENDOR,
            )

    def _submit(self, submission: Submission, posts: list[Any], positions: list[int], follows: str) -> Record:
        hook = self.batch.hook
        request = SubmissionRequest(
            vendor=VENDOR,
            what=f"batch of {len(posts)} posts in chunk {self.number} (first {self._place(positions[0])})",
            body={"posts": posts},
            call=lambda frozen, key: flow_social.CREATE_POSTS(body=frozen, idempotency_key=key),
            receipt=lambda answer: receipt_of(answer, len(posts), hook.redactor),
            reference=self.batch.task_key.reference,
            id_field="post_ids",
            prepare=lambda: {"rows": positions, "size": self.batch.size},
            follows=follows,
            parts=len(posts),
        )
        return submission.submit(request, hook.client.send, hook.client.run, resubmit=self.batch.resubmit)

    def _read(self, record: Record, *, fresh: bool) -> None:
        """Take from a record what became of its rows.

        :param fresh: whether the answer is of this very try: then a refused row is not sent again unchanged
        """
        self._compare_size(record)
        self.record = earlier(self.record, record)
        refused = record.receipt.get("refused", {})
        changed = []
        for index, at in enumerate(record.baseline["rows"]):
            sent, there = record.body["posts"][index], at < len(self.rows)
            if (post_id := record.receipt["post_ids"][index]) is not None:
                if not there or self.rows[at].body != sent:
                    changed.append(self._place(at))
                self.done[at] = post_id
                self.reasons.pop(at, None)
            elif there:
                self.reasons[at] = refused.get(str(index), NOT_THERE)
                # What a person did not find was not refused, and is sent.
                final = str(index) in refused and (fresh or record.clear_count == self.batch.task_key.clear_count)
                self._sent[at] = sent if final else {}
        if changed:
            raise ValidationError(_moved(changed, record), vendor=VENDOR)

    def _compare_size(self, record: Record) -> None:
        if (size := record.baseline["size"]) != self.batch.size:
            raise ValidationError(
                f"chunk_size was {size} when these posts were sent at {record.time}, now it is {self.batch.size}. Rows "
                f"would get into other chunks and be posted twice: set it back to {size}.",
                vendor=VENDOR,
            )

    def _place(self, at: int) -> str:
        return (
            self.rows[at].place
            if at < len(self.rows)
            else f"row {self.number * self.batch.size + at + 1}, which is gone"
        )


def earlier(first: Record | None, second: Record | None) -> Record | None:
    """Return the record with the earlier intent."""
    return min((each for each in (first, second) if each), key=lambda each: each.intent_at, default=None)


def receipt_of(answer: Mapping[str, Any], parts: int, redactor: Redactor) -> dict[str, Any]:
    """Return what became of every part of a batch: ``post_ids``, None where one was refused, and ``refused``.

    :param answer: the vendor's answer
    :param parts: how many posts were sent
    :param redactor: takes secrets and personal data out of the reasons
    :raises MalformedResponseError: when the answer does not tell it of every part
    """
    found: dict[Any, Mapping[str, Any]] = {}
    for position, result in enumerate(answer["results"]):
        if isinstance(result, Mapping):
            found.setdefault(result.get("index", position), result)
    ids: list[str | None] = []
    refused: dict[str, str] = {}
    unclear = []
    for index in range(parts):
        result = found.get(index, {})
        post = result.get("post")
        post_id = post.get("id") if isinstance(post, Mapping) else None
        if result.get("success") is True and isinstance(post_id, str) and post_id:
            ids.append(post_id)
        elif result.get("success") is False:
            ids.append(None)
            refused[str(index)] = reason_of(result, redactor)
        else:
            unclear.append(str(index))
    if unclear or len(answer["results"]) != parts or len({each for each in ids if each}) != parts - len(refused):
        known = ", ".join(each for each in ids if each)
        raise MalformedResponseError(
            f"{VENDOR} answered with {len(answer['results'])} results for {parts} posts, which do not tell what became "
            f"of each (unclear: {', '.join(unclear[:SHOWN_ROWS]) or 'ids come twice'}; known: {known or 'none'})",
            executed=True,
            vendor=VENDOR,
        )
    return {"post_ids": ids, "refused": refused}


def reason_of(result: Mapping[str, Any], redactor: Redactor) -> str:
    """Return why the vendor refused one item of a batch."""
    return redactor.text(str(result.get("error") or "no reason given"), MAX_REASON)


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - SHOWN_ROWS} more" if len(places) > SHOWN_ROWS else ""
    return f"{', '.join(places[:SHOWN_ROWS])}{more}"


def _moved(changed: Sequence[str], record: Record) -> str:
    return (
        f"{_some(changed)}: scheduled at {record.time} with another content than today's. They "
        "are not scheduled a second time. Put these rows back as they were, at their old places in the list; new rows "
        "go to its end. To change a post that is scheduled, use FlowSocialUpdatePostOperator."
    )
