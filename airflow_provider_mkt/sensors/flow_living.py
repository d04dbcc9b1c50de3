# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for Flow Living. Vendor document: Flow Platform, "API Scripts", 'Get campaign status'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import flow_living

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SensorParameters
    from airflow_provider_mkt.waiting.flow_living import CampaignWatch


class FlowLivingCampaignStatusSensor(WatchSensor):
    """Waits until a campaign has one of the target statuses; fails when it ends in another one.

    :param campaign_tracking_id: a tracking id, or all of an order: each has to get there. Publishing returns an empty
        list when its answer was lost and analytics shows the campaigns. There is nothing to wait for then: the status
        cannot be read without a tracking id, and what analytics shows has been created
    :param target_statuses: one status or several to wait for. The vendor publishes no list, so any is taken but one
        that looks like a typing mistake
    :param flow_living_conn_id: connection
    """

    template_fields: Sequence[str] = ("campaign_tracking_id", "target_statuses", "flow_living_conn_id")
    ui_color = flow_living.VENDOR.color
    vendor = flow_living.VENDOR
    no_ids = (
        "the order has no tracking ids. Its answer was lost and analytics shows its campaigns (flow_campaign_ids of "
        "the publishing task), or it was a dry run"
    )

    def __init__(
        self,
        *,
        campaign_tracking_id: str | Sequence[str],
        target_statuses: Sequence[str] | str = flow_living.LIVE,
        flow_living_conn_id: str = flow_living.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flow_living_conn_id, **kwargs)
        self.campaign_tracking_id = campaign_tracking_id
        self.target_statuses = target_statuses

    def watch(self) -> CampaignWatch | None:
        """Return the campaign; None for an order whose tracking ids were lost with the answer, and for a dry run."""
        from airflow_provider_mkt.waiting.flow_living import CampaignWatch

        targets = validation.statuses("target_statuses", self.target_statuses, flow_living.STATUSES, closed=False)
        tracking_ids = self.known_ids("campaign_tracking_id")
        return CampaignWatch(tracking_ids, targets) if tracking_ids else None
