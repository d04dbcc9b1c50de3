# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Channels, posts and media of Flow Social. One list of statuses is documented for all of its routes."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flow_social as table
from tests.vendors.case import Case, Rows

ERRORS = (400, 401, 403, 404, 429, 503)
LATER, LATER_ANSWERED = "2100-01-01T09:00:00.000Z", 4102477200000
POST = {"channelId": "channel_1", "content": "Open house", "scheduledFor": LATER}
PAGE = {"page": "1", "per_page": "100"}
SORTED = {**PAGE, "sort": "createdAt"}
_numbers = count(1)
_folder = tempfile.TemporaryDirectory(prefix="mkt-media-")


def picture(size: int = 200_000) -> Path:
    """A new file that is called a picture."""
    file = Path(_folder.name) / f"picture {next(_numbers)}.PNG"
    file.write_bytes(b"\x89PNG" + bytes(range(256)) * (size // 256))
    return file


def channel(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"channel": hook.create_channel(f"Given {next(_numbers)}")["id"]}


def post(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"post": hook.create_post(POST)["id"]}


def file(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"file": str(picture())}


def media(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"media": hook.upload_media(picture())["key"]}


def case(endpoint: Any, method: str, sends: str, safety: str, **rest: Any) -> Case:
    verb, path = sends.split(" ")
    return Case(endpoint, method, f"{verb} /flow-social/v1{path}", safety, errors=ERRORS, **rest)


def deletion(endpoint: Any, method: str, path: str, name: str, given: Any) -> Case:
    return case(endpoint, method, f"DELETE {path}/{{{name}}}", "IDEMPOTENT", args=(f"{{{name}}}",), given=given)


CHANNELS = (
    case(
        table.LIST_CHANNELS,
        "list_channels",
        "GET /channels",
        "READ",
        kwargs={"filters": {"name": "Harbour Homes"}},
        query={**SORTED, "filter[name]": "Harbour Homes"},
        answer=Rows(1, {"id": "channel_1", "color": "#3B82F6"}),
    ),
    case(
        table.CREATE_CHANNEL,
        "create_channel",
        "POST /channels",
        "KEYED",
        args=("Spring", "#112233"),
        body={"name": "Spring", "color": "#112233"},
        answer={"id": str, "name": "Spring", "color": "#112233"},
    ),
    case(
        table.GET_CHANNEL,
        "get_channel",
        "GET /channels/channel_2",
        "READ",
        args=("channel_2",),
        answer={"id": "channel_2", "name": "Harbour Homes News"},
    ),
    case(
        table.UPDATE_CHANNEL,
        "update_channel",
        "PATCH /channels/{channel}",
        "IDEMPOTENT",
        args=("{channel}",),
        kwargs={"color": "#445566"},
        body={"color": "#445566"},
        answer={"id": "{channel}", "color": "#445566"},
        given=channel,
    ),
    deletion(table.DELETE_CHANNEL, "delete_channel", "/channels", "channel", channel),
)

POSTS = (
    case(
        table.LIST_POSTS,
        "list_posts",
        "GET /posts",
        "READ",
        args=({"status": "queued", "scheduledFor": {"gte": 1750000000000}, "channelId": {"in": ["channel_1", "x"]}},),
        kwargs={"sort": "-createdAt,content"},
        query={
            **PAGE,
            "sort": "-createdAt,content",
            "filter[status]": "queued",
            "filter[scheduledFor][gte]": "1750000000000",
            "filter[channelId][in]": "channel_1,x",
        },
        answer=Rows(None, {"id": str, "status": "queued"}),
        given=post,
    ),
    case(
        table.CREATE_POST,
        "create_post",
        "POST /posts",
        "KEYED",
        args=({**POST, "scheduledFor": "2100-01-01T10:00:00+01:00"},),
        body=POST,
        answer={"id": str, "status": "queued", "scheduledFor": LATER_ANSWERED},
    ),
    case(
        table.GET_POST,
        "get_post",
        "GET /posts/{post}",
        "READ",
        args=("{post}",),
        answer={"id": "{post}", "content": "Open house"},
        given=post,
    ),
    case(
        table.UPDATE_POST,
        "update_post",
        "PATCH /posts/{post}",
        "IDEMPOTENT",
        args=("{post}", {"content": "Open house, 3 pm"}),
        body={"content": "Open house, 3 pm"},
        answer={"id": "{post}", "content": "Open house, 3 pm"},
        given=post,
    ),
    deletion(table.DELETE_POST, "delete_post", "/posts", "post", post),
    case(
        table.CREATE_POSTS,
        "create_posts",
        "POST /posts/batch",
        "KEYED",
        args=([POST, {**POST, "channelId": "channel_99"}],),
        body={"posts": [POST, {**POST, "channelId": "channel_99"}]},
        answer={"results": list, "summary": {"total": 2, "successful": 1, "failed": 1}},
    ),
    case(
        table.UPDATE_POSTS,
        "update_posts",
        "PATCH /posts/batch",
        "IDEMPOTENT",
        args=([{"id": "{post}", "content": "Sold"}],),
        body={"posts": [{"id": "{post}", "content": "Sold"}]},
        answer={"results": list, "summary": {"total": 1, "successful": 1, "failed": 0}},
        given=post,
    ),
    case(
        table.DELETE_POSTS,
        "delete_posts",
        "DELETE /posts/batch",
        "IDEMPOTENT",
        args=(["{post}"],),
        body={"postIds": ["{post}"]},
        answer={"results": list, "summary": {"total": 1}},
        given=post,
    ),
    case(
        table.PREFLIGHT_POST,
        "preflight_post",
        "POST /posts/preflight",
        "READ",
        args=(POST,),
        body=POST,
        answer={"valid": True},
    ),
)

MEDIA = (
    case(
        table.UPLOAD_MEDIA,
        "upload_media",
        "POST /media/upload",
        "KEYED",
        args=("{file}",),
        body=...,
        answer={"key": str},
        given=file,
    ),
    case(
        table.GET_MEDIA,
        "get_media",
        "GET /media/{media}",
        "READ",
        args=("{media}",),
        answer=Rows(None, bytes),
        given=media,
    ),
    deletion(table.DELETE_MEDIA, "delete_media", "/media", "media", media),
)

CASES = (*CHANNELS, *POSTS, *MEDIA)
