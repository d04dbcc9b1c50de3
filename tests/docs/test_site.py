# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The site builds without a warning and loads nothing from elsewhere; the generated page is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

LOADED = re.compile(r"<(?:script|img|iframe|link[^>]+stylesheet)\b[^>]+(?:src|href)=\"?(?:https?:)?//")


def test_endpoints_are_up_to_date() -> None:
    spec = spec_from_file_location("generate_endpoints", ROOT / "docs" / "generate_endpoints.py")
    assert spec is not None
    assert spec.loader is not None
    generator = module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (ROOT / "docs" / "endpoints.md").read_text(encoding="utf-8")
    assert generator.page() == page, "run: .venv/bin/python docs/generate_endpoints.py"


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 10
    assert [str(page) for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
