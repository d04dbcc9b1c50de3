# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Bounds of a YAML document, checked while it is read, before anything is built of it.

A small document can be made large (aliases of aliases), deep (thousands of lists within each other) or more than data
(tags that name Python's objects).
"""

from __future__ import annotations

import yaml

from airflow_provider_mkt.planning.problems import PlanError, Problem

MAX_DEPTH = 12
"""Lists and mappings within each other."""
MAX_VALUES = 10_000
"""Values of a document, each as often as aliases repeat it."""
PLAIN = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))})
"""Tags that say nothing new."""


def check_limits(name: str, text: str) -> None:
    """Refuse a document that is more than a short list of plain values.

    :param name: name of the file
    :param text: what is in it
    :raises PlanError: with line and column of what goes too far
    :raises yaml.YAMLError: when it is not YAML
    """
    document = _Document()
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        problem = document.take(event)
        if problem:
            mark = event.start_mark
            place = (mark.line + 1, mark.column + 1) if mark else (None, None)
            raise PlanError([Problem(name, problem, *place)])


class _Document:
    def __init__(self) -> None:
        self._sizes: dict[str | None, int] = {}
        # Of what is open, from the outside in: the anchor, and the number of values so far.
        self._open: list[tuple[str | None, int]] = [(None, 0)]

    def take(self, event: yaml.Event) -> str | None:
        """Take in what comes next, and return what is wrong with it."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._add(*self._open.pop())
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in self._open):
                return f"the alias *{event.anchor} stands within what it names; write the value out"
            self._add(None, self._sizes.get(event.anchor, 1))
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            if event.tag not in PLAIN:
                return f"the tag {_short(str(event.tag))} is not allowed; remove it"
            if isinstance(event, yaml.ScalarEvent):
                self._add(event.anchor, 1)
            else:
                self._open.append((event.anchor, 1))
        if len(self._open) > MAX_DEPTH + 1:
            return f"there are more than {MAX_DEPTH} lists within each other; a brief needs 4"
        if sum(size for _, size in self._open) > MAX_VALUES:
            return f"there are more than {MAX_VALUES:,} values, each counted as often as aliases repeat it"
        return None

    def _add(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._sizes[anchor] = size
        outer, so_far = self._open.pop()
        self._open.append((outer, so_far + size))


def _short(tag: str) -> str:
    shown = tag.replace("tag:yaml.org,2002:", "!!")
    return shown if len(shown) <= 60 else shown[:59] + "…"
