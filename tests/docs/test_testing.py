# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The page "Test your DAG" shows files that are tried, and describes every rule."""

from __future__ import annotations

import re

from airflow_provider_mkt.testing.review import RULES
from tests.docs.blocks import ROOT, files

PAGE = "docs/testing.md"


def test_the_files_are_those_that_are_tried() -> None:
    """``tests/chaos/test_tested_dags.py`` runs them: it takes longer than all other pages together."""
    assert {block.title for block in files() if block.page == PAGE} == {"launch.py", "test_launch.py"}


def test_every_rule_is_described() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8").partition("## Mistakes")[2]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(RULES)
