# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts in batches. Items are independent: a success answer may hold failures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

from airflow_provider_mkt.sandbox.engine.fields import Body
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import ERRORS, Envelope, IdempotencyKey, Social
from airflow_provider_mkt.sandbox.vendors.flow_social.posts import (
    NewPost,
    PostChanges,
    PostView,
    change,
    create,
    remove,
)

router = APIRouter(prefix="/flow-social/v1/posts/batch", tags=["Flow Social"], responses=ERRORS)

Items = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]


class PostItems(Body):
    """Posts, or changes with an ``id``, judged one by one."""

    posts: Items


class PostIds(Body):
    """Ids of posts."""

    postIds: Annotated[list[str], Field(min_length=1, max_length=100)]


class ItemResult(BaseModel):
    """What became of one item."""

    success: bool
    index: int | None = None
    post: PostView | None = None
    postId: str | None = None
    error: str | None = None


class Summary(BaseModel):
    """Counts."""

    total: int
    successful: int
    failed: int


class BatchResult(BaseModel):
    """What became of a batch."""

    results: list[ItemResult]
    summary: Summary


def _try(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"success": True, **action()}
    except VendorError as error:
        reasons = "; ".join(f"{place}: {message}" for place, message in error.details)
        return {"success": False, "error": reasons or error.message}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        return {"success": False, "error": f"{place}: {first['msg'].removeprefix('Value error, ')}"}


def _result(results: list[dict[str, Any]]) -> dict[str, Any]:
    good = sum(result["success"] for result in results)
    summary = {"total": len(results), "successful": good, "failed": len(results) - good}
    return {"data": {"results": results, "summary": summary}}


@router.post(
    "",
    status_code=201,
    response_model=Envelope[BatchResult],
    responses={
        status: {"model": Envelope[BatchResult], "description": "Some items failed, by switch"} for status in (200, 207)
    },
)
async def create_posts(social: Social, call: TheCall, batch: PostItems, _key: IdempotencyKey = None) -> Any:
    """Schedule up to 100 posts."""

    def new(item: dict[str, Any]) -> dict[str, Any]:
        return {"post": create(social, call, NewPost.model_validate(item))}

    results = [
        {
            "index": index,
            **_try(partial(new, item)),
        }
        for index, item in enumerate(batch.posts)
    ]
    answer = _result(results)
    mixed = answer["data"]["summary"]["failed"] > 0
    return JSONResponse(answer, status_code=social.switch("batch_mixed_status") if mixed else 201)


@router.patch("", response_model=Envelope[BatchResult], response_model_exclude_none=True)
async def update_posts(social: Social, call: TheCall, batch: PostItems) -> Any:
    """Change up to 100 queued posts."""

    def update(item: dict[str, Any]) -> dict[str, Any]:
        changes = {key: value for key, value in item.items() if key != "id"}
        if not isinstance(item.get("id"), str):
            raise VendorError(400, "id: is required")
        return {"post": change(social, call, item["id"], PostChanges.model_validate(changes))}

    return _result([{"index": index, **_try(partial(update, item))} for index, item in enumerate(batch.posts)])


@router.delete("", response_model=Envelope[BatchResult], response_model_exclude_none=True)
async def delete_posts(social: Social, call: TheCall, batch: PostIds) -> Any:
    """Delete up to 100 queued posts; the ids are in the body of the DELETE."""

    def delete(post_id: str) -> dict[str, Any]:
        remove(social, call, post_id)
        return {}

    return _result([{"postId": post_id, **_try(partial(delete, post_id))} for post_id in batch.postIds])
