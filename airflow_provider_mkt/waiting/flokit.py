# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a FloKit sync. A sync cannot be read by its id; the integration tells."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.client.paging import Unpaged
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.vendors import flokit
from airflow_provider_mkt.waiting.base import Verdict, WaitState, Watch
from airflow_provider_mkt.waiting.listing import Known, Listing, Part

GRACE = 60.0
"""Seconds for which an error that was there before the sync may still be shown after it was requested (assumed)."""


class Integrations(Listing):
    """All integrations of a workspace, in one answer. The single read has figures besides."""

    name = "integrations"
    abridged = True

    def parts(self, wanted: Known, now: float) -> Sequence[Part]:  # noqa: ARG002 - the base's signature
        """Return the whole list."""
        return [Part(flokit.LIST_INTEGRATIONS(priority=Priority.POLL), Unpaged(), wanted)]

    def single(self, thing: str) -> Call:
        """Return the request that reads one integration."""
        return flokit.GET_INTEGRATION(path={"integration_id": thing}, priority=Priority.POLL)


@dataclass(frozen=True)
class SyncWatch(Watch):
    """The next successful sync of an integration.

    :param integration_id: the integration
    :param since: a sync counts when it ended after this moment (ISO 8601). Taken from the vendor's own last answer
        where there is one, so that clocks need not agree. Empty: any sync counts
    :param old_error: digest of the error shown before the sync was requested, which must not be taken for its result
    :param requested_at: Unix time of the request, when there was one
    """

    integration_id: str
    since: str | None = None
    old_error: str | None = None
    requested_at: float | None = None

    hook = FlokitHook
    listing = Integrations()

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the integration."""
        answer = yield self.listing.single(self.integration_id)
        return self._judged(answer)

    def ids(self) -> list[str]:
        """Return the integration."""
        return [self.integration_id]

    def judge(self, rows: Mapping[str, Any]) -> Verdict:
        """Judge the integration's row."""
        return self._judged(rows[self.integration_id])

    def occasion(self, verdict: Verdict) -> str:
        """Return when the sync ended: each is an occasion of its own."""
        return str(verdict.answer.get("last_synced_at"))

    def first_counts(self) -> bool:
        """Tell whether there is a moment after which syncs count; without one, those of before are no news."""
        return bool(self.since)

    def _judged(self, answer: Mapping[str, Any]) -> Verdict:
        status, error = answer["status"], answer.get("error_message")
        message = f"FloKit integration {self.integration_id}: {status}" + (f" ({error})" if error else "")
        return Verdict(self._state(status, error, answer.get("last_synced_at")), status, message, answer)

    def _state(self, status: str, error: str | None, last_synced_at: str | None) -> WaitState:
        if status == flokit.SYNCING:
            return WaitState.PENDING
        if status == flokit.DISCONNECTED:
            return WaitState.FAILED
        if status == flokit.ERROR:
            stale = (
                self.requested_at is not None
                and digest(error) == self.old_error
                and clock.now() - self.requested_at < GRACE
            )
            return WaitState.PENDING if stale else WaitState.FAILED
        if status != flokit.CONNECTED:
            return WaitState.UNKNOWN
        synced = _moment(last_synced_at)
        newer = synced is not None and (not self.since or synced > validation.parsed("since", self.since))
        return WaitState.DONE if newer else WaitState.PENDING


def digest(error: Any) -> str | None:
    """Return a short digest of an error message: enough to tell whether it changed, without keeping its words."""
    return hashlib.sha256(str(error).encode()).hexdigest()[:16] if error else None


def _moment(value: str | None) -> datetime | None:
    try:
        return validation.parsed("last_synced_at", value) if value else None
    except ValidationError:
        return None
