# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The documentation on a phone and in the dark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PHONE = {"width": 375, "height": 667}
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
WIDER_THAN_THE_SCREEN = """() => [...document.querySelectorAll(".md-content *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .filter(each => !each.closest(".md-typeset__scrollwrap, pre, .highlight"))
    .map(each => each.tagName + ": " + each.textContent.slice(0, 60))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    return folder


def test_every_page_fits_a_phone(site: Path, chromium: Any) -> None:
    """Tables and code may be moved sideways, each by itself; the page never."""
    page = chromium.new_page(viewport=PHONE)
    wide: dict[str, Any] = {}
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide[name] = page.evaluate(WIDER_THAN_THE_SCREEN)
    page.close()
    assert wide == {}


@pytest.mark.parametrize(("scheme", "shown"), [("dark", "slate"), ("light", "default")])
def test_it_is_as_dark_as_the_reader_wants(scheme: str, shown: str, site: Path, chromium: Any) -> None:
    page = chromium.new_page(color_scheme=scheme)
    page.goto((site / "index.html").as_uri())
    page.wait_for_function(f"document.body.dataset.mdColorScheme === '{shown}'")
    page.close()
