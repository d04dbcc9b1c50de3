# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.waiting.flinque import ReportWatch


class FlinqueReportReadySensor(WatchSensor):
    """Waits until a report is ready to be exported; fails when generating it failed.

    :param report_id: the report
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("report_id", "conn_id")
    ui_color = "#fbe5d6"

    def __init__(self, *, report_id: str, flinque_conn_id: str = FlinqueHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.report_id = report_id

    def watch(self) -> ReportWatch:
        """Return the report."""
        return ReportWatch(checks.text("report_id", self.report_id))
