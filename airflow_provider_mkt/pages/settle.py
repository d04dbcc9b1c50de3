# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Adopting and forgetting a launch. A form without a yes is answered with what will happen."""

from __future__ import annotations

import re

from airflow_provider_mkt.control.records import kept
from airflow_provider_mkt.control.settling import Settling, SettlingError
from airflow_provider_mkt.pages.audit import note
from airflow_provider_mkt.pages.launch import found, to_settle
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.launches.launch import Launch

BETWEEN_IDS = re.compile(r"[\s,;]+")


def adopt(visit: Visit) -> Shown | GoTo:
    """Hand over the ids that a person found at the vendor."""
    launch, settled = _settling(visit)
    ids = [each for each in BETWEEN_IDS.split(visit.form.get("ids", "")) if each]
    try:
        receipt = settled.record.adopt(ids).receipt
        if not visit.sure:
            return visit.ask(
                title="Adopt this launch?",
                says=[
                    f"{launch.vendor} has it as {', '.join(ids)}. Nothing is sent.",
                    f"The record will say so, and the next try attaches to that. {settled.following}.",
                ],
                form={"ids": " ".join(ids)},
                button="Adopt",
                back=f"/launches/{launch.launch}",
                launch=launch,
            )
        settled.adopt(ids, sure=True)
    except (SettlingError, ValueError) as error:
        raise RefusedError(409, str(error)) from None
    note(visit.may, "adopt", launch, why=", ".join(ids), receipt=receipt)
    return GoTo(f"/launches/{launch.launch}?did=adopted")


def forget(visit: Visit) -> Shown | GoTo:
    """Void a launch: the next try submits again."""
    launch, settled = _settling(visit)
    record = settled.record
    try:
        if not visit.sure:
            return visit.ask(
                title="Forget this launch?",
                says=[
                    f"The next try submits it again, under a key of its own. {settled.following}.",
                    f"If it did happen, it happens a second time. It was written down at {record.time}.",
                    f"Look for {record.reference!r} at {launch.vendor} first.",
                ],
                button="I have looked: forget it",
                danger=True,
                back=f"/launches/{launch.launch}",
                launch=launch,
            )
        settled.forget(sure=True)
    except SettlingError as error:
        raise RefusedError(409, str(error)) from None
    note(visit.may, "forget", launch, reference=record.reference)
    return GoTo(f"/launches/{launch.launch}?did=forgotten")


def _settling(visit: Visit) -> tuple[Launch, Settling]:
    launch = found(visit)
    if not visit.may.may_settle(launch.dag_id):
        raise RefusedError(403, f"You may not edit the task instances of {launch.dag_id}.")
    try:
        return launch, to_settle(launch, kept(launch))
    except SettlingError as error:
        raise RefusedError(409, str(error)) from None
