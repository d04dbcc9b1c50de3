# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Plain international English: usual words, short sentences. The words also hold for messages and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, prose
from tests.parsing import parsed

INSTEAD = {
    "a look": "a poll, a check",
    "anew": "again",
    "at a stretch": "in one go",
    "belong(s)? into": "is better in, write into",
    "bears?": "has, allows",
    "beyond all reason": "too deeply",
    "comes twice is": "is in it several times",
    "failed looks": "failed polls",
    "looks of": "polls of",
    "mend(ed|s)?": "correct, repair",
    "nobody can know": "it is unknown",
    "nobody has heard of": "unknown",
    "nobody knows": "it is unknown",
    "o'clock": "leave it out",
    "of no (more )?use": "unusable",
    "password stands": "the password is in",
    "saves you the asking": "say what it does",
    "sees? to it": "ensures",
    "share the books": "share a store",
    "stands? in (a|an|one|the) (?!way)": "is in",
    "slips? of the pen": "typing mistake",
}
"""Phrases that readers from elsewhere stumble over, as patterns, and what to write instead."""
MAX_WORDS = 30
"""Words of a sentence; code does not count."""
ODD = re.compile(r"\b(" + "|".join(INSTEAD) + r")\b", re.IGNORECASE)
PACKAGE = sorted((ROOT / "airflow_provider_mkt").rglob("*.py"))
ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts in a module: messages and docstrings."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a page: of paragraphs, items and cells."""
    for paragraph in re.split(r"\n\s*\n", text):
        yield from (part for unit in _units(paragraph.splitlines()) for part in re.split(r"(?<=[.!?]) +", unit))


def _units(lines: list[str]) -> Iterator[str]:
    unit: list[str] = []
    for line in lines:
        cells = line.strip("| ").split(" | ") if line.startswith("|") else []
        if unit and (cells or ITEM.match(line) or line.startswith("#")):
            yield " ".join(unit)
            unit = []
        if cells:
            yield from cells
        else:
            unit.append(line.strip())
    yield " ".join(unit)


def words(sentence: str) -> int:
    """Count the words of a sentence, without code, marks and the addresses of links."""
    plain = re.sub(r"`[^`]*`", "", re.sub(r"\]\([^)]*\)", "]", sentence))
    return len(re.findall(r"[^\W_][\w'’-]*", plain))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_usual_words_in_pages(page: Path) -> None:
    found = [f"{each[0]!r}: write {_instead(each[0])}" for each in ODD.finditer(" ".join(prose(page).split()))]
    assert found == []


def test_usual_words_in_messages_and_docstrings() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {each[0]!r}: write {_instead(each[0])}"
        for path in PACKAGE
        for line, text in strings(path)
        for each in ODD.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_short_sentences(page: Path) -> None:
    long = [f"{words(each)} words: {each}" for each in sentences(prose(page)) if words(each) > MAX_WORDS]
    assert long == []


def _instead(found: str) -> str:
    return next(better for phrase, better in INSTEAD.items() if re.fullmatch(phrase, found, re.IGNORECASE))


def test_a_long_sentence_is_found() -> None:
    assert [
        words(each) for each in sentences("One two `three`. Four\nfive [six](seven)!\n\n- eight\n- nine ten\n")
    ] == [
        2,
        3,
        1,
        2,
    ]
