# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fault matrix as data: what happens at each step, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.steps import Step
from tests.chaos.subjects import Cell, Left


@dataclass(frozen=True)
class Blow:
    """What happens at a step, and what it leaves behind.

    :param kill: the process is killed; otherwise the network fails
    :param how: in words
    :param left: what it leaves behind
    :param fault: what the vendor is told to do to the request that submits
    :param status_fault: what the vendor is told to do to reading how it stands
    """

    step: Step
    kill: bool
    how: str
    left: Left
    fault: Mapping[str, Any] = field(default_factory=dict)
    status_fault: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """Where in the matrix it stands."""
        return self.step, self.kill

    def __str__(self) -> str:
        return f"{'SIGKILL' if self.kill else 'network'} {self.step.value}"


_SILENT = {"kind": "delay", "when": "after", "seconds": 20}
_SLOWLY = {"kind": "slow_body", "seconds": 5}
_ONE_CALL = 5
"""Attempts of one call that may be repeated."""

BLOWS = (
    Blow(Step.BEFORE_INTENT, True, "killed before the intent is written", Left.NOTHING),
    Blow(Step.BEFORE_INTENT, False, "no name is resolved from the start", Left.NOTHING),
    Blow(Step.AFTER_INTENT, True, "killed when the intent is written", Left.NOTHING),
    Blow(Step.AFTER_INTENT, False, "connections are refused once the intent is written", Left.NOTHING),
    Blow(Step.CONNECTED, True, "killed when the connection is made", Left.NOTHING),
    Blow(Step.CONNECTED, False, "the connection is cut before the first byte", Left.DOUBT),
    Blow(Step.LEAVING, True, "killed when the record says that it leaves", Left.DOUBT),
    Blow(Step.LEAVING, False, "Airflow is out of reach for the fence", Left.NOTHING),
    Blow(Step.SENT, True, "killed when the request is sent", Left.DOUBT, fault={"kind": "drop_before"}),
    Blow(Step.SENT, False, "reset when the request is sent", Left.DOUBT, fault={"kind": "reset_before"}),
    Blow(Step.PROCESSED, True, "killed from outside when the ledger shows it", Left.DONE, fault=_SILENT),
    Blow(Step.PROCESSED, False, "closed without an answer when processed", Left.DONE, fault={"kind": "drop_after"}),
    Blow(Step.FIRST_BYTE, True, "killed when the head has come", Left.DONE, fault=_SLOWLY),
    Blow(Step.FIRST_BYTE, False, "closed within the body", Left.DONE, fault={"kind": "drop_mid"}),
    Blow(Step.ANSWERED, True, "killed when the whole answer has come", Left.DONE),
    Blow(Step.ANSWERED, False, "the network is gone when the whole answer has come", Left.RECEIPT),
    Blow(Step.BEFORE_RECEIPT, True, "killed before the receipt is written", Left.DONE),
    Blow(Step.BEFORE_RECEIPT, False, "Airflow is out of reach for the receipt", Left.DONE),
    Blow(Step.RECEIPT, True, "killed when the receipt is written", Left.RECEIPT),
    Blow(Step.RECEIPT, False, "the first look is reset", Left.RECEIPT, status_fault={"kind": "reset_before"}),
    Blow(Step.DEFERRING, True, "killed when it is about to defer", Left.RECEIPT),
    Blow(
        Step.DEFERRING,
        False,
        "no look succeeds before the deferral",
        Left.RECEIPT,
        status_fault={"kind": "drop_before", "count": _ONE_CALL},
    ),
    Blow(Step.TRIGGER, True, "the triggerer is killed, another takes over", Left.RECEIPT),
    Blow(
        Step.TRIGGER,
        False,
        "the first three looks of the trigger fail",
        Left.RECEIPT,
        status_fault={"kind": "drop_before", "count": 3 * _ONE_CALL},
    ),
    Blow(Step.RESUMED, True, "killed when it resumes", Left.RECEIPT),
    Blow(Step.RESUMED, False, "Airflow is out of reach when it resumes", Left.RECEIPT),
)
