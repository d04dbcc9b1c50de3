# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Texts that every database and every encoder takes: no NUL, which PostgreSQL refuses, and no half of a character.

JSON can hold both, written as escapes. A vendor, or whoever wrote a text, could otherwise keep it from being
stored, and with it the record of a launch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNREADABLE = "\ufffd"
"""Unicode's sign for a character that cannot be shown."""
REFUSED = re.compile("[\0\ud800-\udfff]")
ESCAPED = re.compile(r"\\u0000|\\u[dD][89a-fA-F]")
"""What JSON writes in place of them, also where two halves make up a whole character."""


def storable(text: str) -> str:
    """Return ``text`` with a sign in place of each character that cannot be stored."""
    return REFUSED.sub(UNREADABLE, text) if REFUSED.search(text) else text


def storable_data(data: Any) -> Any:
    """Return JSON-like ``data`` with all its texts and names as :func:`storable` returns them."""
    if isinstance(data, str):
        return storable(data)
    if isinstance(data, Mapping):
        return {storable_data(name): storable_data(each) for name, each in data.items()}
    return [storable_data(each) for each in data] if isinstance(data, list) else data


def may_need_it(written: str) -> bool:
    """Tell whether a text that is written as JSON may hold such characters."""
    return ESCAPED.search(written) is not None or REFUSED.search(written) is not None
