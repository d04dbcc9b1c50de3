# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reading source files as syntax trees, beside threads that do the same."""

from __future__ import annotations

import ast
from pathlib import Path

TRIES = 10


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file.

    Python up to 3.12 keeps one depth counter for all threads. When a thread of another test imports, and so parses, at
    the same moment, ``ast.parse`` ends with a SystemError; it is then done again.
    """
    text = path.read_text(encoding="utf-8")
    for _ in range(TRIES):
        try:
            return ast.parse(text)
        except SystemError as error:
            if "recursion depth" not in str(error):
                raise
    return ast.parse(text)
