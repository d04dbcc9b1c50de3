# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a person is told about a record that stands in the way of a submission."""

from __future__ import annotations

from airflow_provider_mkt.submission_record import Order, Record


def ways_on(record: Record, vendor: str, operation: int | str) -> str:
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


def elsewhere(record: Record, order: Order, conn_id: str) -> str:
    """Say that an open submission was sent through another connection than today's ``conn_id``."""
    return (
        f"The {order.what} of {record.time} has no answer yet, and was sent through the connection "
        f"{record.conn_id!r}; now it is {conn_id!r}. Another account can neither tell what became of it nor be sent "
        f"it. Set conn_id back to {record.conn_id!r} to have it settled, or:"
    )


def changed(record: Record, order: Order) -> str:
    """Say that the request differs from the recorded one, and in which fields."""
    names = ""
    if isinstance(record.body, dict) and isinstance(order.body, dict):
        old, new = record.body, order.body
        names = ", ".join(name for name in sorted({*old, *new}) if old.get(name, ...) != new.get(name, ...))
    return (
        f"The {order.what} for {order.vendor} was recorded at {record.time} (state: {record.state}) with another "
        "request"
        + (f"; these fields differ: {names}" if names else "")
        + ". It is not submitted a second time. Restore the DAG as it was to go on with the recorded one, or run "
        "'airflow mkt submissions forget' to submit the new one; then clear the task."
    )
