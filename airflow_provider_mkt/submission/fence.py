# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fence: the last thing before a launch leaves.

Between the intent and the first byte lie a token, a wait for the rate budget and a connect. A process can stand still
in each of them for an hour, and Airflow starts the next try meanwhile. So a request leaves only through here:

1. The launch desk lets it begin: it is in the register, nothing has been stopped in the last seconds, and where an
   approval is wanted, somebody has approved exactly what leaves.
2. Airflow still has this task as running.
3. The record is what this try wrote. A try that was given up reads nothing, since its id is gone.
4. The record says that the request is about to leave. A try that was given up cannot write that.
5. All this was a moment ago; if not, it is asked again.
6. No signal has arrived.

A later try that finds ``sent: false`` therefore knows that nothing left and nothing will. What stays open is the time
between the answers and the first byte: some microseconds, see ``benchmarks/fence.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mkt.client.durations import elapsed
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.exceptions import StoppedError
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.record_file import RecordFile
from airflow_provider_mkt.tasks.guard import Guard

if TYPE_CHECKING:
    from airflow_provider_mkt.submission.desk import Desk

FRESH = 1.0
"""Seconds that the answers may be old when the request leaves. The next try of a task takes longer to start."""
DESK_FRESH = 4.0
"""Seconds that the desk's answer may be old. What is stopped begins nothing five seconds later."""
MAX_ROUNDS = 5
"""Times that they are asked for, on a machine or with an API server that takes longer than that."""


class Fence:
    """Lets one submission's request leave, as often as the client has to send it.

    :param file: the record's place
    :param record: as this try has written it
    :param guard: whether Airflow still wants this try
    :param confirm: what else has to hold; raises when it does not
    :param call: what leaves
    :param desk: lets a record's launch begin, or not, and is told when nothing left; None where there is none
    :param clock: Unix time
    :param elapsed: seconds, to tell how long something took
    """

    def __init__(
        self,
        file: RecordFile,
        record: Record,
        guard: Guard,
        confirm: Callable[[], None],
        call: Call,
        *,
        clock: Callable[[], float],
        desk: Desk | None = None,
        elapsed: Callable[[], float] = elapsed,
    ) -> None:
        self._file, self._guard, self._also, self._call = file, guard, confirm, call
        self._clock, self._elapsed, self._desk = clock, elapsed, desk
        self._before = record
        self.record = record
        self.passed = False

    def __call__(self) -> None:
        """Return when the request may leave, now.

        :raises StoppedError: when it must not. Nothing was sent; the record says so, unless it is another one's
        :raises Exception: what else does not hold, in the same way
        """
        try:
            self._confirm()
            self._guard.check_signal()
        except (Exception, AirflowTaskTimeout):
            self._take_back()
            raise
        self.passed = True

    def _confirm(self) -> None:
        self._guard.check_signal()
        asked = float("-inf")
        for turn in range(MAX_ROUNDS):
            if self._desk is not None and self._elapsed() - asked > DESK_FRESH - FRESH:
                asked = self._elapsed()
                self._desk.admit(self._before, self._file.writer, self._call)
            began = self._elapsed()
            self._guard.check_state()
            self._also()
            if turn == 0:
                self.record = self._file.write(replace(self._before, sent=True, sent_at=self._clock()))
            elif not self._file.is_unchanged():
                raise StoppedError("This process stood still, and another try or a person went on. Nothing was sent.")
            now = self._elapsed()
            if now - began <= FRESH and (self._desk is None or now - asked <= DESK_FRESH):
                return
        raise StoppedError(
            f"Airflow's API took longer than {FRESH:.0f} s to confirm this try, or the shared store longer than "
            f"{DESK_FRESH:.0f} s, {MAX_ROUNDS} times in a row. Nothing was sent."
        )

    def _take_back(self) -> None:
        """Note that nothing left after all, if that is certain and the record is still ours."""
        # What may not happen twice is sent again only when it certainly was not executed.
        may_have_left = self.passed and self._call.safety is not Safety.ONCE
        if may_have_left or not self._file.is_unchanged():
            return
        if self.record is self._before:
            if self._desk is not None:
                self._desk.note(self._before, self._file.writer)
            return
        self.record = self._file.overwrite(self._before)
