# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SensorParameters
    from airflow_provider_mkt.waiting.flinque import CampaignWatch, ReportWatch


class FlinqueCampaignStatusSensor(WatchSensor):
    """Waits until a campaign has one of the target statuses; fails when it ends in another one.

    The statuses are not published; ``draft``, ``active``, ``paused``, ``completed`` and ``archived`` are assumed, the
    last two of them final. Any other may be a target as well, unless it looks like a typing mistake.

    :param campaign_id: the campaign
    :param target_statuses: what to wait for
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("campaign_id", "target_statuses", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        campaign_id: str,
        target_statuses: Sequence[str] | str = flinque.CAMPAIGN_LIVE,
        flinque_conn_id: str = flinque.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.campaign_id = campaign_id
        self.target_statuses = target_statuses

    def watch(self) -> CampaignWatch:
        """Return the campaign."""
        from airflow_provider_mkt.waiting.flinque import CampaignWatch

        return CampaignWatch(
            validation.text("campaign_id", self.campaign_id),
            validation.statuses("target_statuses", self.target_statuses, flinque.CAMPAIGN_STATUSES, closed=False),
        )


class FlinqueReportReadySensor(WatchSensor):
    """Waits until a report is ready to be exported; fails when generating it failed.

    :param report_id: the report
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("report_id", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        report_id: str,
        flinque_conn_id: str = flinque.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.report_id = report_id

    def watch(self) -> ReportWatch:
        """Return the report."""
        from airflow_provider_mkt.waiting.flinque import ReportWatch

        return ReportWatch(validation.text("report_id", self.report_id))
