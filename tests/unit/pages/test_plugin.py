# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every process of Airflow pays for the control room: next to nothing, until somebody opens it."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = """
import sys
import airflow.sdk.plugins_manager
before = set(sys.modules)
import airflow_provider_mkt.pages.plugin
print(sorted(set(sys.modules) - before))
"""


def test_importing_it_loads_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(ast.literal_eval(done.stdout.strip().splitlines()[-1]))
    own = {f"airflow_provider_mkt.{name}" for name in ("links", "links.submission", "pages", "pages.plugin")}
    assert loaded - {"airflow.sdk.bases.operatorlink"} == own
