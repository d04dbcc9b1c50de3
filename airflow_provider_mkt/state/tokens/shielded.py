# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Work that must not be cut short where it stands."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

GRACE = 4.0
"""Seconds for which an interrupted caller still waits. Airflow kills a task five seconds after asking it to stop."""


def shielded(work: Callable[[], T]) -> T:
    """Do ``work`` in a thread of its own, and wait for it.

    Airflow's ``execution_timeout`` and its signals raise exceptions in the main thread, at any point of it. One that
    comes while ``work`` lasts is raised when that is done, or after some seconds; then ``work`` goes on while the
    process lives.

    :return: what ``work`` returned
    :raises BaseException: whatever ``work`` raised, or what interrupted the caller
    """
    outcome: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(work)
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    thread = threading.Thread(target=run, name="mkt-uninterrupted", daemon=True)
    try:
        thread.start()
        return outcome.result()
    except BaseException:
        # What interrupted the wait matters more than what became of the work, which is kept elsewhere.
        with suppress(Exception):
            outcome.exception(GRACE)
        raise
