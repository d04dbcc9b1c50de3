# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The assets that webhooks feed: a DAG that is scheduled on one starts when the vendor tells of the event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Asset

CONN_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
EVENT = re.compile(r"[A-Za-z0-9_.-]{1,100}")
SCHEME = "mkt"


def asset_name(conn_id: str, event: str) -> str:
    """Return the name of the asset that :func:`webhook_asset` returns."""
    return f"mkt webhook {conn_id} {event}"


def asset_uri(conn_id: str, event: str) -> str:
    """Return the URI of the asset that :func:`webhook_asset` returns."""
    return f"{SCHEME}://webhooks/{conn_id}/{event}"


def webhook_asset(conn_id: str, event: str) -> Asset:
    """Return the asset of one event of one connection, to schedule a DAG on.

    Each delivery adds one event to it. The event's ``extra`` holds ``delivery_id`` (the same for a repeated event),
    ``replay`` (0, or how often it was replayed), ``conn_id``, ``event``, ``received_at`` and ``payload``, without
    secrets and personal data.

    :param conn_id: the connection in the webhook's address
    :param event: the event's name, such as ``report.ready``
    :raises ValidationError: when one of them is no name
    """
    from airflow.sdk import Asset  # the receiver needs the names only

    for name, value, form in (("conn_id", conn_id, CONN_ID), ("event", event, EVENT)):
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise ValidationError(
                f"webhook_asset: {name} is {value!r}; it must be a text of letters, digits, '.', '_' and '-'."
            )
    return Asset(name=asset_name(conn_id, event), uri=asset_uri(conn_id, event), group=SCHEME)
