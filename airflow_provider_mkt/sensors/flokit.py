# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for FloKit. Vendor document: FloKit API reference, "Integrations"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import flokit

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SensorParameters
    from airflow_provider_mkt.waiting.flokit import SyncWatch


class FlokitIntegrationSyncSensor(WatchSensor):
    """Waits until an integration has been synced; fails when it is in error or disconnected.

    :param integration_id: the integration
    :param since: only a sync that ended after this moment counts; None: any. Without a time zone it is UTC
    :param flokit_conn_id: connection
    """

    template_fields: Sequence[str] = ("integration_id", "since", "flokit_conn_id")
    ui_color = flokit.VENDOR.color
    vendor = flokit.VENDOR

    def __init__(
        self,
        *,
        integration_id: str,
        since: datetime | str | None = None,
        flokit_conn_id: str = flokit.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flokit_conn_id, **kwargs)
        self.integration_id = integration_id
        self.since = since

    def watch(self) -> SyncWatch:
        """Return the sync."""
        from airflow_provider_mkt.waiting.flokit import SyncWatch

        return SyncWatch(validation.text("integration_id", self.integration_id), validation.moment("since", self.since))
