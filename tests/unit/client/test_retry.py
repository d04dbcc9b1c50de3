# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The retry policy as a table, and what must hold for every outcome in every order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Safety
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.retry import ATTEMPTS, MAX_WAIT, Decision, Next, backoff, decide, leaves_doubt

# What follows a first attempt; columns: READ, IDEMPOTENT, KEYED, ONCE.
FIRST = {
    Certainty.ANSWERED: "done done done done",
    Certainty.NOT_SENT: "retry retry retry retry",
    Certainty.THROTTLED: "retry retry retry retry",
    Certainty.UNAUTHORIZED: "renew renew renew renew",
    Certainty.REFUSED: "fail fail fail fail",
    Certainty.FAILED: "retry retry retry unknown",
    Certainty.UNKNOWN: "retry retry retry unknown",
    Certainty.UNREADABLE: "retry retry retry fail",
    Certainty.CONTRADICTED: "unknown unknown unknown unknown",
}
# What follows the last attempt, whose credentials were renewed before.
LAST = {
    Certainty.ANSWERED: "done done done done",
    Certainty.NOT_SENT: "fail fail fail fail",
    Certainty.THROTTLED: "fail fail fail fail",
    Certainty.UNAUTHORIZED: "fail fail fail fail",
    Certainty.REFUSED: "fail fail fail fail",
    Certainty.FAILED: "fail fail unknown unknown",
    Certainty.UNKNOWN: "fail fail unknown unknown",
    Certainty.UNREADABLE: "fail fail fail fail",
    Certainty.CONTRADICTED: "unknown unknown unknown unknown",
}
CELLS = [
    (known, safety, attempt, cell)
    for attempt, table in ((1, FIRST), (ATTEMPTS, LAST))
    for known, row in table.items()
    for safety, cell in zip(Safety, row.split(), strict=True)
]


def test_the_tables_have_no_gap() -> None:
    assert set(FIRST) == set(LAST) == set(Certainty)


@pytest.mark.parametrize(("known", "safety", "attempt", "cell"), CELLS)
def test_table(known: Certainty, safety: Safety, attempt: int, cell: str) -> None:
    decision = decide(safety, attempt, Outcome(known), renewed=attempt == ATTEMPTS)
    assert decision.next is Next("retry" if cell == "renew" else cell)
    assert decision.renew is (cell == "renew")


@pytest.mark.parametrize("known", [Certainty.THROTTLED, Certainty.FAILED, Certainty.UNKNOWN, Certainty.NOT_SENT])
def test_the_vendors_wait_is_kept_to_the_second(known: Certainty) -> None:
    assert decide(Safety.READ, 1, Outcome(known, retry_after=7.25)) == Decision(Next.RETRY, 7.25)
    assert decide(Safety.READ, 1, Outcome(known, retry_after=0.0)) == Decision(Next.RETRY, 0.0)


def test_longer_waits_are_left_to_the_task() -> None:
    assert decide(Safety.READ, 1, Outcome(Certainty.THROTTLED, retry_after=MAX_WAIT)).next is Next.RETRY
    assert decide(Safety.READ, 1, Outcome(Certainty.THROTTLED, retry_after=MAX_WAIT + 1)).next is Next.FAIL


@pytest.mark.parametrize("last", [Certainty.REFUSED, Certainty.UNAUTHORIZED, Certainty.THROTTLED, Certainty.NOT_SENT])
@pytest.mark.parametrize("first", [Certainty.UNKNOWN, Certainty.FAILED, Certainty.UNREADABLE])
def test_a_later_refusal_does_not_undo_what_happened_before(first: Certainty, last: Certainty) -> None:
    """201 with a broken body, then 401 or a 429 for an hour: the post exists, and nobody may say "refused"."""
    assert leaves_doubt(Safety.KEYED, Outcome(first))
    end = decide(Safety.KEYED, ATTEMPTS, Outcome(last, retry_after=3600.0), renewed=True, doubt=True)
    assert end.next is Next.UNKNOWN


@given(st.integers(1, 40), st.floats(0, 1))
def test_backoff_is_bounded(attempt: int, jitter: float) -> None:
    assert 0.5 <= backoff(attempt, jitter) <= MAX_WAIT
    assert backoff(attempt, 0) <= backoff(attempt, jitter) <= backoff(attempt, 1) == 2 * backoff(attempt, 0)


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Certainty),
    retry_after=st.none() | st.floats(0, 1e6),
)
EXECUTABLE = (
    Certainty.UNKNOWN,
    Certainty.FAILED,
    Certainty.UNREADABLE,
    Certainty.CONTRADICTED,
    Certainty.ANSWERED,
)


@pytest.mark.proof
@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(Safety), st.lists(OUTCOMES, min_size=30, max_size=30), st.booleans(), st.floats(0, 1))
def test_any_sequence(safety: Safety, outcomes: list[Outcome], curable: bool, jitter: float) -> None:
    """Play whole calls: they end, they wait a bounded time, launches happen once, doubt is never lost."""
    renewed, doubt, waited, met = not curable, False, 0.0, []
    for attempt, outcome in enumerate(outcomes, start=1):
        decision = decide(safety, attempt, outcome, renewed=renewed, doubt=doubt, jitter=jitter)
        doubt |= leaves_doubt(safety, outcome)
        met.append(outcome.known)
        waited += decision.wait
        if decision.next is not Next.RETRY:
            break
        renewed |= decision.renew
    executable = [known for known in met if known in EXECUTABLE]
    assert attempt <= ATTEMPTS + 1
    assert waited <= ATTEMPTS * MAX_WAIT
    assert (decision.next is Next.DONE) is (met[-1] is Certainty.ANSWERED)
    if safety is Safety.ONCE:
        assert len(executable) <= 1
        assert all(known not in EXECUTABLE for known in met[:-1])
    if safety in (Safety.KEYED, Safety.ONCE) and executable and decision.next is not Next.DONE:
        assert decision.next is Next.UNKNOWN or met[-1] is Certainty.UNREADABLE
    if not executable:
        assert decision.next is Next.FAIL
