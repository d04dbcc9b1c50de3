# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts, one by one: queued until their time, then flowing, then done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from airflow_provider_mkt.sandbox.engine.fields import Body
from airflow_provider_mkt.sandbox.engine.timeline import Stage, plan
from airflow_provider_mkt.sandbox.engine.vendor import Call, TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import (
    ERRORS,
    Envelope,
    FlowSocial,
    IdempotencyKey,
    Message,
    Social,
    stamp,
)
from airflow_provider_mkt.sandbox.vendors.flow_social.objects import Post
from airflow_provider_mkt.sandbox.vendors.flow_social.querying import (
    Page,
    PerPage,
    milliseconds,
    query_parameters,
    select,
    text,
)

FLOWING_FOR = 60.0
TWITTER_LENGTH = 280
FIELDS = {
    "status": text,
    "channelId": text,
    "scheduledFor": milliseconds,
    "createdAt": milliseconds,
    "content": text,
}
_TIME_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "minimum": 0, "maximum": 10**14}]
}

_SOMETHING_TO_SAY: dict[str, Any] = {
    "anyOf": [
        {"required": ["content"], "properties": {"content": {"type": "string"}}},
        {"required": ["mediaKeys"], "properties": {"mediaKeys": {"type": "array", "minItems": 1}}},
    ]
}

router = APIRouter(prefix="/flow-social/v1/posts", tags=["Flow Social"], responses=ERRORS)

When = Annotated[float, BeforeValidator(milliseconds), Field(json_schema_extra=_TIME_SCHEMA)]
"""A time in milliseconds, given as such or as ISO 8601."""

Content = Annotated[str, Field(min_length=1, max_length=10_000)]
MediaKeys = Annotated[list[str], Field(max_length=10)]


class Draft(Body):
    """A post to judge."""

    channelId: Annotated[str, Field(min_length=1)]
    content: Content | None = None
    scheduledFor: When | None = None
    mediaKeys: MediaKeys = Field(default_factory=list)
    enableOptimization: bool | None = None


class NewPost(Draft):
    """A post to schedule; without ``scheduledFor`` it goes out at once."""

    model_config = ConfigDict(json_schema_extra=_SOMETHING_TO_SAY)


class PostChanges(Body):
    """Changes of a queued post."""

    content: Content | None = None
    scheduledFor: When | None = None
    mediaKeys: MediaKeys | None = None


class PostView(BaseModel):
    """A post; times are in milliseconds."""

    id: str
    channelId: str
    content: str
    mediaKeys: list[str]
    status: str
    scheduledFor: int
    createdAt: int


class Preflight(BaseModel):
    """Outcome of a validation (shape assumed)."""

    valid: bool
    errors: list[dict[str, str]]


def view(social: FlowSocial, post: Post) -> dict[str, Any]:
    """A post as answers show it."""
    return {
        "id": post.id,
        "channelId": post.channel_id,
        "content": post.content,
        "mediaKeys": post.media_keys,
        "status": post.status(social.world.clock),
        "scheduledFor": stamp(post.scheduled_for),
        "createdAt": stamp(post.created_at),
    }


def problems(
    social: FlowSocial, channel_id: str, content: str | None, media: list[str], when: float | None
) -> list[tuple[str, str]]:
    """What the vendor would refuse about a post: pairs of field and message."""
    found: list[tuple[str, str]] = []
    channel = social.channels.get(channel_id)
    platforms = {social.connections[name].platform for name in channel.connections} if channel else set()
    if channel is None:
        found.append(("channelId", "Channel does not exist"))
    if content is None and not media:
        found.append(("content", "Content is required unless media is attached"))
    if "twitter" in platforms and len(content or "") > TWITTER_LENGTH:
        found.append(("content", f"Content is longer than the {TWITTER_LENGTH} characters of Twitter"))
    found.extend(("mediaKeys", "Media does not exist") for key in media if key not in social.media)
    if when is not None and when / 1000 <= social.world.clock.now():
        found.append(("scheduledFor", "scheduledFor must be in the future"))
    return found


def course(outcome: str | None) -> tuple[Stage, ...]:
    """The states of a post, with vendor seconds after the moment at which it is due."""
    steps = [(0.0, "queued"), (0.0, "flowing"), (FLOWING_FOR, "done")]
    if outcome == "retried":
        again = [(FLOWING_FOR, "queued"), (2 * FLOWING_FOR, "flowing"), (3 * FLOWING_FOR, "done")]
        return plan(0.0, [*steps[:2], *again]).stages
    return plan(0.0, steps, outcome).stages


