# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import islice
from typing import Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.pages import Hints, find_rows
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.flinque import FlinqueHook, report_body
from airflow_provider_mkt.operators.base import SubmittingOperator
from airflow_provider_mkt.submission_record import ABSENT, Order, Place, Record
from airflow_provider_mkt.vendors import flinque
from airflow_provider_mkt.waiting.base import Verdict
from airflow_provider_mkt.waiting.flinque import ReportWatch

CLOCK_SKEW = 300.0
"""Seconds by which the vendor's clock may differ from ours."""
NEWEST = 20
"""Reports, the newest first, that are noted before one is generated: a page, and thus one request."""
MOST_RECENT = 1_000
"""Reports since the request that are looked through."""


class FlinqueGenerateReportOperator(SubmittingOperator):
    """Has a report generated, once, and waits until it is ready.

    Returns ``report_id`` and, after waiting, ``report`` (the vendor's last answer), each also as an XCom of its own.

    The vendor has no idempotency key, but lists reports. After a lost answer the next try looks for a new report of the
    same name there: it attaches to the only one, and generates the report when there is certainly none. Where reports
    show no name, or several fit, a person has to look.

    :param report: the request, e.g. ``{"type": "campaign", "campaign_id": "ca_1"}``; its fields are not published. A
        ``name`` is added when there is none, made of DAG, run, task and map index
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
        body = {"name": place.reference, **report_body(self.report)}
        return Order(
            vendor=flinque.VENDOR.name,
            what="report",
            body=body,
            call=lambda frozen, _: flinque.GENERATE_REPORT(body=frozen),
            receipt=lambda answer: {"report_id": answer["id"]},
            reference=str(body["name"]),
            id_field="report_id",
            prepare=self._before,
            trace=trace_report,
        )

    def _before(self) -> dict[str, Any]:
        """Note the newest reports, so that none of them is taken for the one to come."""
        hook: FlinqueHook = self.hook  # type: ignore[assignment]
        return {"known": [report.get("id") for report in islice(hook.list_reports(), NEWEST)]}

    def watch(self, record: Record) -> ReportWatch:
        """Return the report."""
        return ReportWatch(record.receipt["report_id"])

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the report's id and the report."""
        return record.receipt if verdict is None else {**record.receipt, "report": verdict.answer}


def trace_report(record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
    """Ask Flinque what became of a report request: its receipt, ABSENT, or None when that cannot be told."""
    since = record.intent_at - CLOCK_SKEW
    recent = yield from find_rows(flinque.LIST_REPORTS(), Hints(), lambda row: _created(row) >= since, most=MOST_RECENT)
    new = [row for row in recent if row.get("id") not in record.baseline.get("known", [])]
    ours = [row for row in new if row.get("name") == record.reference and _fits(row, record.body)]
    if len(ours) == 1 and isinstance(ours[0].get("id"), str):
        return {"report_id": ours[0]["id"]}
    # A list that hides names, or is too long to be read, proves nothing by not showing ours.
    conclusive = len(recent) < MOST_RECENT and all(isinstance(row.get("name"), str) for row in recent)
    return ABSENT if not ours and conclusive else None


def _created(row: dict[str, Any]) -> float:
    """Return when a report was created; one that does not say might be new."""
    try:
        return checks.parsed("created_at", row.get("created_at")).timestamp()
    except ValidationError:
        return float("inf")


def _fits(row: dict[str, Any], body: dict[str, Any]) -> bool:
    return all(row[name] == value for name, value in body.items() if row.get(name) is not None)
