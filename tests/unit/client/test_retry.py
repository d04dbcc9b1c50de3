# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The retry policy as a table, and what must hold for every outcome in every order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Safety
from airflow_provider_mkt.client.outcome import Known, Outcome
from airflow_provider_mkt.client.retry import ATTEMPTS, LONGEST_WAIT, Decision, Next, backoff, decide, leaves_doubt

# What follows a first attempt; columns: READ, IDEMPOTENT, KEYED, ONCE.
FIRST = {
    Known.ANSWERED: "done done done done",
    Known.NOT_SENT: "retry retry retry retry",
    Known.THROTTLED: "retry retry retry retry",
    Known.UNAUTHORIZED: "renew renew renew renew",
    Known.REFUSED: "fail fail fail fail",
    Known.FAILED: "retry retry retry unknown",
    Known.UNKNOWN: "retry retry retry unknown",
    Known.UNREADABLE: "retry retry retry fail",
}
# What follows the last attempt, whose credentials were renewed before.
LAST = {
    Known.ANSWERED: "done done done done",
    Known.NOT_SENT: "fail fail fail fail",
    Known.THROTTLED: "fail fail fail fail",
    Known.UNAUTHORIZED: "fail fail fail fail",
    Known.REFUSED: "fail fail fail fail",
    Known.FAILED: "fail fail unknown unknown",
    Known.UNKNOWN: "fail fail unknown unknown",
    Known.UNREADABLE: "fail fail fail fail",
}
CELLS = [
    (known, safety, attempt, cell)
    for attempt, table in ((1, FIRST), (ATTEMPTS, LAST))
    for known, row in table.items()
    for safety, cell in zip(Safety, row.split(), strict=True)
]


def test_the_tables_have_no_gap() -> None:
    assert set(FIRST) == set(LAST) == set(Known)


@pytest.mark.parametrize(("known", "safety", "attempt", "cell"), CELLS)
def test_table(known: Known, safety: Safety, attempt: int, cell: str) -> None:
    decision = decide(safety, attempt, Outcome(known), renewed=attempt == ATTEMPTS)
    assert decision.next is Next("retry" if cell == "renew" else cell)
    assert decision.renew is (cell == "renew")


@pytest.mark.parametrize("known", [Known.THROTTLED, Known.FAILED, Known.UNKNOWN, Known.NOT_SENT])
def test_the_vendors_wait_is_kept_to_the_second(known: Known) -> None:
    assert decide(Safety.READ, 1, Outcome(known, retry_after=7.25)) == Decision(Next.RETRY, 7.25)
    assert decide(Safety.READ, 1, Outcome(known, retry_after=0.0)) == Decision(Next.RETRY, 0.0)


def test_longer_waits_are_left_to_the_task() -> None:
    assert decide(Safety.READ, 1, Outcome(Known.THROTTLED, retry_after=LONGEST_WAIT)).next is Next.RETRY
    assert decide(Safety.READ, 1, Outcome(Known.THROTTLED, retry_after=LONGEST_WAIT + 1)).next is Next.FAIL


@pytest.mark.parametrize("last", [Known.REFUSED, Known.UNAUTHORIZED, Known.THROTTLED, Known.NOT_SENT])
@pytest.mark.parametrize("first", [Known.UNKNOWN, Known.FAILED, Known.UNREADABLE])
def test_a_later_refusal_does_not_undo_what_happened_before(first: Known, last: Known) -> None:
    """201 with a broken body, then 401 or a 429 for an hour: the post exists, and nobody may say "refused"."""
    assert leaves_doubt(Safety.KEYED, Outcome(first))
    end = decide(Safety.KEYED, ATTEMPTS, Outcome(last, retry_after=3600.0), renewed=True, doubt=True)
    assert end.next is Next.UNKNOWN


@given(st.integers(1, 40), st.floats(0, 1))
def test_backoff_is_bounded(attempt: int, jitter: float) -> None:
    assert 0.5 <= backoff(attempt, jitter) <= LONGEST_WAIT
    assert backoff(attempt, 0) <= backoff(attempt, jitter) <= backoff(attempt, 1) == 2 * backoff(attempt, 0)


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Known),
    retry_after=st.none() | st.floats(0, 1e6),
)
EXECUTABLE = (Known.UNKNOWN, Known.FAILED, Known.UNREADABLE, Known.ANSWERED)


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
    assert waited <= ATTEMPTS * LONGEST_WAIT
    assert (decision.next is Next.DONE) is (met[-1] is Known.ANSWERED)
    if safety is Safety.ONCE:
        assert len(executable) <= 1
        assert all(known not in EXECUTABLE for known in met[:-1])
    if safety in (Safety.KEYED, Safety.ONCE) and executable and decision.next is not Next.DONE:
        assert decision.next is Next.UNKNOWN or met[-1] is Known.UNREADABLE
    if not executable:
        assert decision.next is Next.FAIL
