# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How far the caps on money are used: of all accounts, and of the connections that have spent."""

from __future__ import annotations

from collections.abc import Collection

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import text

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches.caps import Cap, Use, use_of
from airflow_provider_mkt.state.launches.register import now
from airflow_provider_mkt.submission.spending import account_caps, configured_caps, day_zone
from airflow_provider_mkt.vendors import installed_vendors

ALL = "all accounts"
_SEEN = text("SELECT DISTINCT conn_id FROM mkt_launch WHERE currency <> '' ORDER BY conn_id")


def used_caps(conn_ids: Collection[str] = ()) -> list[tuple[str, Use]]:
    """Return each cap with whose it is, and how far it is used.

    :param conn_ids: connections; none: those that have spent
    :raises ValidationError: when a connection that was named does not exist, or caps cannot be read
    :raises StoreError: when the store fails
    """
    used = store()
    seen = [row.conn_id for row in used.run(lambda connection: connection.execute(_SEEN).all())]
    caps: list[tuple[str, Cap]] = [(ALL, cap) for cap in configured_caps()]
    for conn_id in conn_ids or seen:
        caps += [(conn_id, cap) for cap in _caps_of(conn_id, named=bool(conn_ids))]
    zone = day_zone()
    return used.run(
        lambda connection: [(whose, use_of(connection, cap, now(connection, used.clock), zone)) for whose, cap in caps]
    )


def _caps_of(conn_id: str, *, named: bool) -> tuple[Cap, ...]:
    """Return the caps of a connection. One that is gone since it was used has none."""
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if named:
            raise ValidationError(f"There is no connection {conn_id!r}.") from None
        return ()
    vendor = next((each for each in installed_vendors() if each.conn_type == connection.conn_type), None)
    return () if vendor is None else account_caps(account_of(vendor, connection))
