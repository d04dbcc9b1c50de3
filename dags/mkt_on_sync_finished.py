# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Go on as soon as FloKit has synced an integration

Started by each sync of the integration that `MKT_INTEGRATION` names, also by one that a person has asked for. No
webhook is needed: Airflow's triggerer asks FloKit, once a minute for all that wait there.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flokit import SyncWatch

INTEGRATION = os.environ.get("MKT_INTEGRATION", "int_adjust")

SYNCED = Asset(
    f"mkt_synced_{INTEGRATION}",
    watchers=[
        AssetWatcher(name="sync", trigger=WatchTrigger.of(SyncWatch(INTEGRATION), "flokit_default", poll_interval=60.0))
    ],
)


@dag(schedule=[SYNCED], tags=["marketing", "example"], doc_md=__doc__)
def mkt_on_sync_finished() -> None:
    @task
    def synced_at(triggering_asset_events: Any = None) -> list[str]:
        """Return when the syncs ended that have started this run."""
        events = [event for each in triggering_asset_events.values() for event in each]
        return [str(event.extra["payload"]["answer"]["last_synced_at"]) for event in events]

    synced_at()


mkt_on_sync_finished()
