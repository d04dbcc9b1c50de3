# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A file as the body of a request: read while it is sent, so that its size does not matter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from airflow_provider_mkt.client.endpoint import Upload

CHUNK = 64 * 1024


class Multipart:
    """A ``multipart/form-data`` body of one file. Every iteration opens the file again.

    :param upload: the file
    :param key: the request's idempotency key. The same key gives the same boundary, so that a repetition has the same
        bytes and no vendor takes it for another request
    :raises ValueError: when the file cannot be read
    """

    def __init__(self, upload: Upload, key: str) -> None:
        try:
            self._size = upload.path.stat().st_size
        except OSError as error:
            raise ValueError(f"the file {upload.path.name!r} cannot be read: {error.strerror}") from error
        self._path = upload.path
        boundary = hashlib.sha256(f"{key}/{upload.path.name}".encode(errors="replace")).hexdigest()[:40]
        # Browsers escape a file name like this.
        name = upload.path.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = [
            f"--{boundary}",
            f'Content-Disposition: form-data; name="{upload.part}"; filename="{name}"',
            f"Content-Type: {upload.media_type}",
        ]
        self._head = ("\r\n".join(head) + "\r\n\r\n").encode(errors="replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        left = self._size
        with self._path.open("rb") as file:
            while left:
                chunk = file.read(min(left, CHUNK))
                if not chunk:
                    raise OSError(f"the file {self._path.name!r} became shorter while it was sent")
                left -= len(chunk)
                yield chunk
        yield self._tail
