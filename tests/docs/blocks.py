# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fenced blocks of the documentation, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
TITLE = re.compile(r'title="([^"]+)"')
LANGUAGES = frozenset({"python", "bash", "yaml", "csv", "json", "ini", "sql", "text"})


@dataclass(frozen=True)
class Block:
    """One fenced block.

    :param page: the file, relative to the project
    :param line: line of its first content, from 1
    :param language: first word after the fence
    :param text: the content, without the fence's indentation
    :param title: the file that it shows, where it says one
    """

    page: str
    line: int
    language: str
    text: str
    title: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for messages and test ids."""
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Return all blocks of the given languages, or of all, that show no file."""
    found = [block for page in PAGES for block in _of(page) if not block.title]
    return [block for block in found if not languages or block.language in languages]


def files() -> list[Block]:
    """Return the blocks that show a file."""
    return [block for page in PAGES for block in _of(page) if block.title]


def _of(page: Path) -> Iterator[Block]:
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, lines, first = fence, [], number + 1
        elif opened is not None and fence and not fence["info"]:
            language = opened["info"].split(" ")[0].strip()
            title = TITLE.search(opened["info"])
            yield Block(
                str(page.relative_to(ROOT)), first, language, "\n".join(lines) + "\n", title[1] if title else ""
            )
            opened = None
        elif opened is not None:
            lines.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise ValueError(f"{page}: the fence of line {first - 1} is never closed")


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)
