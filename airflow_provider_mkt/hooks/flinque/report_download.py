# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reading a Flinque report: the answer is the file, or names the address of the file (assumed)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.redirect import host_of, linked
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient

MAX_LINK_ANSWER = 64 * 1024
"""Bytes of an answer that may be a link; a longer one is the file."""


def export(client: ApiClient, base_url: str, call: Call) -> Iterator[bytes]:
    """Yield the file of a report in chunks, following a link.

    :param client: the account's client
    :param base_url: base of the account's API; only what lies there is asked for with the credentials
    :param call: the export
    :raises ApiError: with status 202 or 409 when the report is not ready
    :raises MalformedResponseError: when the link cannot be followed, or the file breaks off
    """
    chunks = client.stream(call)
    head: list[bytes] = []
    ended = False
    while not ended and sum(map(len, head)) <= MAX_LINK_ANSWER:
        chunk = _next(chunks)
        head += [chunk] if chunk else []
        ended = chunk is None
    link = link_in(b"".join(head)) if ended else None
    if link is not None:
        head, chunks = [], client.stream(_following(call, base_url, link))
    yield from head
    yield from chunks


def _next(chunks: Iterator[bytes]) -> bytes | None:
    try:
        return next(chunks, None)
    except ApiError as error:
        if error.status not in flinque.NOT_READY:
            raise
        problem = f"The report cannot be exported yet; wait until its status is ready. {error.message}"
        early = ApiError(problem, vendor=error.vendor, method=error.method, path=error.path, status=error.status)
        raise early from error


def link_in(answer: bytes) -> str | None:
    """Return the address that an export's answer names in place of the file, or None when it is the file itself.

    An object with a link has nothing but plain values: JSON with rows in it is a report (assumed).
    """
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    found = found.get("data", found) if isinstance(found, dict) else None
    if not isinstance(found, dict) or any(isinstance(value, (dict, list)) for value in found.values()):
        return None
    links = (found.get(name) for name in flinque.LINK_FIELDS)
    return next((link for link in links if isinstance(link, str) and link), None)


def _following(call: Call, base_url: str, link: str) -> Call:
    """Return the call that downloads ``link``, with the credentials only where they came from."""
    try:
        return linked(call, base_url, urljoin(base_url + "/", link), local=True)
    except ValueError:
        problem = (
            "Flinque named a download address that is not an https one on a public host, nor on its own host: "
            f"{host_of(link)}."
        )
    raise MalformedResponseError(
        problem, vendor=flinque.VENDOR.name, method=call.endpoint.method, path=call.endpoint.path
    )
