# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One chunk of a batch of posts: its records, what they say of its rows, and what is to be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flow_social.posts import check_time
from airflow_provider_mkt.operators.flow_social.answers import SHOWN_ROWS, VENDOR, receipt_of
from airflow_provider_mkt.submission.record import INTENT, Record
from airflow_provider_mkt.submission.request import Effect, SubmissionRequest, TaskKey, first_words
from airflow_provider_mkt.submission.submit import Store, Submission
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.submission.desk import Desk
    from airflow_provider_mkt.tasks.guard import Guard

NOT_THERE = "it is not at the vendor, as a person found out"


@dataclass(frozen=True)
class Batch:
    """A list of posts of one task: what all its chunks have in common.

    :param store: the task state store
    :param task_key: where the batch belongs
    :param hook: sends the requests
    :param size: rows in a chunk
    :param guard: whether Airflow still wants this try
    :param desk: the launch desk; None where there is none
    :param resubmit: schedule all of it again, once per clearing of the task
    """

    store: Store
    task_key: TaskKey
    hook: MarketingHook
    size: int
    guard: Guard
    resubmit: bool = False
    desk: Desk | None = None


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
        follows = ""
        for submission in self._submissions():
            record = submission.current(follows=follows, resubmit=self.batch.resubmit)
            if record is None:
                return
            self._verify(submission, record)
            if record.state == INTENT:
                return
            follows = record.key

    def settle(self) -> None:
        """Go through the records of the chunk, and send what is due.

        :raises ValidationError: as for :meth:`audit`
        :raises ApiError: when the outcome of a request is unknown
        """
        follows = ""
        for submission in self._submissions():
            record = submission.current(follows=follows, resubmit=self.batch.resubmit)
            if record is not None:
                self._verify(submission, record)
            answered = record is not None and record.state != INTENT
            if not answered:
                record = self._send_due(submission, record, follows)
            if record is None:
                return
            self._read(record, fresh=not answered)
            if len(self.done) == len(self.rows):
                return
            follows = record.key

    def _submissions(self) -> Iterator[Submission]:
        """Yield the submission of the whole chunk, then those of what the ones before left undone."""
        for turn in count():
            operation = f"{self.number}.{turn}" if turn else self.number
            desk = self.batch.desk and replace(self.batch.desk, operation=operation)
            yield Submission(self.batch.store, self.batch.task_key, operation, guard=self.batch.guard, desk=desk)

    def _verify(self, submission: Submission, record: Record) -> None:
        """Compare a record with today's rows.

        The vendor may have carried out an unsettled request or not. Sent again it could publish what was corrected
        since; left alone, its rows could be posted a second time.
        """
        if (size := record.baseline["size"]) != self.batch.size:
            raise ValidationError(
                f"chunk_size was {size} when these posts were sent at {record.time}, now it is {self.batch.size}. Rows "
                f"would get into other chunks and be posted twice: set it back to {size}.",
                vendor=VENDOR,
            )
        unsettled = record.state == INTENT
        changed = [
            self._place(at)
            for index, at in enumerate(record.baseline["rows"])
            if unsettled or record.receipt["post_ids"][index] is not None
            if at >= len(self.rows) or self.rows[at].body != record.body["posts"][index]
        ]
        if changed and unsettled:
            raise ValidationError(
                f"{_some(changed)}: sent or about to be sent at {record.time} with another content than today's, and "
                "no answer was recorded. Nothing is sent. Put these rows back as they were to have that settled, and "
                f"change the posts afterwards; or: {submission.remedies(record, VENDOR)}",
                vendor=VENDOR,
            )
        if changed:
            raise ValidationError(
                f"{_some(changed)}: scheduled at {record.time} with another content than today's. They are not "
                "scheduled a second time. Put these rows back as they were, at their old places in the list; new rows "
                "go to its end. To change a post that is scheduled, use FlowSocialUpdatePostOperator.",
                vendor=VENDOR,
            )

    def _send_due(self, submission: Submission, record: Record | None, follows: str) -> Record | None:
        """Send what was recorded without an answer, even when its times have passed; else the rows that are due.

        :return: the record with its receipt; None when no row is due, or all of them were refused together
        """
        if record is not None:
            return self._submit(submission, record.body["posts"], record.baseline["rows"], record.follows)
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

    def _submit(self, submission: Submission, posts: list[Any], positions: list[int], follows: str) -> Record:
        hook, channels = self.batch.hook, {str(each.get("channelId") or "") for each in posts}
        request = SubmissionRequest(
            vendor=VENDOR,
            what=f"batch of {len(posts)} posts in chunk {self.number} (first {self._place(positions[0])})",
            body={"posts": posts},
            call=lambda frozen, key: flow_social.CREATE_POSTS(body=frozen, idempotency_key=key),
            receipt=lambda answer: receipt_of(answer, posts, hook.redactor),
            reference=self.batch.task_key.reference,
            id_field="post_ids",
            prepare=lambda: {"rows": positions, "size": self.batch.size},
            follows=follows,
            parts=len(posts),
            effect=Effect(
                f"{len(posts)} posts, the first: {first_words(posts[0]['content'], hook.account.secrets)}",
                goes_live=min(str(each.get("scheduledFor") or "") for each in posts),
                audience=len(posts),
                channel=channels.pop() if len(channels) == 1 else "",
            ),
        )
        return submission.submit(request, hook.client.send, hook.client.run, resubmit=self.batch.resubmit)

    def _read(self, record: Record, *, fresh: bool) -> None:
        """Take from a record what became of its rows.

        :param fresh: whether the answer is of this very try: then a refused row is not sent again unchanged
        """
        self.record = earlier(self.record, record)
        refused = record.receipt.get("refused", {})
        for index, at in enumerate(record.baseline["rows"]):
            if (post_id := record.receipt["post_ids"][index]) is not None:
                self.done[at] = post_id
                self.reasons.pop(at, None)
            elif at < len(self.rows):
                self.reasons[at] = refused.get(str(index), NOT_THERE)
                # What a person did not find was not refused, and is sent.
                final = str(index) in refused and (fresh or record.clear_count == self.batch.task_key.clear_count)
                self._sent[at] = record.body["posts"][index] if final else {}

    def _place(self, at: int) -> str:
        return (
            self.rows[at].place
            if at < len(self.rows)
            else f"row {self.number * self.batch.size + at + 1}, which is gone"
        )


def earlier(first: Record | None, second: Record | None) -> Record | None:
    """Return the record with the earlier intent."""
    return min((each for each in (first, second) if each), key=lambda each: each.intent_at, default=None)


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - SHOWN_ROWS} more" if len(places) > SHOWN_ROWS else ""
    return f"{', '.join(places[:SHOWN_ROWS])}{more}"
