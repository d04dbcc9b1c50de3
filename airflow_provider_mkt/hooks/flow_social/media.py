# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Media files of Flow Social. Vendor documents: SDK reference and FAQ; that uploads are multipart is assumed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Upload
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import check_link, check_regular, expanded
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_social


class MediaMethods(MarketingHook):
    """The part of the hook that deals with media files."""

    vendor = flow_social.VENDOR

    def upload_media(self, path: str | os.PathLike[str], idempotency_key: str | None = None) -> dict[str, Any]:
        """Upload a picture or a film for posts.

        :param path: a local file: JPG, PNG, GIF, WebP, MP4 or MOV, at most 10 MB
        :param idempotency_key: names this file for 24 hours; by default a new key for this call
        :return: ``key``, for a post's ``mediaKeys``
        :raises ValidationError: when the file cannot be read, is too large or of another format, before anything is
            sent; or the vendor's refusal
        """
        return self.fetch(
            flow_social.UPLOAD_MEDIA(file=media_file(path), idempotency_key=validation.key(idempotency_key))
        )

    def get_media(self, key: str) -> Iterator[bytes]:
        """Yield a file in chunks of at most 64 KiB.

        :param key: what uploading returned
        """
        return self.client.stream(flow_social.GET_MEDIA(path={"key": validation.text("key", key, longest=1_024)}))

    def delete_media(self, key: str) -> None:
        """Delete a file.

        :param key: what uploading returned
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_MEDIA(path={"key": key}))


def media_file(path: str | os.PathLike[str]) -> Upload:
    """Return the upload of a checked media file: a regular one, that no link leads to from another folder.

    :param path: the file; it may begin with ``~``
    :raises ValidationError: naming the file, the problem and the remedy
    """
    file = Path(expanded("path", str(path)))
    media_type = media_type_of(file.name)
    check_regular("path", file)
    check_link("path", file)
    try:
        size = file.stat().st_size if file.is_file() else None
    except OSError as error:
        raise ValidationError(f"path: {str(file)!r} cannot be read: {error.strerror}.") from error
    if size is None:
        raise ValidationError(f"path: there is no file {str(file)!r}.")
    check_media_size(file.name, size)
    return Upload(file, media_type)


def media_type_of(name: str) -> str:
    """Return the media type of a file by its name.

    :raises ValidationError: when the vendor does not take such files
    """
    media_type = flow_social.MEDIA_TYPES.get(PurePosixPath(name).suffix.lower())
    if media_type is None:
        known = ", ".join(flow_social.MEDIA_TYPES)
        raise ValidationError(f"path: {name!r} does not end in one of {known}; convert the file.")
    return media_type


def check_media_size(name: str, size: int) -> None:
    """Refuse a file that is empty or too large."""
    if not 0 < size <= flow_social.MAX_MEDIA_BYTES:
        limit = flow_social.MAX_MEDIA_BYTES // 1024**2
        raise ValidationError(f"path: {name!r} has {size:,} bytes; 1 byte to {limit} MB are allowed. Shrink it.")
