# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Any sequence of tries, crashes, clears and answers: never twice, never stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ValidationError,
)
from airflow_provider_mkt.submission.record import ADOPTED, INTENT, SUBMITTED, Record
from airflow_provider_mkt.submission.request import SubmissionRequest
from tests.unit.context import Store, Task, WorkerDiedError, step_of
from tests.unit.submission.vendor import HOUR, Clock, Vendor, settle, submission, submit, unknown


class Attempts(RuleBasedStateMachine):
    """One task, one vendor, anything that may happen to them; three kinds of vendors."""

    keyed = True
    traceable = False
    conclusive = False

    def __init__(self) -> None:
        super().__init__()
        self.task = Task(retries=3)
        self.vendor = Vendor(self.keyed, self.traceable, self.conclusive)
        self.clock = Clock()
        self.resubmit = False
        self.changed = False
        self.handed: Record | None = None  # what a person has made of the record, until a try goes by it
        self.wanted = 1  # how many effects there may be
        self.first_key_use: dict[str, float] = {}

    @property
    def state(self) -> str | None:
        return (self.task.store.get("mkt.submission.0") or {}).get("state")

    def request(self) -> SubmissionRequest:
        return self.vendor.request({"name": "b" if self.changed else "a"})

    def effects(self, key: str) -> int:
        return len(self.vendor.ids(key))

    @rule(
        executes=st.booleans(),
        error=st.sampled_from(["ok", "unknown", "malformed", "died"]),
        crash=st.sampled_from(
            [None, *((when, step) for step in ("intent", "leaving", "submitted") for when in ("before", "after"))]
        ),
        doubtful_crash=st.sampled_from([None, "before", "after"]),
    )
    def attempt(self, executes: bool, error: str, crash: tuple[str, str] | None, doubtful_crash: str | None) -> None:
        """One try whose request may get through, get lost, or lose its answer; the worker may die at any write."""
        errors: dict[str, BaseException] = {
            "unknown": unknown(),
            "malformed": MalformedResponseError("unreadable", executed=True),
            "died": WorkerDiedError(),
        }
        # A readable or unreadable success was executed; only a lost answer leaves that open.
        script = (executes or error in ("ok", "malformed"), errors.get(error))
        self._try(script, crash, doubtful_crash)

    @rule(error=st.sampled_from(["refused", "denied", "not sent", "throttled"]))
    def refused_attempt(self, error: str) -> None:
        """One try whose request was certainly not executed."""
        errors = {
            "refused": ValidationError("400"),
            "denied": AuthenticationError("401"),
            "not sent": NotSentError("refused"),
            "throttled": RateLimitError("429", retry_after=1.0),
        }
        self._try((False, errors[error]), None, None)

    def _try(self, script: Any, crash: tuple[str, str] | None, doubtful_crash: str | None) -> None:
        before = self.task.store.get("mkt.submission.0")
        self.vendor.script = [script]
        self.task.store.interrupt = self._interrupt(crash, doubtful_crash)
        # A vendor forgets keys after a day.
        for key, begun in list(self.first_key_use.items()):
            if self.clock.now - begun > 24 * HOUR:
                self.vendor.kept.pop(key, None)
                del self.first_key_use[key]
        error: BaseException | None = None
        record: Record | None = None
        sent = len(self.vendor.sent)
        try:
            record = submit(self.task, self.vendor, self.request(), resubmit=self.resubmit, clock=self.clock)
        except (ApiError, WorkerDiedError) as caught:
            error = caught
        finally:
            self.task.store.interrupt = None
        for call in self.vendor.sent[sent:]:
            self.first_key_use.setdefault(str(call.idempotency_key), self.clock.now)
        self._judge(before, record, error)
        if self.handed is not None:
            self._judge_handed(self.handed, record, error, self.vendor.sent[sent:])
        self.task.retry()

    def _interrupt(self, crash: tuple[str, str] | None, doubtful_crash: str | None) -> Callable[[str, Any], None]:
        def interrupt(when: str, value: dict[str, Any]) -> None:
            doubt = value["state"] == "intent" and value["doubtful"]
            if (doubt and when == doubtful_crash) or (not doubt and (when, step_of(value)) == crash):
                raise WorkerDiedError

        return interrupt

    def _judge(self, before: dict[str, Any] | None, record: Record | None, error: BaseException | None) -> None:
        after = self.task.store.get("mkt.submission.0")
        if record is not None:
            assert self.vendor.ids(record.key) == [record.receipt["id"]], "success means that it happened, once"
            assert after["receipt"], "a success can be attached to"
        elif error is not None and not isinstance(error, WorkerDiedError) and before is not None:
            same = after["generation"] == before["generation"]
            may_have_left = before["state"] == "intent" and (before["sent"] or before["doubtful"])
            if may_have_left and same and not self._changed_refusal(error):
                assert after["state"] == "intent"
                known = (OutcomeUnknownError, MalformedResponseError, RateLimitError)
                assert isinstance(error, known), f"doubt is hidden by {error!r}"
        new_generation = before is not None and after["generation"] > before["generation"]
        if new_generation and before is not None:
            absent = before["state"] == "intent" and self.conclusive
            settled = before["state"] in ("refused", "failed") or absent
            asked = self.resubmit and before["clear_count"] not in (after["clear_count"], ADOPTED)
            assert settled or asked
            self.wanted += asked and before["state"] in ("intent", "submitted")
            if before["state"] == "refused" or (absent and not asked):
                assert self.effects(before["key"]) == 0, "sent again although it had happened"

    def _judge_handed(
        self, handed: Record, record: Record | None, error: BaseException | None, sent: list[Call]
    ) -> None:
        """The first try after a person has looked goes by what that person said, unless it dies or the DAG changed."""
        after = Record.of(self.task.store.get("mkt.submission.0"))
        if handed.state == SUBMITTED:
            assert not sent, "what a person handed over is attached to"
            assert after.key == handed.key
            assert record is not None or isinstance(error, WorkerDiedError) or self._changed_refusal(error)
        else:
            assert sent or isinstance(error, WorkerDiedError), "what a person had forgotten is submitted anew"
            assert handed.key not in {call.idempotency_key for call in sent}
        if record is not None or after != handed:
            self.handed = None

    @staticmethod
    def _changed_refusal(error: BaseException | None) -> bool:
        return isinstance(error, ValidationError) and "was recorded at" in str(error)

    @rule()
    def clear(self) -> None:
        """A user clears the task."""
        self.task.clear()

    @rule(value=st.booleans())
    def ask_for_resubmission(self, value: bool) -> None:
        """The author sets, or removes, ``resubmit=True``."""
        self.resubmit = value

    @rule(value=st.booleans())
    def change(self, value: bool) -> None:
        """The author changes the DAG, or changes it back."""
        self.changed = value

    @rule(hours=st.sampled_from([1, 19, 23]))
    def wait(self, hours: int) -> None:
        """Time passes between tries."""
        self.clock.now += hours * HOUR

    @precondition(lambda self: self.state == SUBMITTED and self.handed is None)
    @rule()
    def fails_at_the_vendor(self) -> None:
        """The vendor confirms that nothing came of it."""
        ours = submission(self.task)
        record = ours.record()
        assert record is not None
        ours.fail(record)
        self.wanted += 1

    @precondition(lambda self: self.state == INTENT)
    @rule()
    def settle(self) -> None:
        """A person looks at the vendor, adopts what is there, and forgets what is not."""
        self.handed = settle(self.task, self.vendor)
        event(f"a person settles it as {self.handed.state}")

    @invariant()
    def never_twice(self) -> None:
        """No generation has more than one effect, and there is one launch, unless it failed or a person wants more."""
        for key in {key for key, _ in self.vendor.executed}:
            assert self.effects(key) == 1
        assert len(self.vendor.executed) <= self.wanted

    @invariant()
    def never_stuck(self) -> None:
        """From here, tried on a copy, a person who looks and clears gets what is there, or what was missing."""
        values = dict(self.task.store.values)
        task = replace(self.task, store=Store(values))
        vendor = replace(self.vendor, script=[], executed=[*self.vendor.executed], kept={**self.vendor.kept}, sent=[])
        task.try_number, task.max_tries = self.task.try_number, self.task.max_tries
        record = submission(task).record()
        if record is not None and record.state == INTENT:
            record = settle(task, vendor)
        task.clear()
        there = record is not None and record.state == SUBMITTED
        done = submit(task, vendor, vendor.request(record.body if record else {"name": "a"}), clock=self.clock)
        assert vendor.ids(done.key) == [done.receipt["id"]]
        assert len(vendor.executed) == len(self.vendor.executed) + (not there)


class KeyedAttempts(Attempts):
    pass


class OnceAttempts(Attempts):
    keyed = False


class TraceableAttempts(Attempts):
    keyed = False
    traceable = True


class ConclusiveAttempts(TraceableAttempts):
    conclusive = True


QUICK = settings(
    max_examples=min(50, settings.default.max_examples),
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestKeyed = KeyedAttempts.TestCase
TestOnce = OnceAttempts.TestCase
TestTraceable = TraceableAttempts.TestCase
TestConclusive = ConclusiveAttempts.TestCase
TestKeyed.settings = TestOnce.settings = TestTraceable.settings = TestConclusive.settings = QUICK
