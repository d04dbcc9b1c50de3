# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every page says first: whether launches are stopped."""

from __future__ import annotations

from airflow_provider_mkt.pages.permissions import Permissions
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.stops import Stop, Stops


def in_force(may: Permissions) -> list[Stop] | None:
    """Return the stops that a person may know of; None when nobody can say, as the shared store is away."""
    try:
        found = Stops().in_force()
    except StoreError:
        return None
    return [each for each in found if not each.dag_id or may.may_see(each.dag_id)]
