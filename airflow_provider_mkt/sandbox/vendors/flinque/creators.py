# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Creators, the same for every workspace."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import DAY, iso
from airflow_provider_mkt.sandbox.engine.vendor import VendorError
from airflow_provider_mkt.sandbox.vendors.flinque.account import ERRORS, SEEDED_AT, Meta, Page, PerPage, listing
from airflow_provider_mkt.sandbox.vendors.flinque.orders import CREATORS

POSTS = 5
"""Posts of each creator."""

_PLATFORMS = ("instagram", "tiktok", "youtube")

router = APIRouter(prefix="/flinque/v1/creators", tags=["Flinque"], responses=ERRORS)


class Creator(BaseModel):
    """A creator."""

    id: str
    name: str
    handle: str
    platform: str
    followers: int
    engagement_rate: float
    created_at: str


class Share(BaseModel):
    """Part of an audience; one of the names says of which part."""

    range: str | None = None
    value: str | None = None
    code: str | None = None
    share: float


class Audience(BaseModel):
    """Who follows a creator."""

    creator_id: str
    age: list[Share]
    gender: list[Share]
    countries: list[Share]


class CreatorPost(BaseModel):
    """A creator's post."""

    id: str
    creator_id: str
    url: str
    published_at: str
    likes: int
    comments: int
    views: int


class CreatorPage(BaseModel):
    """A page of creators."""

    data: list[Creator]
    meta: Meta


class PostPage(BaseModel):
    """A page of posts."""

    data: list[CreatorPost]
    meta: Meta


def _creator(number: int) -> dict[str, Any]:
    return {
        "id": f"cr_{number}",
        "name": f"Creator {number}",
        "handle": f"@creator{number}",
        "platform": _PLATFORMS[number % len(_PLATFORMS)],
        "followers": 1000 * number,
        "engagement_rate": round(0.01 + number / 1000, 3),
        "created_at": iso(SEEDED_AT + number),
    }


_ALL = [_creator(number) for number in range(1, CREATORS + 1)]
KNOWN = frozenset(creator["id"] for creator in _ALL)
"""Ids of all creators."""


def _number(creator_id: str) -> int:
    if creator_id not in KNOWN:
        raise VendorError(404, "Creator not found")
    return int(creator_id.removeprefix("cr_"))


@router.get("", response_model=CreatorPage)
async def list_creators(page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of creators."""
    return listing(_ALL, page, per_page)


@router.get("/{creator_id}", response_model=Creator)
async def get_creator(creator_id: str) -> Any:
    """One creator."""
    return _creator(_number(creator_id))


@router.get("/{creator_id}/audience", response_model=Audience, response_model_exclude_none=True)
async def get_audience(creator_id: str) -> Any:
    """Who follows a creator."""
    _number(creator_id)
    return {
        "creator_id": creator_id,
        "age": [{"range": "18-24", "share": 0.4}, {"range": "25-34", "share": 0.6}],
        "gender": [{"value": "female", "share": 0.55}, {"value": "male", "share": 0.45}],
        "countries": [{"code": "US", "share": 0.7}, {"code": "GB", "share": 0.3}],
    }


@router.get("/{creator_id}/posts", response_model=PostPage)
async def list_posts(creator_id: str, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A creator's posts."""
    number = _number(creator_id)
    rows = [
        {
            "id": f"po_{number}_{index}",
            "creator_id": creator_id,
            "url": f"https://social.example/{creator_id}/{index}",
            "published_at": iso(SEEDED_AT + index * DAY),
            "likes": 100 * index,
            "comments": 10 * index,
            "views": 1000 * index,
        }
        for index in range(1, POSTS + 1)
    ]
    return listing(rows, page, per_page)
