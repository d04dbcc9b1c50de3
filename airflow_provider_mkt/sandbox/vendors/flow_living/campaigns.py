# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns and their course: queued, in progress, published, then completed at the end date."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_mkt.sandbox.engine.clock import DAY
from airflow_provider_mkt.sandbox.engine.timeline import STUCK, Stage, Timeline, plan

QUEUED_FOR = 120.0
CREATED_AFTER = QUEUED_FOR + 480.0
DEFAULT_RUN = 14 * DAY
"""Vendor seconds a campaign runs when the order names no end (assumed)."""

TERMINAL = frozenset({"failed", "completed", "cancelled"})
MESSAGES = {
    "queued": "Campaign is waiting in the queue.",
    "in_progress": "Campaign creation is underway.",
    "published": "Campaign is live.",
    "paused": "Campaign is paused.",
    "completed": "Campaign has reached its end date.",
    "cancelled": "Campaign was cancelled.",
    "failed": "Campaign creation failed, please contact Flow for further assistance.",
}
_FROM = {
    "paused": frozenset({"published"}),
    "published": frozenset({"paused"}),
    "cancelled": frozenset({"queued", "in_progress", "published", "paused"}),
}


@dataclass
class Campaign:
    """One tracking id of an order.

    :param override: status set by an update, which the timeline then no longer decides
    """

    tracking_id: str
    campaign_id: str
    order_ref: str | None
    plan_ref: str
    listing: str
    branch: str
    agent: str
    starts: float | None
    ends: float | None
    timeline: Timeline
    override: str | None = field(default=None)

    def status(self, ticks: float) -> str:
        """The status at vendor time ``ticks``."""
        return self.override or self.timeline.at(ticks).state

    def visible_id(self, ticks: float) -> str | None:
        """The campaign id, once creation has begun."""
        if self.status(ticks) == "queued" or self.timeline.at(ticks).after < QUEUED_FOR:
            return None
        return self.campaign_id

    def update(self, target: str, ticks: float) -> bool:
        """Try to change the status; False when the present one does not permit it."""
        current = self.status(ticks)
        if current == target:
            return True
        if current not in _FROM[target]:
            return False
        # Resuming hands the campaign back to its timeline, which may have reached the end date meanwhile.
        self.override = None if target == "published" else target
        return True


def course(born: float, run: float | None, outcome: str | None) -> Timeline:
    """The timeline of a campaign whose end date lies ``run`` vendor seconds after its birth."""
    line = plan(born, [(0.0, "queued"), (QUEUED_FOR, "in_progress"), (CREATED_AFTER, "published")], outcome)
    if outcome not in (None, "published") or outcome == STUCK:
        return line
    end = max(CREATED_AFTER, DEFAULT_RUN if run is None else run)
    return Timeline(born, (*line.stages, Stage(end, "completed")))