def due(social: FlowSocial, scheduled: float) -> tuple[float, bool]:
    """When a post goes out, and whether that is told in vendor time; see :class:`Post`.

    :param scheduled: its ``scheduledFor`` as Unix time
    """
    clock = social.world.clock
    wait = scheduled - clock.now()
    early = social.switch("early_posts")
    return (clock.ticks() + wait, True) if early else (clock.shelf() + wait, False)


def create(social: FlowSocial, call: Call, new: NewPost) -> dict[str, Any]:
    """Store a post.

    :raises VendorError: 400 with the problems of the fields
    """
    found = problems(social, new.channelId, new.content, new.mediaKeys, new.scheduledFor)
    if found:
        raise VendorError(400, "Invalid request", details=found)
    now = social.world.clock.now()
    scheduled = now if new.scheduledFor is None else new.scheduledFor / 1000
    content = new.content or ""
    outcome = social.world.forced_outcomes.draw(social.name, content)
    number = social.number("post")
    stages = course(outcome.outcome if outcome else None)
    post = Post(
        f"post_{number}", new.channelId, content, list(new.mediaKeys), scheduled, now, stages, *due(social, scheduled)
    )
    social.posts[post.id] = post
    social.unfinished.append(post)
    social.day()["posts"] += 1
    social.record(call, "post.created", content, [post.id])
    social.emit("post.created", {"post_id": post.id, "channel_id": post.channel_id})
    # The answer tells of the moment of creation, in which even an immediate post is queued.
    return {**view(social, post), "status": "queued"}


def change(social: FlowSocial, call: Call, post_id: str, changes: PostChanges) -> dict[str, Any]:
    """Change a queued post.

    :raises VendorError: no such post, not queued, or bad values
    """
    post = queued(social, post_id)
    content = post.content if changes.content is None else changes.content
    media = post.media_keys if changes.mediaKeys is None else changes.mediaKeys
    found = problems(social, post.channel_id, content or None, media, changes.scheduledFor)
    if found:
        raise VendorError(400, "Invalid request", details=found)
    post.content, post.media_keys = content, list(media)
    if changes.scheduledFor is not None:
        post.scheduled_for = changes.scheduledFor / 1000
        post.stages = course(None)
        post.due, post.early = due(social, post.scheduled_for)
    social.record(call, "post.updated", post_id, [post_id])
    return view(social, post)


def remove(social: FlowSocial, call: Call, post_id: str) -> None:
    """Delete a queued post.

    :raises VendorError: no such post or not queued
    """
    queued(social, post_id)
    del social.posts[post_id]
    social.record(call, "post.deleted", post_id, [post_id])


def find(social: FlowSocial, post_id: str) -> Post:
    """A post by id.

    :raises VendorError: 404
    """
    if post_id not in social.posts:
        raise VendorError(404, "Post not found", code="POST_NOT_FOUND")
    return social.posts[post_id]


def queued(social: FlowSocial, post_id: str) -> Post:
    """A post that can still be changed.

    :raises VendorError: 404, or 400 when it is on its way
    """
    post = find(social, post_id)
    status = post.status(social.world.clock)
    if status != "queued":
        message = f"Only queued posts can be changed; this one is {status}"
        raise VendorError(social.switch("not_queued_status"), message, code="VALIDATION_ERROR")
    return post


@router.get("", response_model=Envelope[list[PostView]], openapi_extra=query_parameters(FIELDS))
async def list_posts(social: Social, call: TheCall, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of posts."""
    return {"data": select(call, [view(social, post) for post in social.posts.values()], FIELDS, page, per_page)}


@router.post("", status_code=201, response_model=Envelope[PostView])
async def create_post(social: Social, call: TheCall, new: NewPost, _key: IdempotencyKey = None) -> Any:
    """Schedule a post."""
    return {"data": create(social, call, new)}


@router.post("/preflight", response_model=Envelope[Preflight])
async def preflight(social: Social, new: Draft) -> Any:
    """Only judge a post."""
    found = problems(social, new.channelId, new.content, new.mediaKeys, new.scheduledFor)
    errors = [{"field": place, "message": message} for place, message in found]
    return {"data": {"valid": not errors, "errors": errors}}


@router.get("/{post_id}", response_model=Envelope[PostView])
async def get_post(social: Social, post_id: str) -> Any:
    """One post."""
    return {"data": view(social, find(social, post_id))}


@router.patch("/{post_id}", response_model=Envelope[PostView])
async def update_post(social: Social, call: TheCall, post_id: str, changes: PostChanges) -> Any:
    """Change a queued post."""
    return {"data": change(social, call, post_id, changes)}


@router.delete("/{post_id}", response_model=Envelope[Message])
async def delete_post(social: Social, call: TheCall, post_id: str) -> Any:
    """Delete a queued post."""
    remove(social, call, post_id)
    return {"data": {"message": "Post deleted"}}
