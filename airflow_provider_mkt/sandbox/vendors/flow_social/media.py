# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Media files that posts can attach."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.vendor import MEGABYTE, TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import ERRORS, Envelope, IdempotencyKey, Message, Social

MAX_BYTES = 10 * MEGABYTE
FORMATS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}

router = APIRouter(prefix="/flow-social/v1/media", tags=["Flow Social"], responses=ERRORS)


class Uploaded(BaseModel):
    """The key of an upload."""

    key: str


@router.post("/upload", status_code=201, response_model=Envelope[Uploaded])
async def upload(
    social: Social, call: TheCall, file: Annotated[UploadFile, File()], _key: IdempotencyKey = None
) -> Any:
    """Store a file; its key holds slashes."""
    suffix = PurePosixPath(file.filename or "").suffix.lower()
    if suffix not in FORMATS:
        raise VendorError(400, "Invalid request", details=[("file", "must be JPG, PNG, GIF, WebP, MP4 or MOV")])
    content = await file.read()
    if len(content) > MAX_BYTES:
        raise VendorError(400, "Invalid request", details=[("file", "must be at most 10 MB")])
    key = f"media/{social.number('media')}/file{suffix}"
    social.media[key] = (FORMATS[suffix], content)
    social.record(call, "media.uploaded", PurePosixPath(file.filename or "").name, [key])
    return {"data": {"key": key}}


@router.get(
    "/{key:path}",
    response_class=Response,
    responses={200: {"description": "The file", "content": {kind: {} for kind in sorted(set(FORMATS.values()))}}},
)
async def get_media(social: Social, key: str) -> Any:
    """The bytes of a file."""
    if key not in social.media:
        raise VendorError(404, "Media not found")
    kind, content = social.media[key]
    return Response(content, media_type=kind)


@router.delete("/{key:path}", response_model=Envelope[Message])
async def delete_media(social: Social, call: TheCall, key: str) -> Any:
    """Delete a file."""
    if key not in social.media:
        raise VendorError(404, "Media not found")
    del social.media[key]
    social.record(call, "media.deleted", key, [key])
    return {"data": {"message": "Media deleted"}}
