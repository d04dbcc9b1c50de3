# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a soak launches."""

from __future__ import annotations

from typing import Any

SHARES = {"flow_living": 0.45, "flow_social": 0.2, "flinque": 0.3, "flokit": 0.05}
"""How the launches are spread over the vendors. A FloKit integration takes one sync at a time."""
EFFECTS = {
    "flow_living": "campaign.published",
    "flow_social": "post.created",
    "flinque": "report.generated",
    "flokit": "sync.started",
}
AT_ONCE = 8
"""Launches at a time: more than there are processors, since some of them wait for a rate budget."""
WAITS = 4
"""Of so many launches one waits until the vendor is done."""


def counts(launches: int) -> dict[str, int]:
    """Return the number of launches for each vendor."""
    spread = {vendor: round(launches * share) for vendor, share in SHARES.items()}
    spread["flow_living"] += launches - sum(spread.values())
    return spread


def name(vendor: str, number: int) -> str:
    """Return the name by which a launch is found in the ledger."""
    return f"{vendor}-{number}"


def bodies(vendor: str, launches: int) -> list[dict[str, Any]]:
    """Return the requests of a vendor's launches, as the vendor's API takes them."""
    names = [name(vendor, number) for number in range(counts(launches)[vendor])]
    if vendor == "flow_living":
        common = {"planRef": "facebookv2", "listingExternalIds": ["listing_1001"], "branchId": "branch_harbour"}
        return [{**common, "orderRef": each} for each in names]
    if vendor == "flow_social":
        return [{"channelId": "channel_1", "content": each} for each in names]
    if vendor == "flinque":
        return [{"type": "campaign", "campaign_id": "ca_1", "name": each} for each in names]
    return [{} for _ in names]
