# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The file of a report: streamed, and refused when it cannot be what the ending of its name says."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain

from airflow_provider_mkt.exceptions import MalformedResponseError
from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.vendors import flinque

BEGINS = {
    ".json": (b"{", b"["),
    ".jsonl": (b"{",),
    ".pdf": (b"%PDF",),
    ".xlsx": (b"PK",),
    ".zip": (b"PK",),
}
"""How files of these kinds begin, after white space."""
NEVER_BEGINS = {".csv": (b"<", b"{", b"["), ".txt": (b"<",)}
"""A page of a proxy or an error object, in place of the file."""
CLOSES = {b"{": b"}", b"[": b"]"}
GZIPPED = b"\x1f\x8b"
GZIP_WINDOW = 31
HEAD = TAIL = 1024
"""Bytes that are looked at; the pieces that arrive may be as small as one byte."""


def write_report(file: AtomicFile, chunks: Iterator[bytes]) -> None:
    """Write and seal the file. Nothing is visible yet.

    :param file: where to; compressed when its name ends with ``.gz`` and the report is not
    :param chunks: the report
    :raises MalformedResponseError: when it is empty, cut short, or something else than the name says
    """
    name = file.path.name.lower()
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD:
            break
    zipped = head.startswith(GZIPPED)
    ending = f".{name.removesuffix('.gz').rpartition('.')[2]}"
    if not zipped:
        _check_head(ending, head)
    elif not name.endswith(".gz") and ending in {**BEGINS, **NEVER_BEGINS}:
        raise _wrong("it is compressed. Add .gz to path")
    squeeze = zlib.compressobj(wbits=GZIP_WINDOW) if name.endswith(".gz") and not zipped else None
    tail = b""
    for chunk in chain([head], chunks):
        tail = (tail + chunk[-TAIL:])[-TAIL:]
        file.write(squeeze.compress(chunk) if squeeze else chunk)
    if squeeze:
        file.write(squeeze.flush())
    if ending == ".json" and not zipped and not tail.rstrip().endswith(CLOSES[_text(head)[:1]]):
        raise _wrong("it is cut short")
    file.seal()


def _text(head: bytes) -> bytes:
    return head[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")


def _check_head(ending: str, head: bytes) -> None:
    text = _text(head)
    if not text:
        raise _wrong("it is empty")
    if ending in BEGINS and not text.startswith(BEGINS[ending]):
        raise _wrong(f"it does not begin like a {ending} file. Give path the ending of what Flinque makes")
    if text.startswith(NEVER_BEGINS.get(ending, ())):
        raise _wrong(f"it begins with {text[:1].decode()!r}, as no {ending} file does")


def _wrong(problem: str) -> MalformedResponseError:
    endpoint = flinque.EXPORT_REPORT
    return MalformedResponseError(
        f"The report cannot be used: {problem}. Nothing was written.",
        vendor=flinque.VENDOR.name,
        method=endpoint.method,
        path=endpoint.path,
    )
