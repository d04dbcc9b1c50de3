# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The site builds without a warning and loads nothing from elsewhere; generated parts are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import ROOT

EDIT = re.compile(r"<a href=\"?([^\s\">]+)\"?[^>]*class=\"md-content__button")
LOADED = re.compile(r"<(?:script|img|iframe|link[^>]+stylesheet)\b[^>]+(?:src|href)=\"?(?:https?:)?//")


def _loaded(name: str) -> ModuleType:
    """Return a module of the folder ``docs``, which is no package."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date() -> None:
    for path, text in _loaded("generate").pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.svg")), ids=lambda path: path.name)
def test_pictures_are_readable_in_dark_mode(path: Path) -> None:
    """Their lines and texts are dark: without a background of their own they vanish on a dark page."""
    assert "background: #ffffff" in path.read_text(encoding="utf-8")


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stderr
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".py", ".pyc")]
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 10
    assert [str(page) for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [repository] = re.findall(r'^Repository = "(.+)"$', project, re.MULTILINE)
    written = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert len(written) > 10
    for name in written:
        text = (tmp_path / name).with_suffix(".html").read_text(encoding="utf-8")
        assert EDIT.findall(text) == [f"{repository}/edit/main/docs/{name}"]
