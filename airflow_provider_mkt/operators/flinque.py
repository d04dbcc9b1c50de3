# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_mkt.hooks.flinque import FlinqueHook, report_body
from airflow_provider_mkt.operators.base import SubmittingOperator
from airflow_provider_mkt.submission import Order, Place, Record
from airflow_provider_mkt.vendors import flinque
from airflow_provider_mkt.waiting.base import Verdict
from airflow_provider_mkt.waiting.flinque import ReportWatch


class FlinqueGenerateReportOperator(SubmittingOperator):
    """Has a report generated, once, and waits until it is ready.

    Returns ``report_id`` and, after waiting, ``report`` (the vendor's last answer), each also as an XCom of its own.

    :param report: the request, e.g. ``{"type": "campaign", "campaign_id": "ca_1"}``; its fields are not published
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("report", "conn_id")
    ui_color = "#fbe5d6"
    hook_class = FlinqueHook

    def __init__(
        self,
        *,
        report: Mapping[str, Any],
        flinque_conn_id: str = FlinqueHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.report = report

    def order(self, place: Place) -> Order:
        """Return the report request."""
        return Order(
            vendor=flinque.VENDOR.name,
            what="report",
            body=report_body(self.report),
            call=lambda frozen, _: flinque.GENERATE_REPORT(body=frozen),
            receipt=lambda answer: {"report_id": answer["id"]},
            reference=place.reference,
        )

    def watch(self, record: Record) -> ReportWatch:
        """Return the report."""
        return ReportWatch(record.receipt["report_id"])

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the report's id and the report."""
        return record.receipt if verdict is None else {**record.receipt, "report": verdict.answer}
