# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a call to the request that is sent: address, body, headers, signature."""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.filepost import encode_multipart_formdata

from airflow_provider_mkt.client.auth import Auth
from airflow_provider_mkt.client.endpoint import Call, Upload

NOT_CARRIED = re.compile(r"[^\x20-\xff]")


def prepare(call: Call, base: str, session: requests.Session, auth: Auth) -> requests.PreparedRequest:
    """Build and sign the request for ``call``.

    :param call: what to ask
    :param base: the base URL that the endpoint is relative to
    :param session: its headers and cookies are sent along
    :param auth: signs the request, unless the endpoint takes no credentials
    :raises ApiError: when the vendor's token call failed
    :raises ValueError: and others, when something of the call cannot be sent
    """
    endpoint = call.endpoint
    headers = CaseInsensitiveDict(session.headers)
    headers.update(call.headers)
    if call.idempotency_key:
        headers["Idempotency-Key"] = call.idempotency_key
    body: Any = call.body if endpoint.form else None
    if call.file:
        body, headers["Content-Type"] = _multipart(call.file, call.idempotency_key or "")
    request = requests.PreparedRequest()
    request.prepare(
        method=endpoint.method,
        url=call.url(base),
        headers=headers,
        data=body,
        json=None if endpoint.form else call.body,
        params={name: value for name, value in call.query.items() if value is not None},
        auth=auth if endpoint.authenticated else _no_auth,
        cookies=session.cookies if endpoint.authenticated else None,
    )
    _check_headers(request)
    return request


def _multipart(upload: Upload, key: str) -> tuple[BytesIO, str]:
    """Return a body with one file, and its content type. It is sent in pieces: the timeout holds for each of them.

    The same key gives the same boundary, so that a repetition has the same bytes and is no other request to the vendor.

    :raises ValueError: when the file cannot be read, or is not what was checked any more
    """
    name = upload.path.name.encode(errors="replace")
    try:
        content = upload.path.read_bytes()
    except OSError as error:
        raise ValueError(f"the file {upload.path.name!r} cannot be read: {error.strerror}") from error
    if upload.sha256 and hashlib.sha256(content).hexdigest() != upload.sha256:
        raise ValueError(f"the file {upload.path.name!r} has changed since it was checked; nothing was sent")
    boundary = hashlib.sha256(key.encode(errors="replace") + b"/" + name).hexdigest()[:40]
    part = name.decode(), content, upload.media_type
    body, content_type = encode_multipart_formdata({upload.part: part}, boundary)
    return BytesIO(body), content_type


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign nothing; without it ``requests`` would look for credentials in the URL."""
    return request


def _check_headers(request: requests.PreparedRequest) -> None:
    """Refuse what ``http.client`` would refuse with the connection open, quoting the value.

    :raises ValueError: naming the header
    """
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if text != text.strip() or NOT_CARRIED.search(text):
            raise ValueError(f"the header {name} holds a line break or a character that HTTP cannot carry")
