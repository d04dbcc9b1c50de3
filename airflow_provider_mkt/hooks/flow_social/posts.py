# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts of Flow Social, one by one and in batches. Vendor pages "Creating posts", "Batch operations", "Querying"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.paging import MAX_PAGE, PageNumbers
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_social


class PostMethods(MarketingHook):
    """The part of the hook that deals with posts."""

    vendor = flow_social.VENDOR

    def list_posts(
        self, filters: Mapping[str, Any] | None = None, sort: str = "createdAt", *, per_page: int = MAX_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield posts.

        :param filters: field to value, e.g. ``{"status": "queued"}``, or field to ``{operator: value}``, e.g.
            ``{"scheduledFor": {"gte": 1767225600000}}``; operators are eq, ne, gt, gte, lt, lte, in, contains
        :param sort: field to sort by, ``-field`` for descending, several separated by commas
        :param per_page: rows per request, at most 100
        """
        query = {**filter_query(filters or {}), "sort": sort}
        return self.rows(flow_social.LIST_POSTS(query=query), PageNumbers(per_page))

    def create_post(self, post: Mapping[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Create a post. With the same key it is created once, however often this is called within 24 hours.

        :param post: ``channelId``, ``content`` and optionally ``scheduledFor``, ``mediaKeys``, ``enableOptimization``
        :param idempotency_key: names this post; by default a new key, which covers the retries of this call only
        :return: the post, with ``id`` and ``status``
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        """
        body = post_body(post)
        check_time(body)
        return self.fetch(flow_social.CREATE_POST(body=body, idempotency_key=validation.key(idempotency_key)))

    def get_post(self, post_id: str) -> dict[str, Any]:
        """Read a post.

        :param post_id: the post
        """
        return self.fetch(flow_social.GET_POST(path={"post_id": post_id}))

    def update_post(self, post_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a post that is still queued.

        :param post_id: the post
        :param changes: any of ``content``, ``scheduledFor``, ``mediaKeys``
        :return: the post
        """
        body = post_changes(changes)
        check_time(body)
        return self.fetch(flow_social.UPDATE_POST(path={"post_id": post_id}, body=body))

    def delete_post(self, post_id: str) -> None:
        """Delete a post that is still queued.

        :param post_id: the post
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_POST(path={"post_id": post_id}))

    def create_posts(self, posts: Sequence[Mapping[str, Any]], idempotency_key: str | None = None) -> dict[str, Any]:
        """Create up to 100 posts in one request. Some may fail: read ``results``.

        :param posts: as for :meth:`create_post`
        :param idempotency_key: names this batch; by default a new key, which covers the retries of this call only
        :return: ``results``, one for each post (``success``, ``index``, ``post`` or ``error``), and ``summary``
        :raises ValidationError: naming post and field, before anything is sent; or the vendor's refusal
        """
        bodies = [post_body(post, f"posts[{index}]") for index, post in enumerate(_batch("posts", posts))]
        for index, body in enumerate(bodies):
            check_time(body, f"posts[{index}].")
        call = flow_social.CREATE_POSTS(body={"posts": bodies}, idempotency_key=validation.key(idempotency_key))
        return self.fetch(call)

    def update_posts(self, posts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Change up to 100 queued posts in one request. Some may fail: read ``results``.

        :param posts: each with its ``id`` and changes as for :meth:`update_post`
        :return: ``results`` and ``summary``
        """
        bodies = []
        for index, post in enumerate(_batch("posts", posts)):
            field = f"posts[{index}]"
            validation.known_fields(field, post, flow_social.POST_CHANGES | {"id"})
            body = post_changes({name: value for name, value in post.items() if name != "id"}, field)
            check_time(body, f"{field}.")
            bodies.append({"id": validation.text(f"{field}.id", post.get("id")), **body})
        return self.fetch(flow_social.UPDATE_POSTS(body={"posts": bodies}))

    def delete_posts(self, post_ids: Sequence[str]) -> dict[str, Any]:
        """Delete up to 100 queued posts in one request. Some may fail: read ``results``.

        After a lost answer the request is repeated; what the first attempt deleted is then reported as not found.

        :param post_ids: the posts
        :return: ``results``, one for each post (``success``, ``postId``, ``error``), and ``summary``
        """
        ids = validation.texts("post_ids", post_ids, most=flow_social.MAX_IN_BATCH)
        return self.fetch(flow_social.DELETE_POSTS(body={"postIds": ids}))

    def preflight_post(self, post: Mapping[str, Any]) -> dict[str, Any]:
        """Have a post checked without creating it. The vendor names this route in its FAQ only.

        :param post: as for :meth:`create_post`
        :return: what the vendor says; the form is not documented
        """
        return self.fetch(flow_social.PREFLIGHT_POST(body=post_body(post)))


def filter_query(filters: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters for ``filters``: ``filter[field]=value`` and ``filter[field][op]=value``.

    :raises ValidationError: for an operator that the vendor does not know
    """
    query: dict[str, str] = {}
    for name, condition in filters.items():
        operators = condition if isinstance(condition, Mapping) else {"": condition}
        for operator, value in operators.items():
            if operator:
                validation.choice(f"the operator of filters[{name!r}]", operator, flow_social.OPERATORS)
            key = f"filter[{name}][{operator}]" if operator else f"filter[{name}]"
            query[key] = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return query


def post_body(post: Mapping[str, Any], field: str = "post") -> dict[str, Any]:
    """Return the checked body of a post; fields as in :meth:`PostMethods.create_post`.

    :param post: the post
    :param field: how messages call it
    :raises ValidationError: naming the field, the problem and the remedy
    """
    validation.known_fields(field, post, flow_social.POST_FIELDS)
    place = "" if field == "post" else f"{field}."
    media = validation.texts(f"{place}mediaKeys", post.get("mediaKeys") or [], most=flow_social.MAX_MEDIA, least=0)
    content = post.get("content") or ""
    optimize = post.get("enableOptimization")
    body = {
        "channelId": validation.text(f"{place}channelId", post.get("channelId")),
        # A post may consist of media alone where the network allows it.
        "content": _content(f"{place}content", content) if content or not media else None,
        "scheduledFor": validation.moment(f"{place}scheduledFor", post.get("scheduledFor")),
        "mediaKeys": media or None,
        "enableOptimization": None if optimize is None else validation.flag(f"{place}enableOptimization", optimize),
    }
    return {name: value for name, value in body.items() if value is not None}


def post_changes(changes: Mapping[str, Any], field: str = "changes") -> dict[str, Any]:
    """Return the checked body of an update; fields as in :meth:`PostMethods.update_post`.

    :param changes: the new values; an empty ``mediaKeys`` removes all media
    :param field: how messages call it
    :raises ValidationError: naming the field, the problem and the remedy
    """
    validation.known_fields(field, changes, flow_social.POST_CHANGES)
    body: dict[str, Any] = {}
    if changes.get("content") is not None:
        body["content"] = _content(f"{field}.content", changes["content"])
    if changes.get("scheduledFor") is not None:
        body["scheduledFor"] = validation.moment(f"{field}.scheduledFor", changes["scheduledFor"])
    if changes.get("mediaKeys") is not None:
        most = flow_social.MAX_MEDIA
        body["mediaKeys"] = validation.texts(f"{field}.mediaKeys", changes["mediaKeys"], most=most, least=0)
    if not body:
        raise ValidationError(f"{field} changes nothing; give content, scheduledFor or mediaKeys.")
    return body


def check_time(body: Mapping[str, Any], place: str = "") -> None:
    """Refuse a post whose time has passed.

    :param body: as :func:`post_body` returned it
    :param place: what precedes the field's name in messages
    :raises ValidationError: naming the time. Kept apart from :func:`post_body`: a retry that only settles what happened
        to an earlier request may come after that time
    """
    validation.not_in_the_past(f"{place}scheduledFor", body.get("scheduledFor"))


def _content(field: str, value: Any) -> str:
    return validation.text(field, value, longest=flow_social.MAX_CONTENT)


def _batch(field: str, items: Any) -> Sequence[Any]:
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Sequence):
        raise ValidationError(f"{field} must be a list.")
    if not 1 <= len(items) <= flow_social.MAX_IN_BATCH:
        raise ValidationError(
            f"{field} has {len(items)} entries; a batch takes 1 to {flow_social.MAX_IN_BATCH}. Split it."
        )
    return items
