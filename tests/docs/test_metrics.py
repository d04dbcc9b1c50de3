# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The table of metrics is that of the code."""

from __future__ import annotations

import re

from airflow_provider_mkt.metrics import METRICS
from tests.docs.blocks import ROOT

ROW = re.compile(r"^\| `(mkt\.[a-z_.]+)` \| (\w+) \| (.+?) \| (.+) \|$", re.MULTILINE)


def test_every_metric_is_described() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", tags)), what) for name, kind, tags, what in ROW.findall(page)}
    assert told == {name: (each.kind, each.tags, each.meaning) for name, each in METRICS.items()}
