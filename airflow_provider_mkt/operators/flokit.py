# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for FloKit. Vendor document: FloKit API reference, "Integrations"."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.vendors import flokit

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flokit import FlokitHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import Finding, SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import WaitingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flokit import SyncWatch

SEEN = "seen at the integration"
"""Status of a sync whose answer was lost."""


class FlokitTriggerSyncOperator(SubmittingOperator["FlokitHook"]):
    """Triggers a manual sync of an integration, once, and waits until it has ended.

    Returns ``sync_id`` and, after waiting, ``integration`` (the vendor's last answer), each also as an XCom of its own.
    What was true before the request is recorded with it, so an earlier sync is never taken for this one.

    A sync cannot be looked up by its id, but the integration shows whether one ran. After a lost answer the next try
    attaches to a sync that began since, whoever asked for it, with ``sync_id`` None; it asks again when there was none.

    :param integration_id: the integration
    :param flokit_conn_id: connection with a read-write key
    """

    template_fields: Sequence[str] = ("integration_id", "flokit_conn_id")
    ui_color = flokit.VENDOR.color
    vendor = flokit.VENDOR

    def __init__(
        self,
        *,
        integration_id: str,
        flokit_conn_id: str = flokit.VENDOR.default_conn_id,
        wait_for_completion: bool = True,
        poll_interval: float = 30.0,
        **kwargs: Unpack[WaitingParameters],
    ) -> None:
        super().__init__(
            conn_id=flokit_conn_id, wait_for_completion=wait_for_completion, poll_interval=poll_interval, **kwargs
        )
        self.integration_id = integration_id

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the sync request."""
        from airflow_provider_mkt.submission.request import SubmissionRequest

        path = {"integration_id": validation.text("integration_id", self.integration_id)}
        return SubmissionRequest(
            vendor=flokit.VENDOR.name,
            what=f"sync of {self.integration_id}",
            body=path,
            call=lambda frozen, _: flokit.TRIGGER_SYNC(path=frozen),
            receipt=lambda answer: {"sync_id": answer["sync_id"]},
            reference=task_key.reference,
            id_field="sync_id",
            prepare=self._before,
            trace=_trace,
            echoed=frozenset({"integration_id"}),
        )

    def _before(self) -> dict[str, Any]:
        """Read the integration before the request: what is news afterwards, and whether it can be synced at all."""
        from airflow_provider_mkt.waiting.flokit import digest

        before = self.hook.get_integration(self.integration_id)
        if before["status"] == flokit.DISCONNECTED:
            raise ValidationError(
                f"Integration {self.integration_id} is disconnected; connect it in FloKit's dashboard."
            )
        if before["status"] == flokit.SYNCING:
            raise ApiError(
                f"Integration {self.integration_id} is syncing already; a retry asks again.", vendor=flokit.VENDOR.name
            )
        return {"last_synced_at": before.get("last_synced_at"), "error": digest(before.get("error_message"))}

    def watch(self, record: Record) -> SyncWatch:
        """Return the sync."""
        from airflow_provider_mkt.waiting.flokit import SyncWatch

        before = record.baseline
        return SyncWatch(
            self.integration_id, before["last_synced_at"], before["error"], record.accepted_at or record.intent_at
        )

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the sync's id and the integration."""
        return record.receipt if verdict is None else {**record.receipt, "integration": verdict.answer}


def _trace(record: Record) -> Generator[Call, Any, Finding]:
    """Ask the integration whether it was synced since the request: every sync brings the same data up to date.

    A request puts an integration into ``syncing``, and a sync that ends moves ``last_synced_at`` or shows an error
    (assumed). An integration that is as it was before, and was well then, was therefore not synced.
    """
    from airflow_provider_mkt.submission.request import Finding
    from airflow_provider_mkt.waiting.flokit import digest

    before, integration_id = record.baseline, record.body["integration_id"]
    answer = yield flokit.GET_INTEGRATION(path={"integration_id": integration_id})
    status, synced = answer["status"], answer.get("last_synced_at")
    showed = f"the integration is {status!r}, last synced at {synced}; before the request at {before['last_synced_at']}"
    failed_since = status == flokit.ERROR and digest(answer.get("error_message")) != before["error"]
    if status == flokit.SYNCING or failed_since or synced != before["last_synced_at"]:
        receipt = {"sync_id": None, "status": SEEN, "integration_id": integration_id}
        return Finding(receipt, showed=showed)
    return Finding(absent=status == flokit.CONNECTED, showed=showed)
