# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Channels of Flow Social and the connections to networks that they group. Vendor page "Overview"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.paging import MAX_PAGE, PageNumbers
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flow_social.posts import filter_query
from airflow_provider_mkt.vendors import flow_social

COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class ChannelMethods(MarketingHook):
    """The part of the hook that deals with channels and connections."""

    vendor = flow_social.VENDOR

    def list_channels(
        self, filters: Mapping[str, Any] | None = None, sort: str = "createdAt", *, per_page: int = MAX_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield channels.

        :param filters: by ``name`` or ``createdAt``, as for :meth:`FlowSocialHook.list_posts`
        :param sort: field to sort by, ``-field`` for descending
        :param per_page: rows per request, at most 100
        """
        query = {**filter_query(filters or {}), "sort": sort}
        return self.rows(flow_social.LIST_CHANNELS(query=query), PageNumbers(per_page))

    def create_channel(self, name: str, color: str | None = None, idempotency_key: str | None = None) -> dict[str, Any]:
        """Create a channel.

        :param name: what people call it
        :param color: as ``#3B82F6``
        :param idempotency_key: names this channel for 24 hours; by default a new key for this call
        :return: the channel, with its ``id``
        """
        body = channel_body(name=validation.text("name", name), color=color)
        return self.fetch(flow_social.CREATE_CHANNEL(body=body, idempotency_key=validation.key(idempotency_key)))

    def get_channel(self, channel_id: str) -> dict[str, Any]:
        """Read a channel.

        :param channel_id: the channel
        """
        return self.fetch(flow_social.GET_CHANNEL(path={"channel_id": channel_id}))

    def update_channel(self, channel_id: str, *, name: str | None = None, color: str | None = None) -> dict[str, Any]:
        """Change a channel.

        :param channel_id: the channel
        :param name: its new name
        :param color: its new color, as ``#3B82F6``
        """
        body = channel_body(name=name, color=color)
        return self.fetch(flow_social.UPDATE_CHANNEL(path={"channel_id": channel_id}, body=body))

    def delete_channel(self, channel_id: str) -> None:
        """Delete a channel. Posts that still wait for it do not go out (assumed).

        :param channel_id: the channel
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_CHANNEL(path={"channel_id": channel_id}))

    def list_connections(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield the connections to networks.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flow_social.LIST_CONNECTIONS(), PageNumbers(per_page))

    def delete_connection(self, connection_id: str) -> None:
        """Delete a connection.

        :param connection_id: the connection
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_CONNECTION(path={"connection_id": connection_id}))

    def add_connection_to_channel(
        self, connection_id: str, channel_id: str, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Have a channel's posts go to a connection as well. The name of the body's field is assumed.

        :param connection_id: the connection
        :param channel_id: the channel
        :param idempotency_key: names this request for 24 hours; by default a new key for this call
        """
        call = flow_social.ADD_CONNECTION_TO_CHANNEL(
            path={"connection_id": connection_id},
            body={"channelId": validation.text("channel_id", channel_id)},
            idempotency_key=validation.key(idempotency_key),
        )
        return self.fetch(call)

    def refresh_connection(self, connection_id: str) -> dict[str, Any]:
        """Renew a connection's token at its network. It is not repeated: the network may replace the token each time.

        :param connection_id: the connection
        :raises OutcomeUnknownError: when it is unknown whether it was renewed
        """
        return self.fetch(flow_social.REFRESH_CONNECTION(path={"connection_id": connection_id}))

    def verify_connection(self, connection_id: str) -> dict[str, Any]:
        """Have a connection checked.

        :param connection_id: the connection
        """
        return self.fetch(flow_social.VERIFY_CONNECTION(path={"connection_id": connection_id}))

    def verify_channel_connections(self, channel_id: str) -> list[dict[str, Any]]:
        """Have all connections of a channel checked.

        :param channel_id: the channel
        :return: one result for each connection
        """
        results: list[dict[str, Any]] = self.send(
            flow_social.VERIFY_CHANNEL_CONNECTIONS(path={"channel_id": channel_id})
        )
        return results

    def connection_auth_url(self, platform: str) -> str:
        """Return the address at which a person allows a connection, for their browser. Nothing is followed.

        :param platform: ``twitter``, ``linkedin``, ``meta`` (Facebook and Instagram) or ``tiktok``
        """
        path = {"platform": validation.choice("platform", platform, flow_social.PLATFORMS)}
        return str(self.fetch(flow_social.CONNECTION_AUTH(path=path))["location"])

    def complete_connection_auth(self, platform: str, params: Mapping[str, str]) -> str | None:
        """Hand over what the network sent the browser back with. The code in it works once, so this is not repeated.

        :param platform: as for :meth:`connection_auth_url`
        :param params: the query parameters, ``code`` and ``state`` among them
        :return: where the vendor sends the browser next, when it says so
        :raises OutcomeUnknownError: when it is unknown whether the connection was made; see :meth:`list_connections`
        """
        path = {"platform": validation.choice("platform", platform, flow_social.PLATFORMS)}
        if not isinstance(params, Mapping):
            raise ValidationError("params must be an object with the query parameters that the network sent.")
        for name in ("code", "state"):
            self.hide(validation.text(f"params[{name!r}]", params.get(name), longest=4_096))
        answer = self.send(flow_social.COMPLETE_CONNECTION_AUTH(path=path, query=dict(params)))
        return answer["location"] if answer else None


def channel_body(*, name: str | None, color: str | None) -> dict[str, str]:
    """Return the checked fields of a channel that are given.

    :raises ValidationError: naming the field, or when there is none
    """
    body = {}
    if name is not None:
        body["name"] = validation.text("name", name)
    if color is not None:
        if not isinstance(color, str) or not COLOR.fullmatch(color):
            raise ValidationError(f"color must be written like #3B82F6, got {color!r}.")
        body["color"] = color
    if not body:
        raise ValidationError("name and color are both missing; give at least one of them.")
    return body
