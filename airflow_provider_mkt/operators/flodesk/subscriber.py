# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.submitting import InstantOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flodesk import FlodeskHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import OperatorParameters, SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict


class FlodeskAddToSegmentsOperator(MarketingOperator["FlodeskHook"]):
    """Adds a subscriber to segments. Repeating it changes nothing, so every failure may be retried.

    Returns ``subscriber_id``, ``status`` and ``segment_ids`` (all that they are in now).

    :param id_or_email: Flodesk's id, or the e-mail address, which is rendered but neither stored nor shown
    :param segment_ids: 1 to 50 segments
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("segment_ids", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        id_or_email: str,
        segment_ids: Sequence[str],
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.keep_private(id_or_email=id_or_email)
        self.segment_ids = segment_ids

    def execute(self, context: Context) -> dict[str, Any]:
        """Add them."""
        hook = self.hook
        subscriber = somebody(self, context)
        wanted = validation.texts("segment_ids", self.segment_ids, most=flodesk.MAX_SEGMENTS)
        with reschedule_when_rate_limited():
            answer = hook.add_subscriber_to_segments(subscriber, wanted)
        joined = _segment_ids(answer)
        missing = sorted(set(wanted) - set(joined or wanted))
        if missing:
            raise ApiError(
                f"Flodesk accepted the request, but does not show the subscriber {answer['id']} in the segments "
                f"{', '.join(missing)}. A retry adds them again, which is harmless.",
                vendor=flodesk.VENDOR.name,
            )
        return {"subscriber_id": answer["id"], "status": str(answer.get("status")), "segment_ids": joined}


class FlodeskUnsubscribeOperator(MarketingOperator["FlodeskHook"]):
    """Unsubscribes somebody from everything. Repeating it changes nothing; there is no way back over the API.

    Returns ``subscriber_id`` and ``status``.

    :param id_or_email: Flodesk's id, or the e-mail address, which is rendered but neither stored nor shown
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("flodesk_conn_id",)
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        id_or_email: str,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.keep_private(id_or_email=id_or_email)

    def execute(self, context: Context) -> dict[str, Any]:
        """Unsubscribe them."""
        hook = self.hook
        subscriber = somebody(self, context)
        with reschedule_when_rate_limited():
            answer = hook.unsubscribe(subscriber)
        if answer.get("status") in flodesk.MAILED_STATUSES:
            raise ApiError(
                f"Flodesk accepted the request, but shows the subscriber {answer['id']} as {answer['status']}, not as "
                "unsubscribed. A retry asks again.",
                vendor=flodesk.VENDOR.name,
            )
        return {"subscriber_id": answer["id"], "status": str(answer.get("status"))}


class FlodeskAddToWorkflowOperator(InstantOperator["FlodeskHook"]):
    """Lets a subscriber enter a workflow, once: who enters twice may get its mails twice.

    The subscriber is looked up first; what Airflow stores is Flodesk's id, never the address. Flodesk cannot be asked
    who has entered a workflow, so after a lost answer the task fails and a person has to look. Returns
    ``subscriber_id`` and ``workflow_id``.

    :param workflow_id: an active workflow of the second version; not an abandoned-cart one
    :param id_or_email: Flodesk's id, or the e-mail address, which is rendered but neither stored nor shown
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("workflow_id", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        workflow_id: str,
        id_or_email: str,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[SubmittingParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.workflow_id = workflow_id
        self.keep_private(id_or_email=id_or_email)
        self._subscriber = ""

    def execute(self, context: Context) -> Any:
        """Let them enter."""
        self._subscriber = somebody(self, context)
        return super().execute(context)

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the entry, of the subscriber's id."""
        from airflow_provider_mkt.submission.request import SubmissionRequest
        from airflow_provider_mkt.waiting.flodesk import found_subscriber

        workflow_id = validation.text("workflow_id", self.workflow_id)
        subscriber_id = self.hook.client.run(found_subscriber(self._subscriber))["id"]
        return SubmissionRequest(
            vendor=flodesk.VENDOR.name,
            what="workflow entry",
            body={"workflow_id": workflow_id, "id": subscriber_id},
            call=lambda frozen, _: flodesk.ADD_TO_WORKFLOW(
                path={"workflow_id": frozen["workflow_id"]}, body={"id": frozen["id"]}
            ),
            receipt=lambda _: {"subscriber_id": subscriber_id},
            reference=f"subscriber {subscriber_id} in workflow {workflow_id}",
            id_field="subscriber_id",
            untraceable="Flodesk does not tell who has entered a workflow",
        )

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return who entered what."""
        return {"subscriber_id": record.receipt["subscriber_id"], "workflow_id": record.body["workflow_id"]}


def somebody(task: MarketingOperator[FlodeskHook], context: Context) -> str:
    """Return the id or address that a task is about, rendered; an address is masked in logs and messages from here on.

    :raises ValidationError: when it is neither
    """
    from airflow_provider_mkt.waiting.flodesk import who

    subscriber = who(task.private("id_or_email", context))
    if "@" in subscriber:
        task.hook.hide(subscriber)
    return subscriber


def _segment_ids(answer: Mapping[str, Any]) -> list[str] | None:
    """Return the segments that a subscriber's answer shows, None when it shows none at all."""
    rows = answer.get("segments")
    return (
        [str(row["id"]) for row in rows if isinstance(row, Mapping) and "id" in row] if isinstance(rows, list) else None
    )
