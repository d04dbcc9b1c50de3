# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The tutorial, line by line, in a fresh virtual environment, with the wheel that users would get.

Two things differ from what a reader types. The constraints are the pinned versions of this repository, as the page's
need a network. And uv stands in for pip, which takes minutes.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, files
from tests.wheels import built

PAGE = "docs/tutorial.md"
TERMINAL = [block for block in files() if block.page == PAGE and block.title == "terminal"]
WRITTEN = [block for block in files() if block.page == PAGE and block.title != "terminal"]
SHOWN = [block for block in blocks("text") if block.page == PAGE]
PIN = re.compile(r"^([A-Za-z0-9._-]+==\S+(?: ; [^\\]+)?)", re.MULTILINE)


def lines(block: Block) -> list[str]:
    return [line for line in block.text.splitlines() if line.strip()]


def constraints(folder: Path) -> Path:
    """Return the pinned versions, without the hashes that pip would ask of the wheel as well."""
    path = folder / "constraints.txt"
    pins = PIN.findall((ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8"))
    assert len(pins) > 100
    path.write_text("\n".join(pins) + "\n", encoding="utf-8")
    return path


def script(wheel: Path, pinned: Path) -> str:
    """Return the commands as one script, in which the files are written when the reader writes them."""
    uv = Path(sys.executable).with_name("uv")
    found = [
        "set -eu",
        f'pip() {{ {uv} pip "$@"; }}',
        f'python3() {{ {shlex.quote(sys.executable)} "$@"; }}',
    ]
    for block in sorted([*TERMINAL, *WRITTEN], key=lambda each: each.line):
        if block.title == "terminal":
            found += [f"echo '> command'\n{line}" for line in lines(block)]
        else:
            found.append(f"cat > {block.title} <<'END OF FILE'\n{block.text}END OF FILE")
    text = "\n".join(found)
    text = re.sub(r'--constraint "[^"]+"', f"--constraint {pinned}", text)
    return text.replace('"airflow-provider-mkt[sandbox]"', f'"airflow-provider-mkt[sandbox] @ file://{wheel}"')


def test_it_takes_ten_commands_at_most() -> None:
    assert sum(len(lines(block)) for block in TERMINAL) <= 10
    assert [block.title for block in WRITTEN] == ["open_house.py", "test_open_house.py"]


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path(sys.executable).with_name("uv").exists(), reason="uv is not in this environment")
def test_it_works_from_nothing(tmp_path: Path) -> None:
    wheel = built(tmp_path / "wheel")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "VIRTUAL"))}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONPATH": ""}
    if cache := os.environ.get("UV_CACHE_DIR"):
        environment["UV_CACHE_DIR"] = cache
    text = script(wheel, constraints(tmp_path))
    done = subprocess.run(
        ["bash", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=850
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-5_000:]
    for block in SHOWN:
        assert block.text.strip() in done.stdout, told[-5_000:]
    used = tmp_path / "first-launch" / ".venv"
    assert (next(used.glob("lib/*/site-packages")) / "airflow_provider_mkt" / "example_dags").is_dir()
    assert not list(used.glob("lib/*/site-packages/_editable_impl*"))
