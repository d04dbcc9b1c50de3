# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for Flow Social. Vendor document: Flow developer documentation, "API Reference"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SensorParameters
    from airflow_provider_mkt.waiting.flow_social import PostWatch


class FlowSocialPostStatusSensor(WatchSensor):
    """Waits until a post is delivered; fails when it is blocked. A failed try is repeated by the vendor.

    :param post_id: a post, or several: each has to get there. None stands for a row of a batch that was refused, and
        is left out
    :param target_statuses: any of ``queued``, ``flowing``, ``done`` and ``blocked``
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("post_id", "target_statuses", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR
    no_ids = "no post of the batch was scheduled"

    def __init__(
        self,
        *,
        post_id: str | Sequence[str],
        target_statuses: Sequence[str] | str = flow_social.DELIVERED,
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.post_id = post_id
        self.target_statuses = target_statuses

    def watch(self) -> PostWatch | None:
        """Return the posts; None when all rows of a batch were refused, and were allowed to be."""
        from airflow_provider_mkt.waiting.flow_social import PostWatch

        targets = validation.statuses("target_statuses", self.target_statuses, flow_social.POST_STATUSES, closed=True)
        post_ids = self.known_ids("post_id")
        return PostWatch(post_ids, targets) if post_ids else None
