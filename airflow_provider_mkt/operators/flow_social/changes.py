# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Changing and deleting Flow Social posts; import them from ``operators.flow_social``. Both may be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import NotFoundError, ValidationError
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.operators.flow_social.answers import Item
    from airflow_provider_mkt.tasks.parameters import OperatorParameters

POST_NOT_FOUND = "POST_NOT_FOUND"
"""The vendor's code for a post that is not there."""


class FlowSocialUpdatePostOperator(MarketingOperator["FlowSocialHook"]):
    """Changes posts that are still queued. The values are absolute, so it may be repeated.

    Returns ``updated`` (a number) and ``post_ids``.

    :param post_id: a post, or several, which all get the same values; several go 100 to a request
    :param content: the new text, at most 10,000 characters
    :param scheduled_for: the new time, in the future; without a time zone it is UTC
    :param media_keys: the new media, at most 10; an empty list removes all
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("post_id", "content", "scheduled_for", "media_keys", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR

    def __init__(
        self,
        *,
        post_id: str | Sequence[str],
        content: str | None = None,
        scheduled_for: datetime | str | None = None,
        media_keys: Sequence[str] | None = None,
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.post_id = post_id
        self.content = content
        self.scheduled_for = scheduled_for
        self.media_keys = media_keys

    def execute(self, context: Context) -> dict[str, Any]:
        """Change all of them."""
        from airflow_provider_mkt.operators.flow_social.answers import by_row

        ids = validation.ids("post_id", self.post_id)
        changes = self._changes()
        hook = self.hook
        problems: dict[str, str] = {}
        with reschedule_when_rate_limited():
            if len(ids) == 1:
                answer = {"success": True, "post": hook.update_post(ids[0], changes)}
                problems.update(_problems(hook, {ids[0]: answer}, changes))
            else:
                for part in _parts(ids):
                    sent = [{"id": post_id, **changes} for post_id in part]
                    results = by_row(hook.update_posts(sent)["results"], sent, _another_post)
                    problems.update(_problems(hook, dict(zip(part, results, strict=True)), changes))
                    self.log.info("Flow Social: %d of %d posts could not be changed.", len(problems), len(ids))
        _check(problems, ids, "changed")
        return {"updated": len(ids), "post_ids": ids}

    def _changes(self) -> dict[str, Any]:
        """Return the new values, checked under the names of the parameters."""
        changes: dict[str, Any] = {}
        if self.content is not None:
            changes["content"] = validation.text("content", self.content, longest=flow_social.MAX_CONTENT)
        if self.scheduled_for not in (None, ""):
            changes["scheduledFor"] = validation.moment("scheduled_for", self.scheduled_for)
            validation.not_in_the_past("scheduled_for", changes["scheduledFor"])
        if self.media_keys is not None:
            most = flow_social.MAX_MEDIA
            changes["mediaKeys"] = validation.texts("media_keys", self.media_keys, most=most, least=0)
        if not changes:
            raise ValidationError("There is nothing to change; give content, scheduled_for or media_keys.")
        return changes


class FlowSocialDeletePostOperator(MarketingOperator["FlowSocialHook"]):
    """Deletes posts that are still queued. A post that is gone already is done, so it may be repeated.

    Returns ``deleted`` and ``gone`` (numbers): what it deleted, and what was not there any more.

    :param post_id: a post, or several; several go 100 to a request
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("post_id", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR

    def __init__(
        self,
        *,
        post_id: str | Sequence[str],
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.post_id = post_id

    def execute(self, context: Context) -> dict[str, int]:
        """Delete all of them."""
        ids = validation.ids("post_id", self.post_id)
        hook = self.hook
        problems: dict[str, str] = {}
        gone = 0
        with reschedule_when_rate_limited():
            if len(ids) == 1:
                try:
                    hook.delete_post(ids[0])
                except NotFoundError as error:
                    _check_gone(error)
                    gone = 1
            else:
                for part in _parts(ids):
                    answer = hook.delete_posts(part)
                    results = {each.get("postId"): each for each in answer["results"] if isinstance(each, dict)}
                    left = _problems(hook, {post_id: results.get(post_id) for post_id in part})
                    # The vendor gives its reason as text only: whether a post is gone is asked.
                    still = {post_id: reason for post_id, reason in left.items() if _exists(hook, post_id)}
                    problems.update(still)
                    gone += len(left) - len(still)
                    self.log.info("Flow Social: %d of %d posts could not be deleted.", len(problems), len(ids))
        _check(problems, ids, "deleted")
        return {"deleted": len(ids) - gone, "gone": gone}


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    size = flow_social.MAX_IN_BATCH
    return (list(ids[start : start + size]) for start in range(0, len(ids), size))


def _another_post(sent: Item, shown: Item) -> bool:
    return bool(shown.get("id", sent["id"]) != sent["id"])


def _problems(
    hook: FlowSocialHook, results: Mapping[str, Item | None], changes: Item = MappingProxyType({})
) -> dict[str, str]:
    """Return the posts that the vendor does not call done, or shows without the changes, with the reasons."""
    from airflow_provider_mkt.operators.flow_social.answers import differences, reason_of, shown_post

    problems = {}
    for post_id, result in results.items():
        if result is None:
            problems[post_id] = "the vendor does not say what became of it"
        elif result.get("success") is not True or result.get("error"):
            problems[post_id] = reason_of(result, hook.redactor)
        elif others := differences(changes, shown_post(result)):
            problems[post_id] = f"the vendor shows another {', '.join(others)} than was sent"
    return problems


def _exists(hook: FlowSocialHook, post_id: str) -> bool:
    try:
        hook.get_post(post_id)
    except NotFoundError as error:
        _check_gone(error)
        return False
    return True


def _check_gone(error: NotFoundError) -> None:
    """Raise any other 404 than the one about the post: it comes from a wrong host, for example."""
    if error.code != POST_NOT_FOUND:
        raise error


def _check(problems: dict[str, str], ids: Sequence[str], what: str) -> None:
    """Fail with the posts that are not done, if there are any.

    :raises ValidationError: naming them
    """
    from airflow_provider_mkt.operators.flow_social.answers import SHOWN_ROWS

    if problems:
        shown = "; ".join(f"{post_id}: {reason}" for post_id, reason in list(problems.items())[:SHOWN_ROWS])
        more = len(problems) - SHOWN_ROWS
        raise ValidationError(
            f"{flow_social.VENDOR.name} has not {what} {len(problems)} of {len(ids)} posts. {shown}"
            + (f"; and {more} more" if more > 0 else "")
            + ". Only queued posts can be; take the others out of the list.",
            vendor=flow_social.VENDOR.name,
        )
