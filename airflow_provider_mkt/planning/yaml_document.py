# Licensed under the Apache License, Version 2.0; see LICENSE.
"""YAML that remembers where everything stood, so that every mistake can be pointed at: file, line, column.

Values keep the text that was written: ``0012`` stays ``0012``, ``yes`` stays ``yes``. What a text means is up to the
field that it is for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.reading import text_lines
from airflow_provider_mkt.planning.problems import PlanError, Problem, refuse
from airflow_provider_mkt.planning.yaml_limits import check_limits

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

T = TypeVar("T")

MAX_BYTES = 1024**2
"""Size of a document."""
NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
"""What YAML calls nothing, where it stands without quotes."""
HINTS = {
    "mapping values are not allowed": "put a text that holds a colon and a blank into quotes",
    "cannot start any token": "indent with blanks, not tabs; put a text that begins with a special sign into quotes",
}
"""What to do about YAML's own complaints."""


class RefusedError(Exception):
    """A value is refused; the problem has been noted. Never leaves this package's readers."""


class Part:
    """One value in a document, with its place.

    :param file: name of the file
    :param node: the YAML node
    :param name: what the value is called, e.g. ``post 2, at``; empty for the document itself
    :param problems: where the document's problems are noted
    """

    def __init__(self, file: str, node: yaml.Node, name: str, problems: list[Problem]) -> None:
        self.file = file
        self.node = node
        self.name = name
        self.problems = problems

    def note(self, problem: str) -> None:
        """Note a problem that points here."""
        mark = self.node.start_mark
        named = f"{self.name}: {problem}" if self.name else problem
        self.problems.append(Problem(self.file, named, mark.line + 1, mark.column + 1))

    def refuse(self, problem: str) -> NoReturn:
        """Note a problem that points here, and give up this value.

        :raises RefusedError: always
        """
        self.note(problem)
        raise RefusedError

    def fields(self, readers: Mapping[str, Callable[[Part], Any]], optional: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return what the readers make of a mapping's values, by name.

        Unknown, repeated and missing names are noted, and so is every value that its reader refuses; those are not in
        the result.

        :param readers: name to what reads the value
        :param optional: names that may be missing, or stand there without a value
        :raises RefusedError: when it is no mapping
        """
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("must be a list of 'name: value' lines")
        names, meant = self._names(readers)
        found: dict[str, Any] = {}
        for name, part in names.items():
            if name in optional and part.is_nothing:
                continue
            try:
                found[name] = readers[name](part)
            except RefusedError:
                continue
        for name in readers:
            if name not in names and name not in optional and name not in meant:
                self.note(f"{name!r} is missing; add a line '{name}: …'")
        return found

    def named(self) -> frozenset[str]:
        """Return a mapping's names; no problem is noted."""
        pairs = self.node.value if isinstance(self.node, yaml.MappingNode) else []
        return frozenset(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))

    def pairs(self) -> list[tuple[str, str]]:
        """Return a mapping's names and values, as far as both are text; no problem is noted."""
        pairs = self.node.value if isinstance(self.node, yaml.MappingNode) else []
        scalar = yaml.ScalarNode
        return [
            (key.value, value.value) for key, value in pairs if isinstance(key, scalar) and isinstance(value, scalar)
        ]

    def _names(self, known: Mapping[str, Any]) -> tuple[dict[str, Part], set[str]]:
        """Return the values by known name, and the names that mistyped ones probably stand for."""
        found: dict[str, Part] = {}
        probable: set[str] = set()
        for key, value in self.node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            there = self._part(key, self._within(name))
            if name not in known:
                near = difflib.get_close_matches(name.lower(), known, 1)
                meant = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                there.note(f"is not known here; {meant}")
                probable.update(near)
            elif name in found:
                there.note("is given twice; remove one")
            else:
                found[name] = self._part(value, self._within(name))
        return found, probable

    def _within(self, name: str) -> str:
        # "post 2" ends with its number.
        return f"{self.name}{', ' if self.name[-1:].isdigit() else '.'}{name}" if self.name else name

    def items(self, reader: Callable[[Part], T]) -> list[T]:
        """Return what ``reader`` makes of each value of a list; an empty list is refused.

        :raises RefusedError: when it is no list, or one of its values is refused; all of them are noted
        """
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse("must be a list; begin each entry with '- '")
        if not self.node.value:
            self.refuse("is empty; name at least one")
        found, refused = [], False
        for number, node in enumerate(self.node.value, start=1):
            try:
                found.append(reader(self._part(node, f"{self.name.removesuffix('s')} {number}")))
            except RefusedError:
                refused = True
        if refused:
            raise RefusedError
        return found

    def _part(self, node: yaml.Node, name: str) -> Part:
        return Part(self.file, node, name, self.problems)

    @property
    def is_nothing(self) -> bool:
        """Whether there is no value, or YAML's word for none, without quotes."""
        return isinstance(self.node, yaml.ScalarNode) and not self.node.style and self.node.value in NOTHING

    def text(self) -> str:
        """Return a value that is a piece of text, as it was written.

        :raises RefusedError: when it is something else, or nothing
        """
        if not isinstance(self.node, yaml.ScalarNode):
            self.refuse("must be a piece of text")
        if not self.node.value.strip():
            self.refuse("is empty; it must be a piece of text")
        if self.is_nothing:
            self.refuse(f"{self.node.value} means nothing in YAML; write a text, in quotes if it is this very word")
        return str(self.node.value).strip()

    def read(self, reader: Callable[[str], T]) -> T:
        """Return what ``reader`` makes of the text; its ``ValueError`` is pointed at this place.

        :raises RefusedError: when it does
        """
        text = self.text()
        try:
            return reader(text)
        except ValueError as error:
            self.refuse(str(error))


def read_document(source: ObjectStoragePath, what: str, reader: Callable[[Part], T]) -> T:
    """Read a YAML file.

    :param source: the file, as ``checked_path`` returns it
    :param what: what messages call such a file, e.g. ``brief``
    :param reader: what makes something of it
    :raises PlanError: a ``ValidationError`` that tells all its problems, with line and column
    """
    with text_lines(what, source, most=MAX_BYTES) as lines:
        text = "".join(lines)
    problems: list[Problem] = []
    try:
        node = _composed(source.name, text)
        found = reader(Part(source.name, node, "", problems))
    except RefusedError:
        pass
    else:
        if not problems:
            return found
    refuse(problems)
    raise ValidationError(f"{source.name}: it cannot be read.")


def _composed(name: str, text: str) -> yaml.Node:
    try:
        check_limits(name, text)
        # No value is turned into anything: "no" is not false, and a tag makes no object.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (None, None)
        hint = next((f"; {what}" for words, what in HINTS.items() if words in str(error.problem)), "")
        problem = Problem(name, f"this is not YAML: {error.problem}{hint}", *place)
    except PlanError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError):
        # The latter two: an escape such as \U99999999, for which there is no character.
        problem = Problem(name, "this is not YAML: it holds characters that YAML does not allow")
    else:
        if node is not None:
            return node
        problem = Problem(name, "the file is empty")
    raise PlanError([problem])
