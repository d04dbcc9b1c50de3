# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a call to the bytes that are sent."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from airflow_provider_mkt.client.auth import BearerAuth
from airflow_provider_mkt.client.endpoint import Upload
from airflow_provider_mkt.client.request import prepare
from airflow_provider_mkt.vendors import flow_social


def uploading(file: Path, key: str | None = "key") -> requests.PreparedRequest:
    call = flow_social.UPLOAD_MEDIA(file=Upload(file, "image/jpeg"), idempotency_key=key)
    return prepare(call, "https://example.com", requests.Session(), BearerAuth("s3cret"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / 'ha"rbour\r\n café.jpg'
    file.write_bytes(bytes(range(256)))
    return file


def test_a_file_is_the_only_part_of_the_body(picture: Path) -> None:
    request = uploading(picture)
    boundary = request.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="ha%22rbour%0D%0A café.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = request.body.read()  # type: ignore[union-attr]
    assert body == head.encode() + bytes(range(256)) + f"\r\n--{boundary}--\r\n".encode()
    assert request.headers["Content-Length"] == str(len(body))


def test_a_repetition_has_the_same_bytes(picture: Path) -> None:
    first, again, other = (uploading(picture, key) for key in ("key", "key", "other"))
    assert first.headers["Content-Type"] == again.headers["Content-Type"] != other.headers["Content-Type"]
    assert first.body.read() == again.body.read()  # type: ignore[union-attr]


def test_the_body_goes_out_piece_by_piece(picture: Path) -> None:
    """The timeout holds for each piece. A body of bytes is one piece, and a slow line would take too long over it."""
    picture.write_bytes(b"x" * 100_000)
    assert len(uploading(picture).body.read(1_000)) == 1_000  # type: ignore[union-attr]


def test_a_name_that_is_no_text_is_sent_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a\udcff.jpg"
    file.write_bytes(b"x")
    assert b'filename="a?.jpg"' in uploading(file).body.read()  # type: ignore[union-attr]


def test_a_file_that_is_gone_is_named(picture: Path) -> None:
    picture.unlink()
    with pytest.raises(ValueError, match=r"caf.*cannot be read: No such file"):
        uploading(picture)
