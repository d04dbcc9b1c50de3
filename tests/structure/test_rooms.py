# Licensed under the Apache License, Version 2.0; see LICENSE.
"""CONTRIBUTING.md shows the rooms as they are, and every folder says what is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airflow_provider_mkt.vendors import VENDORS
from tests.parsing import parsed
from tests.structure.imports import PACKAGE, ROOT, modules

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
OF_ONE_VENDOR = {vendor.conn_type for vendor in VENDORS}
FOLDERS = sorted(path.parent for path in modules().values() if path.name == "__init__.py")


def summary(path: Path) -> str:
    """Return the first line of a module's docstring, as Markdown."""
    text = ast.get_docstring(parsed(path)) or ""
    return text.partition("\n")[0].replace("``", "`")


def test_rooms_are_the_folders() -> None:
    rooms = {
        f"{folder.relative_to(ROOT / PACKAGE).as_posix()}/": summary(folder / "__init__.py")
        for folder in FOLDERS
        if folder != ROOT / PACKAGE and folder.name not in OF_ONE_VENDOR
    }
    loose = {path.stem: summary(path) for path in (ROOT / PACKAGE).glob("*.py") if path.stem != "__init__"}
    table = PAGE.partition("## The rooms")[2].partition("## ")[0]
    assert dict(re.findall(r"^\| `([a-z_/]+)` \| (.+) \|$", table, re.MULTILINE)) == {**rooms, **loose}


def test_folders_of_tests_are_named() -> None:
    folders = {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))}
    assert folders == {
        each for each in re.findall(r"^\| `(tests/[a-z/]+)` \|", PAGE, re.MULTILINE) if each.count("/") == 1
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_folder_says_what_is_in_it(folder: Path) -> None:
    assert len(summary(folder / "__init__.py").split()) >= 4
