# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for FloKit. Vendor document: FloKit API reference, "Integrations"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.pages import Unpaged
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flokit

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth


class FlokitHook(MarketingHook):
    """Follows and triggers syncs of data integrations.

    :param flokit_conn_id: connection whose password is an API key; triggering needs a read-write key
    """

    vendor = flokit.VENDOR
    conn_name_attr = "flokit_conn_id"
    default_conn_name = "flokit_default"
    conn_type = "flokit"
    hook_name = "FloKit"

    def __init__(self, flokit_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flokit_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: the API key as bearer."""
        from airflow_provider_mkt.client.auth import BearerAuth  # noqa: PLC0415

        return BearerAuth(account.password)

    def list_integrations(self) -> Iterator[dict[str, Any]]:
        """Yield the workspace's integrations."""
        return self.rows(flokit.LIST_INTEGRATIONS(), Unpaged())

    def get_integration(self, integration_id: str) -> dict[str, Any]:
        """Read an integration with its sync statistics.

        :param integration_id: e.g. ``int_7a``
        :return: ``id``, ``type``, ``status``, ``last_synced_at``, ``error_message``, ``sync_stats``
        """
        return self.send(flokit.GET_INTEGRATION(path={"integration_id": integration_id}))  # type: ignore[no-any-return]

    def trigger_sync(self, integration_id: str) -> dict[str, Any]:
        """Start a sync. It runs at the vendor; there is no way to read it by its id, only the integration's status.

        :param integration_id: the integration
        :return: ``status`` and ``sync_id``
        :raises OutcomeUnknownError: when nobody can know whether it started
        """
        return self.send(flokit.TRIGGER_SYNC(path={"integration_id": integration_id}))  # type: ignore[no-any-return]

    def check(self) -> str:
        """List the integrations, which a read-only key may."""
        return f"FloKit accepts the API key; the workspace has {len(list(self.list_integrations()))} integrations."
