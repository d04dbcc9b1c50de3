# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Within a process one caller gets a token; those who ask meanwhile get its result, or its error."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.errors import StoreError


class SingleFlight:
    """Work by key, done once for all who want it at the same time. No lock is held while it is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[str]] = {}

    def do(self, key: Hashable, work: Callable[[], str], meanwhile: Callable[[], str | None]) -> str:
        """Return what ``work`` returns, done by this caller or by one who is at it already.

        :param key: what it is for
        :param work: gets the result
        :param meanwhile: returns what will do for those who would have to wait, or None
        :raises ApiError: what the work raised; a failure answers all who waited for it
        :raises StoreError: likewise
        """
        while True:
            with self._lock:
                flight, mine = self._flights.get(key), Future[str]()
                if flight is None:
                    self._flights[key] = mine
            if flight is None:
                return self._fly(key, mine, work)
            if (found := meanwhile()) is not None:
                return found
            error = flight.exception()
            if error is None:
                return flight.result()
            if isinstance(error, (ApiError, StoreError)):
                raise copy.copy(error)
            # Whoever was at it was interrupted, which says nothing about the others.

    def after_fork(self) -> None:
        """Forget, in a forked child, what the parent's threads are at."""
        self._lock, self._flights = threading.Lock(), {}

    def _fly(self, key: Hashable, mine: Future[str], work: Callable[[], str]) -> str:
        try:
            result = work()
        except BaseException as error:  # those who wait must hear of an interrupt as well, or wait for ever
            self._land(key, mine)
            mine.set_exception(error)
            raise
        self._land(key, mine)
        mine.set_result(result)
        return result

    def _land(self, key: Hashable, mine: Future[str]) -> None:
        with self._lock:
            if self._flights.get(key) is mine:
                del self._flights[key]
