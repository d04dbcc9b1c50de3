# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is typed: argparse says what is wrong with it, in place of a traceback or of an empty list."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a type of arguments: whole numbers.

    :param least: the smallest that is allowed
    :param most: the largest that is allowed
    """

    def read(text: str) -> int:
        number = int(text) if text.strip().removeprefix("-").isdecimal() else None
        if number is None or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least:,} to {most:,}, got {text[:20]!r}")
        return number

    return read


def number(most: float) -> Callable[[str], float]:
    """Return a type of arguments: numbers from 0, such as seconds or days.

    :param most: the largest that is allowed
    """

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        # What is no number at all ("nan") is in no range either.
        if not 0 <= found <= most:
            raise argparse.ArgumentTypeError(f"must be a number from 0 to {most:,.0f}, got {text[:20]!r}")
        return found

    return read


def some_text(text: str) -> str:
    """Return a text that is not blank, a type of arguments."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty: everybody who meets it reads it")
    return text


def address(text: str) -> str:
    """Return an address of a server, a type of arguments."""
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in ("http", "https") or not rest.strip("/"):
        raise argparse.ArgumentTypeError(f"must be an address like http://127.0.0.1:8080, got {text[:80]!r}")
    return text


COUNT = whole(1, 1_000_000)
PORT = whole(0, 65_535)
DAYS = number(36_500)
SECONDS = number(1_000_000)
