# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Endpoints as data, and one call of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote


class Safety(Enum):
    """What may be repeated when it is unknown whether a request was executed. The HTTP method alone never decides."""

    READ = "read"
    """No effect: repeat after any failure."""
    IDEMPOTENT = "idempotent"
    """Repeating changes nothing more: repeat after any failure."""
    KEYED = "keyed"
    """Repeat after any failure, with the same ``Idempotency-Key``."""
    ONCE = "once"
    """Repeat only when the request was certainly not executed."""


class Priority(Enum):
    """Who goes first when the rate budget is short."""

    LAUNCH = "launch"
    """What somebody waits for: it may use the whole budget."""
    POLL = "news"
    """Reads that only wait for news: they leave the last fifth of the budget to the others."""


@dataclass(frozen=True)
class Upload:
    """A file to send as ``multipart/form-data``. It is read into memory, afresh for every attempt.

    :param path: where it is
    :param media_type: its media type
    :param part: name of the part
    :param sha256: of the content that was checked, in hexadecimal digits: another one is not sent; "" for any
    """

    path: Path
    media_type: str
    part: str = "file"
    sha256: str = ""


@dataclass(frozen=True)
class Limit:
    """How many requests a vendor permits.

    :param requests: requests per window
    :param window: length of the sliding window in seconds
    """

    requests: int
    window: float = 60.0


@dataclass(frozen=True)
class Endpoint:
    """One route of a vendor.

    :param method: HTTP method
    :param path: path below the base URL, with ``{names}`` for its parameters
    :param safety: what may be repeated
    :param budgets: names of the rate budgets that one call takes a slot of
    :param answer: fields that the answer must have, with their types, or the type of the whole answer (``dict``: an
        object with any fields); ``None`` when the answer is ignored
    :param envelope: name of the field that wraps the answer; unwrapped when present
    :param rows: for lists: names under which the rows may stand (a bare array is always accepted)
    :param row: type of the rows
    :param base: which base URL of the connection the path is relative to
    :param authenticated: whether the connection's credentials are sent along
    :param form: whether the body is form-encoded instead of JSON
    :param redirect: whether a redirect is the answer: ``location`` is what the call returns
    :param download: whether the answer is a file, for which a few redirects are followed
    :param gone_is_done: for deletions: a 404 means "done" after an attempt that may have been executed
    :param final_429: whether a 429 is final, for what must not be repeated even when it was certainly not executed
    :param not_yet: success statuses that mean "not ready yet", which is a refusal
    :param decides: whether statuses and errors in an answer are about the request. They are not in the answer to a
        batch, which tells of each part for itself, nor where they are the state of what was asked about
    """

    method: str
    path: str
    safety: Safety
    budgets: tuple[str, ...] = ("default",)
    answer: Mapping[str, type | tuple[type, ...]] | type | None = field(default_factory=dict)
    envelope: str | None = None
    rows: tuple[str, ...] | None = None
    row: type = dict
    base: str = "api"
    authenticated: bool = True
    form: bool = False
    redirect: bool = False
    download: bool = False
    gone_is_done: bool = False
    final_429: bool = False
    not_yet: tuple[int, ...] = ()
    decides: bool = True

    def __call__(self, **parts: Any) -> Call:
        """Describe one call of this endpoint; ``parts`` are the fields of :class:`Call`."""
        return Call(self, **parts)


@dataclass(frozen=True)
class Call:
    """One request to an endpoint, before anything is sent. What may hold secrets or personal data has no repr.

    :param endpoint: the route
    :param path: values of the path's parameters
    :param query: query parameters; those that are ``None`` are left out
    :param body: JSON-compatible body (or form fields)
    :param headers: further headers
    :param idempotency_key: sent as ``Idempotency-Key``; required for KEYED endpoints
    :param priority: how urgent it is when the rate budget is short
    :param file: a file that is sent as the body, in place of ``body``
    :param link: a full address that the vendor named, in place of the endpoint's; for downloads
    :param only_public: whether it must lie on a public host, so that nothing inside our own network is asked
    """

    endpoint: Endpoint
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, Any] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    idempotency_key: str | None = None
    priority: Priority = Priority.LAUNCH
    file: Upload | None = None
    link: str | None = field(default=None, repr=False)
    only_public: bool = False

    @property
    def safety(self) -> Safety:
        """The endpoint's safety; a KEYED call without its key is no better than ONCE."""
        safety = self.endpoint.safety
        return Safety.ONCE if safety is Safety.KEYED and not self.idempotency_key else safety

    def url(self, base: str) -> str:
        """Return the full URL without the query: the link, or the endpoint's with its path values percent-encoded.

        :raises ValueError: when a path value is empty, which would address another route
        """
        if self.link:
            return self.link
        for name, value in self.path.items():
            if value is None or not str(value).strip() or str(value) in {".", ".."}:
                raise ValueError(f"{name} must not be empty, got {value!r}")
        return base.rstrip("/") + self.endpoint.path.format(**{k: quote(str(v), safe="") for k, v in self.path.items()})
