# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What may be shown of a request or response: no secrets, no personal data, never more than 2,000 characters."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "***"
SHOWN_CHARACTERS = 2_000
MIN_SECRET = 4

SECRET_FIELDS = re.compile(
    r"secret|token|password|api_?key|authori[sz]ation|credential|^code$|signature", re.IGNORECASE
)
PERSONAL_FIELDS = re.compile(
    r"e_?mail|custom_?fields|(^|_|optin)ip(_?address)?$|(first|last|full)_?name|phone", re.IGNORECASE
)
LOOKED_AT = 32_768
"""Characters of a text that are looked at; a secret may begin before the end of them and go on behind it."""
MAX_SECRET = 8_192

PATTERNS = (
    re.compile(r"(?P<keep>\b(?:Bearer|Basic)\s+)[A-Za-z0-9+/=_.~-]{6,}"),
    re.compile(
        r"(?P<keep>[?&\s\"'](?:api_?key|(?:access|refresh)_?token|client_secret|code|token)[\"']?\s*[=:]\s*[\"']?)[^&\s\"',}]+",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<keep>)\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    re.compile(r"(?P<keep>)\b(?:flow_sk_(?:live|test)|fd_[a-z]+|whsec)_[A-Za-z0-9_-]+"),
    re.compile(r"(?P<keep>)[^\s@<>\"(),:;&?=/]{1,128}(?:@|%(?:25){0,3}40|&#64;)[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"(?P<keep>(?<![\w.])|(?<=%[0-9A-Fa-f]{2}))\d{1,3}(?:\.\d{1,3}){3}(?!\w)"),
    re.compile(r"(?P<keep>)(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}(?![\w:])", re.IGNORECASE),
    re.compile(r"(?P<keep>)(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE),
)

OTHER_SPELLINGS = {
    " ": [r"\+"],
    "&": ["&amp;"],
    "<": ["&lt;"],
    ">": ["&gt;"],
    '"': ["&quot;"],
    "'": ["&apos;"],
    "+": ["&plus;"],
    "\n": [r"\\{1,8}n"],
    "\r": [r"\\{1,8}r"],
    "\t": [r"\\{1,8}t"],
}
"""Further spellings of single characters. Every repetition is bounded, so that no text takes long to search."""


class Redactor:
    """Removes known secrets, and everything that looks like one, from text and data.

    :param secrets: the secrets of one connection; they are also found as URLs, JSON, HTML and base64 show them
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Hide ``secret`` from now on; shorter ones than 4 characters would blank innocent text and are left."""
        if secret and len(secret) >= MIN_SECRET and secret not in self._patterns:
            self._patterns[secret] = re.compile("|".join(_forms(secret)))

    def with_values(self, values: Iterable[str]) -> Redactor:
        """Return a redactor that hides ``values`` as well, such as personal data that went into a request."""
        other = Redactor()
        more = {value: re.compile(_spelled(value)) for value in values if len(value) >= MIN_SECRET}
        other._patterns = {**more, **self._patterns}
        return other

    def text(self, text: str, limit: int = SHOWN_CHARACTERS) -> str:
        """Return ``text`` without secrets and personal data, cut at ``limit`` characters."""
        # Half a surrogate pair can be neither logged nor stored.
        head = text[:LOOKED_AT].encode(errors="replace").decode()
        for _, pattern in sorted(self._patterns.items(), key=lambda known: len(known[0]), reverse=True):
            head = pattern.sub(HIDDEN, head)
        for pattern in PATTERNS:
            head = pattern.sub(lambda match: match.group("keep") + HIDDEN, head)
        if len(text) > LOOKED_AT:
            # What was cut in two is not recognised: leave out as much as the longest secret could be.
            head = head[: max(0, len(head) - MAX_SECRET)] + "…"
        text = head
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def data(self, data: Any, depth: int = 8) -> Any:
        """Return a copy of JSON-like ``data`` in which secret and personal fields are hidden."""
        if depth == 0:
            return "…"
        if isinstance(data, Mapping):
            return {
                self.text(str(key)): HIDDEN
                if SECRET_FIELDS.search(str(key)) or PERSONAL_FIELDS.search(str(key))
                else self.data(value, depth - 1)
                for key, value in list(data.items())[:100]
            }
        if isinstance(data, (list, tuple)):
            return [self.data(item, depth - 1) for item in data[:100]]
        return self.text(data) if isinstance(data, str) else data


def _forms(secret: str) -> Iterator[str]:
    """Yield patterns for all that ``secret`` may look like in a URL, in JSON, in HTML, in Python or in base64."""
    yield _spelled(secret)
    raw = secret.encode(errors="replace")
    for padding in range(3):
        # Base64 looks different depending on what precedes the secret; what its neighbours leave alone is searched.
        begin, end = -(-padding * 8 // 6), (padding + len(raw)) * 8 // 6
        core = base64.b64encode(b"\0" * padding + raw).decode()[begin:end]
        if len(core) >= MIN_SECRET:
            yield re.sub(r"[+/]", lambda match: {"+": "[+-]", "/": "[/_]"}[match.group()], core) + "[A-Za-z0-9+/_=-]*"


def _spelled(text: str) -> str:
    return "".join(map(_character, text))


def _character(character: str) -> str:
    """Return a pattern for one character as it is, percent-encoded once or more, escaped, or as an HTML entity."""
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    forms = [
        rf"\\{{0,8}}{re.escape(character)}",
        "".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in character.encode(errors="replace")),
        rf"\\{{1,8}}[ux](?i:0{{0,4}}{code:x})",
        rf"&#0{{0,4}}{code};",
        rf"(?i:&#x0{{0,4}}{code:x};)",
    ]
    return f"(?:{'|'.join([*forms, *OTHER_SPELLINGS.get(character, [])])})"


def personal_values(data: Any, personal: bool = False) -> Iterator[str]:
    """Yield the texts in personal fields of JSON-like ``data``: a vendor's complaint may quote them."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from personal_values(value, personal or PERSONAL_FIELDS.search(str(key)) is not None)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from personal_values(value, personal)
    elif personal and isinstance(data, str):
        yield data


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
