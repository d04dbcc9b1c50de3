# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Modules and functions that can be read in one go."""

from __future__ import annotations

import ast

from tests.parsing import parsed
from tests.structure.imports import modules

MAX_MODULE = 300
MAX_FUNCTION = 60
"""Lines."""


def test_modules_are_short() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    assert {name: count for name, count in lines.items() if count > MAX_MODULE} == {}


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{name}.{node.name}"
        for name, path in modules().items()
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION
    ]
    assert long == []
