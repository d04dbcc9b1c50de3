# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people are told about a record that a submission cannot simply go on from."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_mkt.exceptions import MalformedResponseError, OutcomeUnknownError
from airflow_provider_mkt.submission.decisions import Found
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.record import Record, moment
from airflow_provider_mkt.submission.request import SubmissionRequest

FACTS = ("method", "path", "status", "request_id", "retry_after")
"""What an error takes over from the one that caused it."""


def refusal(found: Found, record: Record, request: SubmissionRequest, conn_id: str) -> str:
    """Return what is said of a record that is not gone on from.

    :param found: what it was taken for
    :param conn_id: the connection of this try
    """
    if found is Found.CHANGED:
        return changed(record, request)
    if found is Found.COPIED:
        return copied(record, request, deployment())
    return elsewhere(record, request, conn_id)


def error(
    record: Record, request: SubmissionRequest, cause: Exception | None, then: str, *, pending: bool
) -> OutcomeUnknownError | MalformedResponseError:
    """Return the error that says what is not known of a submission.

    :param cause: what ended its request, if this very try had it
    :param then: what the next try, or else a person, does
    :param pending: whether the next try may settle it
    """
    facts = {name: getattr(cause, name, None) for name in FACTS}
    if record.executed:
        lost = MalformedResponseError(
            executed(record, request, cause, then), executed=True, vendor=request.vendor, **facts
        )
        lost.resolvable = pending
        return lost
    why = str(cause) if cause else "the task died before an answer was recorded"
    say = not_yet_known if pending else unknown
    doubtful = OutcomeUnknownError(say(record, request, why, then), vendor=request.vendor, **facts)
    doubtful.reference = record.reference
    doubtful.resolvable = pending or request.trace is not None
    return doubtful


def unknown(record: Record, request: SubmissionRequest, why: str, then: str) -> str:
    """Say that the outcome of a submission is unknown, and that a person has to check.

    :param why: how that came about
    :param then: what a person can do
    """
    return (
        f"It is unknown whether the {request.what} was submitted to {request.vendor} at {record.time} ({why}). It is "
        f"not submitted again by itself. {then}"
    )


def not_yet_known(record: Record, request: SubmissionRequest, why: str, then: str) -> str:
    """Say that the next try settles a submission.

    :param why: how that came about
    :param then: what the next try does
    """
    return (
        f"It is not known yet whether the {request.what} {record.reference!r} was submitted to {request.vendor} at "
        f"{record.time} ({why}). {then}"
    )


def executed(record: Record, request: SubmissionRequest, cause: Exception | None, then: str) -> str:
    """Say that a submission happened, and that its ids were lost with the answer.

    :param cause: what was wrong with the answer, if this very try had it
    :param then: what the next try, or else a person, does
    """
    said = f"{cause}. " if cause else ""
    return (
        f"{said}The {request.what} {record.reference!r} was submitted at {record.time}, but what to follow it by was "
        f"lost with the answer. It is never submitted again by itself. {then}"
    )


def next_try(vendor: str, *, repeated: bool) -> str:
    """Say how the next try settles a submission.

    :param repeated: it sends the same request with the same key, rather than asking for it
    """
    how = (
        f"sends the same request with the same key, and {vendor} answers with what it did the first time"
        if repeated
        else f"looks for it at {vendor}"
    )
    return f"The next try settles that: it {how}. If no try is left, clear the task. Do not forget the record before."


def remedies(record: Record, vendor: str, operation: int | str, *, untraceable: str = "") -> str:
    """Return what a person can do about an unsettled record.

    :param record: the record
    :param vendor: the vendor's name
    :param operation: the submission's number within its task
    :param untraceable: why the vendor could not be asked
    """
    number = f" --number {operation}" if operation else ""
    listed = f"the {record.parts} parts that 'airflow mkt submissions show{number}' lists"
    since = f" That is conclusive from {moment(record.conclusive_at)} on." if record.conclusive_at else ""
    return (
        f"Look at {vendor} for {listed if record.parts else f'the reference {record.reference!r}'}.{since}"
        f"{_checked(record.evidence, untraceable)} If it is there, hand its ids over with 'airflow mkt submissions "
        f"adopt{number}'. Otherwise 'airflow mkt submissions forget{number}' has it submitted again. Then clear the "
        "task."
    )


def _checked(evidence: Sequence[str], untraceable: str) -> str:
    """Say what was looked at already."""
    if evidence:
        return f" Checked so far: {'; '.join(evidence)}."
    return f" Nothing could be checked from here: {untraceable}." if untraceable else ""


def resubmit_hint() -> str:
    """Say how what is recorded as submitted is submitted once more."""
    return (
        "Clearing the task attaches to what was submitted. To have it submitted again, check the vendor, run 'airflow "
        "mkt submissions forget', then clear the task."
    )


def elsewhere(record: Record, request: SubmissionRequest, conn_id: str) -> str:
    """Say that an open submission was sent through another connection than today's ``conn_id``."""
    return (
        f"The {request.what} of {record.time} has no answer yet, and was sent through the connection "
        f"{record.conn_id!r}; now it is {conn_id!r}. Another account can neither tell what became of it nor be sent "
        f"it. Set conn_id back to {record.conn_id!r} to have it settled, or:"
    )


def copied(record: Record, request: SubmissionRequest, here: str) -> str:
    """Say that an open submission belongs to another deployment."""
    return (
        f"The {request.what} of {record.time} was begun by the deployment {record.deployment!r}; this is "
        f"{here!r}. Nothing was sent. If this database is a copy, leave the launch to the original. If it is the "
        f"original under a new name, set [mkt] deployment to {record.deployment!r}, or:"
    )


def listed_already(request: SubmissionRequest, ours: Sequence[object], operation: int | str) -> str:
    """Say that the vendor shows a first submission's own reference before it was sent."""
    number = f" --number {operation}" if operation else ""
    return (
        f"{request.vendor} lists a {request.what} under this task's own reference {request.reference!r} already "
        f"({', '.join(map(str, ours))}), although nothing was recorded here. Airflow's database was restored from a "
        "backup, or this is a copy of another deployment with the same name. Nothing was sent. To go on with what is "
        f"there, run 'airflow mkt submissions adopt{number}'. To submit another one, run 'airflow mkt submissions "
        f"forget{number}'. Then clear the task."
    )


def changed(record: Record, request: SubmissionRequest) -> str:
    """Say that the request differs from the recorded one, and in which fields."""
    names = ""
    if isinstance(record.body, dict) and isinstance(request.body, dict):
        old, new = record.body, request.body
        names = ", ".join(name for name in sorted({*old, *new}) if old.get(name, ...) != new.get(name, ...))
    return (
        f"The {request.what} for {request.vendor} was recorded at {record.time} (state: {record.state}) with another "
        "request"
        + (f"; these fields differ: {names}" if names else "")
        + ". It is not submitted a second time. Restore the DAG as it was to go on with the recorded one, or run "
        "'airflow mkt submissions forget' to submit the new one; then clear the task."
    )
