# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Texts that are used as they are and never shown as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Secret(str):
    """A text whose ``repr`` is masked, so that tracebacks with local variables and reprs of its holders do not tell it.

    ``str`` and formatting give the text itself, as whoever sends it needs.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def concealed(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a vendor's answer to a token call with all its texts masked."""
    return {name: Secret(value) if isinstance(value, str) else value for name, value in answer.items()}
