# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flow Social. Vendor document: Flow developer documentation, "API Reference".

Its many methods are kept by resource, in the modules whose names begin like this one's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.flow_social.channels import ChannelMethods
from airflow_provider_mkt.hooks.flow_social.media import MediaMethods
from airflow_provider_mkt.hooks.flow_social.posts import PostMethods, check_time, filter_query, post_body
from airflow_provider_mkt.hooks.flow_social.settings import SettingMethods
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth

__all__ = ["FlowSocialHook", "check_time", "filter_query", "post_body"]


class FlowSocialHook(PostMethods, ChannelMethods, MediaMethods, SettingMethods):
    """Schedules and follows posts on social networks.

    :param flow_social_conn_id: connection whose password is the API key
    """

    conn_name_attr = "flow_social_conn_id"
    default_conn_name = "flow_social_default"
    conn_type = "flow_social"
    hook_name = flow_social.VENDOR.name

    def __init__(self, flow_social_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flow_social_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: the API key as bearer."""
        from airflow_provider_mkt.client.auth import BearerAuth

        return BearerAuth(account.password)

    def check(self) -> str:
        """Read the usage, which any valid key may."""
        self.get_usage()
        return "Flow Social accepts the API key."
