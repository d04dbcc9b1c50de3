# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What may be shown of a request or response: no secrets, no personal data, never more than 2,000 characters."""

from __future__ import annotations

import copy
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from airflow_provider_mkt.client.occurrences import HEAD, MAX_TEXT, Occurrences, Span
from airflow_provider_mkt.client.personal import PATTERNS, WIDE
from airflow_provider_mkt.client.spelling import FOLD, Reading, base64_cores, bitten, needles, readings
from airflow_provider_mkt.client.storable import storable

HIDDEN = "***"
SHOWN_CHARACTERS = 2_000
MIN_SECRET = HEAD
"""Characters. A shorter secret would blank innocent text; a shorter personal value is hidden as a word of its own."""

SECRET_FIELDS = re.compile(
    r"secret|token|password|api_?key|authori[sz]ation|credential|^code$|signature", re.IGNORECASE
)
PERSONAL_FIELDS = re.compile(
    r"e_?mail|custom_?fields|(^|_|optin)ip(_?address)?$|(first|last|full)_?name|phone|iban", re.IGNORECASE
)
LOOKED_AT = 32_768
"""Characters of a text that are looked at; a secret may begin before the end of them and go on behind it."""
MAX_SECRET = MAX_TEXT
"""Characters of a known value that are searched at once; a longer one is searched in pieces."""
MAX_VALUES = 2_000
"""Personal values of one request; when there are more, nothing of what the vendor says about it is shown."""
MAX_CHARACTERS = 500_000
"""Characters of all of them together, likewise."""
MAX_NODES = 1_000
"""Values of one answer's details that are shown."""
MAX_NUMBER = 10**18
"""A larger whole number is no figure, and may be the whole answer."""
URL_SAFE = str.maketrans("-_", "+/")
IN_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")


class Redactor:
    """Removes known secrets, and everything that looks like one, from text and data. Takes time linear in the text.

    :param secrets: the secrets of one connection; they are also found as URLs, JSON, HTML and base64 show them
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._texts, self._encoded = Occurrences(), Occurrences()
        self._known: set[str] = set()
        self._too_many = False
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Hide ``secret`` from now on; shorter ones than 4 characters would blank innocent text and are left."""
        for piece in _pieces(secret or ""):
            if len(piece) < MIN_SECRET or piece in self._known:
                continue
            self._known.add(piece)
            found = chain(needles(piece), bitten(piece))
            self._texts.add(needle for needle in found if len(needle) >= MIN_SECRET)
            self._encoded.add(base64_cores(piece, MIN_SECRET))

    def with_values(self, values: Iterable[str]) -> Redactor:
        """Return a redactor that hides ``values`` as well, such as personal data that went into a request."""
        other = Redactor()
        other._texts, other._encoded = copy.copy(self._texts), copy.copy(self._encoded)
        other._known = self._known.copy()
        pieces: set[str] = set()
        characters = 0
        for value in values:
            pieces |= {*_pieces(value.strip())}
            characters += len(value)
            if len(pieces) > MAX_VALUES or characters > MAX_CHARACTERS:
                other._too_many = True
                return other
        other._texts.add(chain.from_iterable(map(needles, pieces)))
        return other

    def text(self, text: str, limit: int = SHOWN_CHARACTERS) -> str:
        """Return ``text`` without secrets and personal data, cut at ``limit`` characters."""
        if self._too_many and text:
            return HIDDEN
        # Half a surrogate pair can be neither logged nor stored.
        head = text[:LOOKED_AT].encode(errors="replace").decode()
        spans: list[Span] = []
        for reading in readings(head):
            spans += [(reading.at[begin], reading.at[end]) for begin, end in self._found(reading)]
        # What was cut in two is not recognised: leave out as much as the longest secret could be.
        whole = len(text) <= LOOKED_AT
        shown = _without(spans, head, len(head) if whole else LOOKED_AT - MAX_SECRET) + ("" if whole else "…")
        shown = storable(shown)
        return shown if len(shown) <= limit else shown[: limit - 1] + "…"

    def _found(self, reading: Reading) -> Iterator[Span]:
        """Yield where in a reading there is something to hide."""
        yield from self._texts.places(reading.text.translate(FOLD))
        encoded = reading.text.translate(URL_SAFE)
        until = 0
        for begin, end in self._encoded.places(encoded):
            if end > until:
                rest = IN_BASE64.match(encoded, end)
                until = rest.end() if rest else end
            yield begin, until
        plain = reading.text.translate(WIDE)
        for pattern in PATTERNS:
            yield from (match.span("hide") for match in pattern.finditer(plain))

    def data(self, data: Any, depth: int = 8) -> Any:
        """Return a copy of JSON-like ``data`` in which secret and personal fields are hidden, cut where it is long.

        Every database can store it: no character and no number is left that is not in all of them.
        """
        return self._data(data, depth, iter(range(MAX_NODES)))

    def _data(self, data: Any, depth: int, left: Iterator[int]) -> Any:
        if depth == 0 or next(left, None) is None:
            return "…"
        if isinstance(data, Mapping):
            return {
                self.text(str(key)): HIDDEN
                if SECRET_FIELDS.search(str(key)) or PERSONAL_FIELDS.search(str(key))
                else self._data(value, depth - 1, left)
                for key, value in list(data.items())[:100]
            }
        if isinstance(data, (list, tuple)):
            return [self._data(item, depth - 1, left) for item in data[:100]]
        if isinstance(data, int) and abs(data) > MAX_NUMBER:
            return "…"
        if isinstance(data, float) and not math.isfinite(data):
            return "…"
        return self.text(data) if isinstance(data, str) else data


def _pieces(value: str) -> Iterator[str]:
    """Yield a value in pieces that can be searched; a piece of a long one is as telling as the whole."""
    yield from (value[begin : begin + MAX_SECRET] for begin in range(0, len(value), MAX_SECRET))


def _without(spans: Iterable[Span], text: str, end: int) -> str:
    """Return the beginning of ``text`` up to ``end``, with each group of spans that overlap replaced."""
    shown: list[str] = []
    at = 0
    for begin, until in sorted(spans):
        if begin >= end:
            break
        if begin >= at:
            shown += [text[at:begin], HIDDEN]
        at = max(at, until)
    return "".join([*shown, text[at:end]])


def personal_values(data: Any) -> Iterator[str]:
    """Yield the texts and numbers in personal fields of JSON-like ``data``: a vendor's complaint may quote them."""
    waiting: list[tuple[Any, bool]] = [(data, False)]
    while waiting:
        value, personal = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(each, personal or PERSONAL_FIELDS.search(str(key)) is not None) for key, each in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [(each, personal) for each in value]
        elif personal and isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            yield str(value)


class RedactUrls(logging.Filter):
    """Takes query strings and e-mail addresses out of urllib3's lines: a token call may carry its key there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the arguments of ``record``; every record passes. A traceback quotes the answer, so it is left out."""
        args = record.args
        if isinstance(args, tuple):
            record.args = tuple(_shown(arg) for arg in args)
        record.exc_info = record.exc_text = None
        return True


def _shown(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, BaseException):
        return type(value).__name__
    path, mark, _ = str(value).partition("?")
    return Redactor().text(path) + (f"?{HIDDEN}" if mark else "")


def guard_urllib3_logs() -> None:
    """Install :class:`RedactUrls` on urllib3's loggers, once per process."""
    for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.response", "urllib3.util.retry"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactUrls) for known in logger.filters):
            logger.addFilter(RedactUrls())
