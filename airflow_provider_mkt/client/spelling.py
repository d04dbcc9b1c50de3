# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How a text may be spelled in a URL, in JSON, in HTML, in Python and in base64, and how to read it in all of these.

A text is searched by undoing its escapes, not by a pattern that allows for all of them: such a pattern has many ways to
match the same characters, and takes exponential time on some. Everything here takes time linear in its input.
"""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

PERCENT, OCTET = r"%(?:25){0,3}", r"\\{1,8}x"


def _beyond_ascii(sign: str) -> str:
    """Return what one character of UTF-8 looks like with ``sign`` before each of its bytes, or else one byte."""
    rest, any_hex = rf"{sign}[89ABab][0-9A-Fa-f]", "[0-9A-Fa-f]"
    lengths = (("[CDcd]", 1), ("[Ee]", 2), ("[Ff]", 3))
    characters = "|".join(f"{sign}{lead}{any_hex}(?:{rest}){{{count}}}" for lead, count in lengths)
    return rf"{characters}|{sign}[89A-Fa-f]{any_hex}"


ESCAPES = {
    "percent": rf"{PERCENT}[0-7][0-9A-Fa-f]|{_beyond_ascii(PERCENT)}",
    "backslash": r"(?:\\{1,1024}u[0-9A-Fa-f]{4}){2}|\\{1,1024}u[0-9A-Fa-f]{4}|\\{1,8}U[0-9A-Fa-f]{8}"
    rf"|{_beyond_ascii(OCTET)}|{OCTET}[0-7][0-9A-Fa-f]|\\{{1,1024}}[nrt]?",
    "entity": r"&(?:amp;){0,3}(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos|plus);",
}
"""Bounded repetitions only, and none that can match the same characters in two ways."""
SCHEMES = tuple(re.compile(pattern) for pattern in (*ESCAPES.values(), "|".join(ESCAPES.values())))
ALL = SCHEMES[-1]
CONTROL = {"n": "\n", "r": "\r", "t": "\t"}
FOLD = str.maketrans({"+": " ", "\n": "n", "\r": "r", "\t": "t"})
"""One character for those that a spelling cannot tell apart: forms write a blank as a plus."""
BEFORE = ("%", "%0", "\\", "\\u00", "&", "&#")
"""How an escape may begin that the text behind it completes by chance."""
BEGUN = re.compile(
    r"(?:%[0-9A-Fa-f]?|(?<!\\)\\+(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?|&(?:\#[xX]?[0-9A-Fa-f]{0,6}|[a-z]{0,4}))$"
)
"""An escape at the end of a text that what follows may complete."""
MAX_DEPTH = 3
"""Spellings inside one another that are undone, such as JSON in a URL in JSON."""


@dataclass(frozen=True)
class Reading:
    """A text with escapes undone.

    :param text: what it reads then
    :param at: where each character of ``text`` begins in the original, and at last the original's length
    """

    text: str
    at: Sequence[int]

    def undone(self, scheme: re.Pattern[str]) -> Reading:
        """Return the reading with the escapes that ``scheme`` finds undone, once."""
        out: list[str] = []
        at: list[int] = []
        end = 0
        for match in scheme.finditer(self.text):
            out.append(self.text[end : match.start()])
            at += self.at[end : match.start()]
            plain = _undo(match.group())
            out.append(plain)
            at += [self.at[match.start()]] * len(plain)
            end = match.end()
        if not at and not end:
            return self
        return Reading("".join([*out, self.text[end:]]), [*at, *self.at[end:]])


def _undo(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape("&" + escape[1:].replace("amp;", "")) if escape.count(";") > 1 else html.unescape(escape)
    if escape[0] == "%":
        return _decoded(bytes.fromhex("".join(part[-2:] for part in escape.split("%")[1:])))
    told = escape.replace("\\", "")
    if told[:1] == "x":
        return _decoded(bytes.fromhex(told.replace("x", "")))
    if told[:1] == "U":
        return chr(int(told[1:], 16)) if int(told[1:], 16) <= sys.maxunicode else told
    if told[:1] == "u":
        codes = "".join(chr(int(part, 16)) for part in told.split("u")[1:])
        return codes.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROL.get(told, told)


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def readings(text: str) -> list[Reading]:
    """Return all ways to read ``text``: as it is, without the escapes of each kind, and without all, several times."""
    plain = Reading(text, range(len(text) + 1))
    if not any(sign in text for sign in "%\\&"):
        return [plain]
    found = {text: plain}
    for scheme in SCHEMES:
        reading = plain.undone(scheme)
        found.setdefault(reading.text, reading)
    for _ in range(1, MAX_DEPTH):
        reading = reading.undone(ALL)
        found.setdefault(reading.text, reading)
    return list(found.values())


def needles(text: str) -> frozenset[str]:
    """Return what to look for in folded readings (see :data:`FOLD`) to find ``text`` in any of its spellings."""
    return frozenset(reading.text.translate(FOLD) for reading in readings(text)) - {""}


def bitten(text: str) -> Iterator[str]:
    """Yield what is left of ``text`` in a reading when it makes up an escape with what stands before or behind it.

    ``LIKE '%00abc%3A'`` holds the text ``00abc:``, but reads as a byte 0 with ``abc:`` behind it.
    """
    for before in ("", *BEFORE):
        for reading in readings(before + text):
            left = reading.text[bool(before) :]
            yield from (each.translate(FOLD) for each in {left, BEGUN.sub("", left)})


def base64_cores(text: str, least: int) -> Iterator[str]:
    """Yield what base64 of anything with ``text`` in it contains: it depends on the place, not on the neighbours.

    :param least: a core that is shorter than that is left out
    """
    raw = text.encode(errors="replace")
    for padding in range(3):
        begin, end = -(-padding * 8 // 6), (padding + len(raw)) * 8 // 6
        core = base64.b64encode(b"\0" * padding + raw).decode()[begin:end]
        if len(core) >= least:
            yield core


def sent_spellings(secret: str, login: str = "") -> set[str]:
    """Return how ``secret`` is spelled wherever this package sends it, and in what Python prints of that.

    :param login: the user name that it is sent with
    """
    # What cannot be sent has no other spelling: half of a character pair, which JSON can hold.
    secret = secret.encode(errors="replace").decode()
    plain = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    plain |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    plain |= {base64.b64encode(pair.encode(errors="replace")).decode() for pair in (f"{login}:{secret}", f"{secret}:")}
    return plain | {repr(each)[1:-1] for each in plain} | {each.replace("'", "\\'") for each in plain}
