# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flinque's reports. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flinque import FlinqueHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flinque import ReportWatch


class FlinqueGenerateReportOperator(SubmittingOperator["FlinqueHook"]):
    """Has a report generated, once, and waits until it is ready.

    Returns ``report_id`` and, after waiting, ``report`` (the vendor's last answer), each also as an XCom of its own.

    The vendor has no idempotency key, but lists reports. After a lost answer the next try looks for a new report of the
    same name there. It attaches to the only one, and generates the report when there is certainly none. Where reports
    show no name, one of the same name shows other values, or several fit, a person has to look.

    :param report: the request, e.g. ``{"type": "campaign", "campaign_id": "ca_1"}``; its fields are not published. A
        ``name`` is added when there is none, made of DAG, run, task and map index
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("report", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        report: Mapping[str, Any],
        flinque_conn_id: str = flinque.VENDOR.default_conn_id,
        **kwargs: Unpack[SubmittingParameters],
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.report = report

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the report request."""
        from airflow_provider_mkt.client.paging import Hints
        from airflow_provider_mkt.hooks.flinque.hook import report_body
        from airflow_provider_mkt.submission.list_lookup import ListLookup

        lookup = ListLookup(
            "report", flinque.GENERATE_REPORT, flinque.LIST_REPORTS, Hints(), failed=flinque.REPORT_FAILED
        )
        return lookup.request(self.hook, lookup.named(report_body(self.report), task_key), task_key)

    def watch(self, record: Record) -> ReportWatch:
        """Return the report."""
        from airflow_provider_mkt.waiting.flinque import ReportWatch

        return ReportWatch(record.receipt["report_id"])

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the report's id and the report."""
        return record.receipt if verdict is None else {**record.receipt, "report": verdict.answer}
