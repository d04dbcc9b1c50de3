# Licensed under the Apache License, Version 2.0; see LICENSE.
"""YAML that remembers where everything stood, so that a mistake can be pointed at: file, line, column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from airflow_provider_mkt.exceptions import ValidationError

T = TypeVar("T")


class Part:
    """One value in a document, with its place.

    :param file: name of the file
    :param node: the YAML node
    :param name: what the value is called, e.g. ``posts[2].at``
    """

    def __init__(self, file: str, node: yaml.Node, name: str) -> None:
        self.file = file
        self.node = node
        self.name = name

    def refuse(self, problem: str) -> NoReturn:
        """Raise :class:`ValidationError` that points here."""
        mark = self.node.start_mark
        place = f"{self.file}, line {mark.line + 1}, column {mark.column + 1}"
        raise ValidationError(f"{place}: {self.name}: {problem}") from None

    def fields(self, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Part]:
        """Return the values of a mapping by name; unknown, repeated and missing names are refused."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("must be a list of 'name: value' lines")
        found: dict[str, Part] = {}
        for key, value in self.node.value:
            name = str(key.value)
            part = Part(self.file, value, f"{self.name}.{name}" if self.name != "brief" else name)
            if name not in required + optional:
                Part(self.file, key, name).refuse(f"is not known here; known are {', '.join(required + optional)}")
            if name in found:
                Part(self.file, key, name).refuse("is given twice; remove one")
            found[name] = part
        for name in required:
            if name not in found:
                self.refuse(f"{name!r} is missing; add a line '{name}: …'")
        return found

    def items(self) -> Iterator[Part]:
        """Yield the values of a list; an empty one is refused."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse("must be a list; begin each entry with '- '")
        if not self.node.value:
            self.refuse("is empty; name at least one")
        for index, node in enumerate(self.node.value):
            yield Part(self.file, node, f"{self.name}[{index}]")

    def text(self) -> str:
        """Return a value that is a piece of text."""
        if not isinstance(self.node, yaml.ScalarNode) or not str(self.node.value).strip():
            self.refuse("must be a piece of text")
        return str(self.node.value).strip()

    def read(self, reader: Callable[[str], T]) -> T:
        """Return what ``reader`` makes of the text; its ``ValueError`` is pointed at this place."""
        text = self.text()
        try:
            return reader(text)
        except ValueError as error:
            self.refuse(str(error))

    def data(self) -> object:
        """Return the value as plain data, whatever it is."""
        return yaml.SafeLoader("").construct_document(self.node)


def load(path: Path) -> Part:
    """Read a YAML file.

    :param path: the file
    :raises ValidationError: when it cannot be read or is not YAML, with line and column
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        problem = f"{path}: there is no such file"
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path}: cannot be read ({type(error).__name__}); save it as UTF-8 text"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = f"{path.name}{place}: this is not YAML: {error.problem}"
    except yaml.YAMLError:
        problem = f"{path.name}: this is not YAML: it holds characters that YAML does not allow"
    else:
        if node is None:
            problem = f"{path.name}: the file is empty"
        else:
            return Part(path.name, node, "brief")
    raise ValidationError(problem)
