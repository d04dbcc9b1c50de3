# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Text files that people hand in, read line by line from any storage: regular, of bounded size, UTF-8, gzip or not."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import LOCAL, check_link, check_regular

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

GZIP = b"\x1f\x8b"
OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another ZIP file; open it in Excel and save it as 'CSV UTF-8'"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); open it in Excel and save it as 'CSV UTF-8'"),
    (b"\xff\xfe\x00\x00", "UTF-32 text; save it as UTF-8"),
    (b"\xff\xfe", "UTF-16 text, which Excel calls 'Unicode text'; save it as UTF-8, in Excel 'CSV UTF-8'"),
    (b"\xfe\xff", "UTF-16 text, which Excel calls 'Unicode text'; save it as UTF-8, in Excel 'CSV UTF-8'"),
    (b"PAR1", "a Parquet file; write JSON lines (.jsonl or .jsonl.gz) instead"),
    (b"BZh", "compressed with bzip2; use gzip, or no compression"),
    (b"\xfd7zXZ", "compressed with xz; use gzip, or no compression"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; use gzip, or no compression"),
    (b"%PDF", "a PDF; export the table itself as CSV"),
    (b"{\\rtf", "a rich-text document; save it as plain text"),
)
"""How files begin that are not text, and what they are."""
WEB_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)
FIRST = 1_024
"""Bytes that are looked at to see what a file is."""
MIN_UTF16 = 8
"""Bytes from which on every other one being NUL is no accident."""
MAX_LINE = 1_000_000
"""Characters of a line."""
UNDECODED = re.compile("[\udc80-\udcff]")


class _Limited(io.RawIOBase):
    """Reads at most so many bytes from another file.

    :param source: the file
    :param most: bytes
    :param name: what messages call it
    """

    def __init__(self, source: BinaryIO, most: int, name: str) -> None:
        self._source, self._most, self._name, self._read = source, most, name, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._source.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise ValidationError(f"{self._name}: the compressed file is damaged or cut off; write it again.") from None
        self._read += len(data)
        if self._read > self._most:
            raise ValidationError(f"{self._name}: the file is larger than {size(self._most)}; split it.")
        buffer[: len(data)] = data
        return len(data)


def size(number: int) -> str:
    """Return a number of bytes in words."""
    return f"{number // 1024**2:,} MiB" if number >= 1024**2 else f"{number // 1024:,} KiB"


@contextmanager
def opened(field: str, path: ObjectStoragePath, *, most: int) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip if it is compressed.

    :param field: what messages call the path
    :param path: the file, as :func:`checked_path` returns it
    :param most: bytes that may be read, compressed and uncompressed
    :raises ValidationError: when it is missing, not a regular file, or too large
    """
    try:
        with _open(field, path) as source:
            raw = io.BufferedReader(_Limited(source, most, path.name))
            if raw.peek(2)[:2] == GZIP:
                unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
                raw = io.BufferedReader(_Limited(unpacked, most, path.name))
            yield cast("BinaryIO", raw)
            return
    except FileNotFoundError:
        problem = f"{path}: there is no such file."
    except (IsADirectoryError, PermissionError) as error:
        problem = f"{path}: cannot be opened ({type(error).__name__})."
    raise ValidationError(problem)


def _open(field: str, path: ObjectStoragePath) -> BinaryIO:
    if path.protocol not in LOCAL:
        return cast("BinaryIO", path.open("rb"))
    local = Path(path.path)
    check_regular(field, local)
    check_link(field, local)
    # Without waiting: whatever is there by now, opening it never blocks.
    descriptor = os.open(local, os.O_RDONLY | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ValidationError(f"{field}: {local} is not a regular file; name a file.")
    return file


@contextmanager
def text_lines(field: str, path: ObjectStoragePath, *, most: int) -> Iterator[Iterator[str]]:
    """Open a text file and yield its lines, each with its end (LF, CRLF or CR).

    :param field: what messages call the path
    :param path: the file, as :func:`checked_path` returns it
    :param most: bytes that may be read, compressed and uncompressed
    :raises ValidationError: also while lines are read: naming what the file is, if it is not UTF-8 text
    """
    with opened(field, path, most=most) as file:
        first = cast("io.BufferedReader", file).peek(FIRST)[:FIRST]
        if kind := _kind(first):
            raise ValidationError(f"{path.name}: this is {kind}.")
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        yield _lines(path.name, text)


def _kind(first: bytes) -> str | None:
    """Return what a file is that begins so; None when it may be text."""
    for start, kind in OTHERS:
        if first.startswith(start):
            return kind
    if WEB_PAGE.match(first):
        return "a web page; download the file itself"
    if b"\x00" in first:
        halves = first[::2], first[1::2]
        if len(first) >= MIN_UTF16 and any(half.count(0) > len(half) * 0.4 for half in halves):
            return "UTF-16 text, which Excel calls 'Unicode text'; save it as UTF-8, in Excel 'CSV UTF-8'"
        return "not text: it holds NUL bytes; export it as text again"
    return None


def _lines(name: str, text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise ValidationError(f"{name}, line {number}: the line has more than {MAX_LINE:,} characters; split it.")
        if not line.isascii() and UNDECODED.search(line):
            raise ValidationError(f"{name}, line {number}: {_encoding(line)}")
        if "\0" in line:
            raise ValidationError(f"{name}, line {number}: there is a NUL byte; export the file as text again.")
        yield line


def _encoding(line: str) -> str:
    what = "the text is not UTF-8 but probably Windows-1252, which is Excel's plain 'CSV'"
    try:
        line.encode("utf-8", "surrogateescape").decode("cp1252")
    except UnicodeDecodeError:
        what = "the text is not UTF-8"
    return f"{what}; save it as UTF-8, in Excel 'CSV UTF-8'."
