# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which module of the package imports which, read from the source: nothing is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.parsing import parsed

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_mkt"


@dataclass(frozen=True)
class Import:
    """One import statement, by what it names.

    :param module: the module that has it, without the package's name
    :param target: what it imports: a module of the package without its name, or another package's full name
    :param own: the target is of this package
    :param lazy: it stands in a function, so it happens when that runs
    :param typing: it stands under ``if TYPE_CHECKING``, so it never happens
    """

    module: str
    target: str
    own: bool
    lazy: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.module} -> {self.target}"


@cache
def modules() -> dict[str, Path]:
    """Return the package's modules by name (without the package's own); a package stands for its ``__init__``."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Return every import of every module."""
    return tuple(found for name, path in modules().items() for found in _of(name, path))


def room(module: str) -> str:
    """Return the folder in which a module lies, or the module itself where it lies in none."""
    return module.partition(".")[0]


def _of(name: str, path: Path) -> Iterator[Import]:
    for node, lazy, typing in _statements(parsed(path), lazy=False, typing=False):
        for target in _targets(node):
            if target.partition(".")[0] == PACKAGE:
                yield Import(name, _module(target), own=True, lazy=lazy, typing=typing)
            else:
                yield Import(name, target, own=False, lazy=lazy, typing=typing)


def _statements(node: ast.AST, *, lazy: bool, typing: bool) -> Iterator[tuple[ast.stmt, bool, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, lazy, typing
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _statements(child, lazy=lazy, typing=True)
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _statements(child, lazy=lazy or inside, typing=typing)


def _targets(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(target: str) -> str:
    """Return the longest part of a dotted name that is a module."""
    name = target.partition(".")[2]
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def circle() -> list[str] | None:
    """Return modules that import each other in a circle, None when there are none; ``TYPE_CHECKING`` counts as well."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.own and each.target != each.module:
            graph[each.module].add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return None


def loaded_with(names: Collection[str]) -> dict[str, list[str]]:
    """Return what an import of modules loads of this package, each with the way by which it comes in."""
    eager: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.own and not each.lazy and not each.typing:
            eager[each.module].add(each.target)
    ways = {name: [name] for name in names}
    left = list(names)
    while left:
        name = left.pop()
        for other in [*eager[name], *_parents(name)]:
            if other not in ways:
                ways[other] = [*ways[name], other]
                left.append(other)
    return ways


def _parents(name: str) -> Iterator[str]:
    while name:
        name = name.rpartition(".")[0]
        yield name
