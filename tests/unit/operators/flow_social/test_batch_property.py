# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Any sequence of tries, crashes, refusals, lost answers, clears, edits: each row at most once, each accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.clock import Clock, using
from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ValidationError,
)
from airflow_provider_mkt.operators.flow_social.batch import BatchResult, schedule
from airflow_provider_mkt.operators.flow_social.chunk import Batch, Row
from airflow_provider_mkt.submission.request import TaskKey
from airflow_provider_mkt.tasks.guard import Guard
from tests.unit.context import Task, WorkerDiedError

SIZE = 3
HOUR = 3600.0
REFUSED = "!"
"""The vendor refuses a post whose content ends like this."""


@dataclass
class Vendor:
    """Carries out batches, keeps keys for a day, and answers as the script says.

    :param script: for each request: whether it is carried out, and the error that takes the answer's place
    :param posted: contents of the posts that exist
    """

    clock: Any
    script: list[tuple[bool, BaseException | None]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    kept: dict[str, tuple[float, Any, Any]] = field(default_factory=dict)

    def send(self, call: Call, *, fence: Callable[[], None]) -> Any:
        executes, error = self.script.pop(0) if self.script else (True, None)
        if not isinstance(error, NotSentError):
            fence()
        if executes:
            answer = self._answer(str(call.idempotency_key), call.body)
        if error:
            raise error
        return answer

    def _answer(self, key: str, body: Any) -> Any:
        until, first, answer = self.kept.get(key, (0.0, None, None))
        if until > self.clock():
            # The same key with another body would be a fault of ours.
            assert first == body
            return answer
        results: list[dict[str, Any]] = []
        for index, post in enumerate(body["posts"]):
            if post["content"].endswith(REFUSED):
                results.append({"success": False, "index": index, "error": "not like this"})
            else:
                self.posted.append(post["content"])
                results.append({"success": True, "index": index, "post": {"id": f"post_{len(self.posted)}"}})
        self.kept[key] = (self.clock() + 24 * HOUR, body, {"results": results, "summary": {}})
        return self.kept[key][2]


ERRORS: dict[str, Any] = {
    "ok": lambda: None,
    "unknown": lambda: OutcomeUnknownError("the connection was reset"),
    "malformed": lambda: MalformedResponseError("half a body", executed=True),
    "died": WorkerDiedError,
}
UNTOUCHED: dict[str, Any] = {
    "not sent": lambda: NotSentError("no route"),
    "refused": lambda: ValidationError("too large", status=413),
    "limited": lambda: RateLimitError("429", retry_after=9),
    "unknown": lambda: OutcomeUnknownError("the connection was reset"),
    "died": WorkerDiedError,
}
ANSWERS = st.one_of(
    st.tuples(st.just(True), st.sampled_from(sorted(ERRORS))),
    st.tuples(st.just(False), st.sampled_from(sorted(UNTOUCHED))),
)


class At(Clock):
    """A clock that shows what it is told to show."""

    def __init__(self, show: Callable[[], float]) -> None:
        self.now = show  # type: ignore[method-assign]


class Posting(RuleBasedStateMachine):
    """One task with a list that its user edits, one vendor."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_780_000_000.0
        self.clock = ExitStack()
        self.clock.enter_context(using(At(lambda: self.now)))
        self.task = Task()
        self.vendor = Vendor(lambda: self.now)
        # One row a number for ever; what follows the number is the user's to edit.
        self.rows = [f"{at}{REFUSED if at in (1, 5) else ''}" for at in range(8)]
        self.added = len(self.rows)

    def teardown(self) -> None:
        try:
            self.settled()
        finally:
            self.clock.close()

    def tried(self, contents: list[str]) -> BatchResult | BaseException:
        """Run one try over today's list."""
        rows = [Row(f"row {at}", {"content": content}) for at, content in enumerate(contents)]
        client, account = SimpleNamespace(send=self.vendor.send, run=None), SimpleNamespace(secrets=[])
        hook: Any = SimpleNamespace(client=client, account=account, redactor=Redactor())
        place = TaskKey.of(self.task.context, "social")  # type: ignore[arg-type]
        guard = Guard(self.task.context["ti"], lambda: False)
        try:
            tally = schedule(Batch(self.task.store, place, hook, SIZE, guard), lambda: rows)
        except (ApiError, WorkerDiedError) as error:
            return error
        finally:
            self.vendor.script = []
            self.task.store.interrupt = None
            self.task.retry()
        assert tally.rows <= len(contents)
        if tally.rows == len(contents) and not tally.unanswered:
            # Every row is done or reported.
            assert tally.done + tally.refusals == len(contents)
            assert [each is not None for each in tally.ids].count(True) == tally.done
        return tally

    @rule(answers=st.lists(ANSWERS, max_size=5), crash=st.one_of(st.none(), st.integers(1, 12)))
    def attempt(self, answers: list[tuple[bool, str]], crash: int | None) -> None:
        """Requests may get through, get lost, or lose their answers; the worker may die before or after any write."""
        self.vendor.script = [(done, (ERRORS if done else UNTOUCHED)[error]()) for done, error in answers]
        writes = iter(range(1, 100))

        def interrupt(when: str, value: Any) -> None:
            if next(writes) == crash:
                raise WorkerDiedError

        self.task.store.interrupt = interrupt
        self.tried(self.rows)

    @rule()
    def clear(self) -> None:
        """A user clears the task."""
        self.task.clear()

    @rule(hours=st.sampled_from([1, 21, 30]))
    def wait(self, hours: int) -> None:
        """Time passes; keys are forgotten in the end."""
        self.now += hours * HOUR

    @rule(at=st.sampled_from([1, 5]))
    def correct(self, at: int) -> None:
        """The user corrects a row that is refused."""
        self.rows[at] = self.rows[at].rstrip(REFUSED)

    @precondition(lambda self: len(self.rows) < 14)
    @rule()
    def append(self) -> None:
        """The user adds a row at the end."""
        self.rows.append(str(self.added))
        self.added += 1

    @rule(cut=st.integers(1, 4), answers=st.lists(ANSWERS, max_size=3))
    def mistake(self, cut: int, answers: list[tuple[bool, str]]) -> None:
        """The user loses the first rows, and takes that back after a try."""
        self.vendor.script = [(done, (ERRORS if done else UNTOUCHED)[error]()) for done, error in answers]
        self.tried(self.rows[cut:])

    @invariant()
    def each_row_at_most_once(self) -> None:
        counts = Counter(self.vendor.posted)
        assert not {row: number for row, number in counts.items() if number > 1}

    def settled(self) -> None:
        """All is corrected and the vendor is well: what no person has to look at gets done."""
        self.rows = [row.rstrip(REFUSED) for row in self.rows]
        self.task.clear()
        outcome = self.tried(self.rows)
        self.each_row_at_most_once()
        if isinstance(outcome, BatchResult) and not outcome.unanswered:
            assert Counter(self.vendor.posted) == Counter(self.rows)


TestPosting = pytest.mark.slow(Posting.TestCase)
TestPosting.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
