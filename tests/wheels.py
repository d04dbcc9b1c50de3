# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The package as users install it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("airflow_provider_mkt", "dags", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


def built(folder: Path) -> Path:
    """Build the wheel, offline, from a copy of what goes into it; return its path.

    :param folder: an empty one, or a new one
    """
    source = folder / "source"
    source.mkdir(parents=True)
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel
