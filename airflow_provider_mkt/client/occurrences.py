# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Finding many texts in another one, in time that hardly depends on how many they are."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

HEAD = 4
"""Characters by which texts are told apart at first. Shorter texts are looked for as words of their own."""
MAX_TEXT = 8_192
"""Characters of a text that are compared."""
TELLING = 16
"""Characters. The beginning of a text, from this length on, counts like the whole."""


class Occurrences:
    """Texts to look for. At each character of a searched text there are a few dozen steps, however many there are.

    What it holds is replaced and never changed, so that a shallow copy is a copy, and searches go on undisturbed.
    """

    def __init__(self) -> None:
        self._whole: frozenset[str] = frozenset()
        self._alike: dict[str, list[str]] = {}
        self._short: frozenset[str] = frozenset()

    def add(self, texts: Iterable[str]) -> None:
        """Look for ``texts`` from now on."""
        new = {*texts} - self._whole
        short = {text for text in new if len(text) < HEAD}
        by_head = defaultdict(list)
        for text in new - short:
            by_head[text[:HEAD]].append(text)
        self._short |= short
        self._whole |= new - short
        more = {head: sorted([*self._alike.get(head, []), *found]) for head, found in by_head.items()}
        self._alike = {**self._alike, **more}

    def places(self, text: str) -> Iterator[Span]:
        """Yield where one of the texts is in ``text``, or as much of its beginning as somebody quotes who cuts it."""
        if self._short:
            yield from self._words(text)
        if self._alike:
            for begin in range(len(text) - HEAD + 1):
                alike = self._alike.get(text[begin : begin + HEAD])
                if alike is not None and (length := self._length(alike, text, begin)):
                    yield begin, begin + length

    def _length(self, alike: list[str], text: str, begin: int) -> int:
        """Return how much of ``text`` there is to hide at ``begin``; what is most like it is beside it in the order."""
        rest = text[begin : begin + MAX_TEXT]
        at = bisect_left(alike, rest)
        common = max(_in_common(rest, each) for each in alike[max(0, at - 1) : at + 1])
        if common >= TELLING:
            return common
        return next((length for length in range(common, HEAD - 1, -1) if rest[:length] in self._whole), 0)

    def _words(self, text: str) -> Iterator[Span]:
        for begin in range(len(text)):
            if text[begin - 1 : begin].isalnum():
                continue
            for end in range(begin + 1, min(begin + HEAD, len(text) + 1)):
                if text[begin:end] in self._short and not text[end : end + 1].isalnum():
                    yield begin, end


def _in_common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginnings."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        half = (least + most + 1) // 2
        if one.startswith(other[:half]):
            least = half
        else:
            most = half - 1
    return least
