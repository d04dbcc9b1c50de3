# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a person is told about a record that stands in the way of a submission."""

from __future__ import annotations

from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.request import SubmissionRequest


def unknown(record: Record, request: SubmissionRequest, why: str, then: str) -> str:
    """Say that nobody can know what became of a submission.

    :param why: how that came about
    :param then: what a person can do
    """
    return (
        f"Nobody can know whether the {request.what} was submitted to {request.vendor} at {record.time} ({why}). It is "
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
        f"lost with the answer. It is never submitted anew by itself. {then}"
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
    return f"The next try sees to that: it {how}. If no try is left, clear the task; have nothing forgotten before."


def remedies(record: Record, vendor: str, operation: int | str) -> str:
    """Return what a person can do about an unsettled record.

    :param record: the record
    :param vendor: the vendor's name
    :param operation: the submission's number within its task
    """
    number = f" --number {operation}" if operation else ""
    listed = f"the {record.parts} parts that 'airflow mkt submissions show{number}' lists"
    return (
        f"Look at {vendor} for {listed if record.parts else f'the reference {record.reference!r}'}. If it is "
        "there, hand its ids over with "
        f"'airflow mkt submissions adopt{number}', otherwise 'airflow mkt submissions forget{number}' has it "
        "submitted anew; then clear the task."
    )


def resubmit_hint() -> str:
    """Say how what stands recorded as submitted is submitted once more."""
    return (
        "Clearing the task attaches to what was submitted. To have it submitted anew, run 'airflow mkt submissions "
        "forget' once you have looked at the vendor, then clear the task."
    )


def elsewhere(record: Record, request: SubmissionRequest, conn_id: str) -> str:
    """Say that an open submission was sent through another connection than today's ``conn_id``."""
    return (
        f"The {request.what} of {record.time} has no answer yet, and was sent through the connection "
        f"{record.conn_id!r}; now it is {conn_id!r}. Another account can neither tell what became of it nor be sent "
        f"it. Set conn_id back to {record.conn_id!r} to have it settled, or:"
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
