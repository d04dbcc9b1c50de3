# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flow Social. Vendor document: Flow developer documentation, "API Reference"."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.pages import LARGEST_PAGE, PageNumbers
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth

POST_FIELDS = frozenset({"channelId", "content", "scheduledFor", "mediaKeys", "enableOptimization"})


class FlowSocialHook(MarketingHook):
    """Schedules and follows posts on social networks.

    :param flow_social_conn_id: connection whose password is the API key
    """

    vendor = flow_social.VENDOR
    conn_name_attr = "flow_social_conn_id"
    default_conn_name = "flow_social_default"
    conn_type = "flow_social"
    hook_name = "Flow Social"

    def __init__(self, flow_social_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flow_social_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: the API key as bearer."""
        from airflow_provider_mkt.client.auth import BearerAuth  # noqa: PLC0415

        return BearerAuth(account.password)

    def list_channels(self, *, per_page: int = LARGEST_PAGE) -> Iterator[dict[str, Any]]:
        """Yield all channels.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flow_social.LIST_CHANNELS(query={"sort": "createdAt"}), PageNumbers(per_page))

    def list_posts(
        self, filters: Mapping[str, Any] | None = None, sort: str = "createdAt", *, per_page: int = LARGEST_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield posts.

        :param filters: field to value, e.g. ``{"status": "queued"}``, or field to ``{operator: value}``, e.g.
            ``{"scheduledFor": {"gte": 1767225600000}}``; operators are eq, ne, gt, gte, lt, lte, in, contains
        :param sort: field to sort by, ``-field`` for descending, several separated by commas
        :param per_page: rows per request, at most 100
        """
        return self.rows(
            flow_social.LIST_POSTS(query={**filter_query(filters or {}), "sort": sort}), PageNumbers(per_page)
        )

    def create_post(self, post: Mapping[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Create a post. With the same key it is created once, however often this is called within 24 hours.

        :param post: ``channelId``, ``content`` and optionally ``scheduledFor``, ``mediaKeys``, ``enableOptimization``
        :param idempotency_key: names this post; by default a new key, which covers the retries of this call only
        :return: the post, with ``id`` and ``status``
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        """
        body = post_body(post)
        check_time(body)
        return self.send(flow_social.CREATE_POST(body=body, idempotency_key=idempotency_key or str(uuid.uuid4())))  # type: ignore[no-any-return]

    def get_post(self, post_id: str) -> dict[str, Any]:
        """Read a post.

        :param post_id: the post
        """
        return self.send(flow_social.GET_POST(path={"post_id": post_id}))  # type: ignore[no-any-return]

    def delete_post(self, post_id: str) -> None:
        """Delete a post that is still queued.

        :param post_id: the post
        """
        self.send(flow_social.DELETE_POST(path={"post_id": post_id}))

    def get_usage(self) -> dict[str, Any]:
        """Read the account's usage of the current period."""
        return self.send(flow_social.GET_USAGE())  # type: ignore[no-any-return]

    def check(self) -> str:
        """Read the usage, which any valid key may."""
        self.get_usage()
        return "Flow Social accepts the API key."


def filter_query(filters: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters for ``filters``: ``filter[field]=value`` and ``filter[field][op]=value``."""
    query: dict[str, str] = {}
    for name, condition in filters.items():
        operators = condition if isinstance(condition, Mapping) else {"": condition}
        for operator, value in operators.items():
            key = f"filter[{name}][{operator}]" if operator else f"filter[{name}]"
            query[key] = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return query


def post_body(post: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked body of a post; fields as in :meth:`FlowSocialHook.create_post`.

    :raises ValidationError: naming the field, the problem and the remedy
    """
    unknown = sorted(set(post) - POST_FIELDS)
    if unknown:
        raise ValidationError(
            f"post has unknown fields {', '.join(unknown)}; known are {', '.join(sorted(POST_FIELDS))}."
        )
    media = checks.texts("mediaKeys", post.get("mediaKeys") or [], most=flow_social.MOST_MEDIA, least=0)
    content = post.get("content") or ""
    body = {
        "channelId": checks.text("channelId", post.get("channelId")),
        # A post may consist of media alone where the network allows it.
        "content": content
        if not content and media
        else checks.text("content", content, longest=flow_social.LONGEST_CONTENT),
        "scheduledFor": checks.moment("scheduledFor", post.get("scheduledFor")),
        "mediaKeys": media or None,
        "enableOptimization": post.get("enableOptimization"),
    }
    return {name: value for name, value in body.items() if value is not None}


def check_time(body: Mapping[str, Any]) -> None:
    """Refuse a post whose time has passed.

    :raises ValidationError: naming the time. Kept apart from :func:`post_body`: a retry that only settles what happened
        to an earlier request may come after that time
    """
    checks.not_in_the_past("scheduledFor", body.get("scheduledFor"))
