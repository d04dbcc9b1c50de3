# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What ``docs/extending.md`` shows is a vendor: its files, put into a copy of the project, pass the tests.

The same files in a package of their own are found by Airflow and by the sandbox, with no file edited at all.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, files

PAGE = "docs/extending.md"
FILES = [block for block in files() if block.page == PAGE]
NEW = {block.title: block.text for block in FILES if block.language in ("python", "markdown")}
REGISTRY = "airflow_provider_mkt/vendors/__init__.py"
GENERATED = {"README.md", "docs/connections.md", "docs/endpoints.md", "docs/index.md", "docs/reference.md"}
COPIED = ("airflow_provider_mkt", "dags", "docs", "scripts", "tests")
TESTS = (
    ("tests/contract/test_conformance.py", "signpost or same_routes or exceptions"),
    ("tests/unit/vendors", "signpost or colors or addresses"),
    ("tests/unit/test_definitions.py", "Signpost or signpost"),
    ("tests/unit/test_provider_info.py", "not cheap and not http_client"),
    ("tests/unit/sandbox/test_truth.py", "complete or odd or credentials"),
    ("tests/unit/operators/test_signpost.py", ""),
    ("tests/structure", ""),
    ("tests/docs/test_links.py", ""),
    ("tests/docs/test_site.py", ""),
)


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a Python in which ``folder`` comes before the project, and return what it printed."""
    told = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=told, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def changed(text: str, diff: str) -> str:
    """Apply a piece of a diff, which has to fit in one place."""
    lines = [(line[:1], line[1:]) for line in diff.splitlines()]
    old = "".join(f"{line}\n" for sign, line in lines if sign in (" ", "-"))
    new = "".join(f"{line}\n" for sign, line in lines if sign in (" ", "+"))
    assert text.count(old) == 1, "the registry does not look as the page shows it"
    return text.replace(old, new)


def differing(one: Path, other: Path) -> Iterator[str]:
    """Yield files of ``other`` that are new there or differ from those in ``one``."""
    for path in sorted(path for path in other.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        name = path.relative_to(other)
        if not (one / name).exists() or not filecmp.cmp(one / name, path, shallow=False):
            yield str(name)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the vendor in it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder / path.name)
    for name, text in NEW.items():
        assert not (ROOT / name).exists()
        (folder / name).write_text(text, encoding="utf-8")
    (line,) = [block for block in FILES if block.title == REGISTRY]
    registry = folder / REGISTRY
    registry.write_text(changed(registry.read_text(encoding="utf-8"), line.text), encoding="utf-8")
    run(folder, "docs/generate.py")
    return folder


def test_every_file_that_is_shown_is_tried() -> None:
    assert {block.page for block in files()} == {PAGE, "docs/testing.md", "docs/tutorial.md"}
    assert {block.title for block in FILES} == {*NEW, REGISTRY, "entry_points.txt"}


def test_one_line_is_edited(copy: Path) -> None:
    assert set(differing(ROOT, copy)) - GENERATED == {*NEW, REGISTRY}
    before, after = ((folder / REGISTRY).read_text(encoding="utf-8").splitlines() for folder in (ROOT, copy))
    assert len(after) == len(before) + 1


def test_it_keeps_to_the_style(copy: Path) -> None:
    python = [name for name in NEW if name.endswith(".py")]
    run(copy, "-m", "ruff", "check", *python)
    run(copy, "-m", "ruff", "format", "--check", *python)


@pytest.mark.proof
def test_it_passes_the_tests(copy: Path) -> None:
    """Conformance over the simulated vendor, a launch whose answers are lost, and all tables."""
    arguments = [path for path, _ in TESTS]
    chosen = " or ".join(f"({Path(path).stem} and ({names}))" if names else Path(path).stem for path, names in TESTS)
    told = run(copy, "-m", "pytest", "-q", *arguments, "-k", chosen, "-p", "no:cacheprovider")
    assert int(re.findall(r"(\d+) passed", told)[-1]) > 100


OWN = "signpost_mkt"
PROVIDER = """
from airflow_provider_mkt.provider_info import vendor_info
from signpost_mkt.vendors.signpost import VENDOR


def get_provider_info():
    return {"package-name": "signpost-mkt", "name": "Signpost", "description": "Posters.", **vendor_info([VENDOR])}
"""
LAUNCH = """
import json, os
from airflow.providers_manager import ProvidersManager
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import installed_vendors
from signpost_mkt.operators.signpost import SignpostShowPosterOperator
from tests.unit.context import Task

assert "signpost-mkt" in ProvidersManager().providers
assert "signpost" in [vendor.conn_type for vendor in installed_vendors()]
with Sandbox(speed=600) as sandbox:
    os.environ["AIRFLOW_CONN_SIGNPOST_DEFAULT"] = json.dumps(sandbox.connections["signpost_default"])
    operator = SignpostShowPosterOperator(task_id="show", screen="harbour", text="Hi", poll_interval=0.1)
    print(operator.execute(Task().context)["poster"]["status"], len(sandbox.ledger("signpost")))
"""


def moved(block: Block) -> tuple[str, str]:
    """Return a file of the vendor as it is in a package of its own: name and text."""
    text = block.text
    for room in ("vendors", "hooks", "waiting", "operators", "sensors"):
        text = text.replace(f"from airflow_provider_mkt.{room} import signpost", f"from {OWN}.{room} import signpost")
        text = text.replace(f"from airflow_provider_mkt.{room}.signpost import", f"from {OWN}.{room}.signpost import")
    text = text.replace('    hook="SignpostHook",\n', f'    hook="SignpostHook",\n    package="{OWN}",\n')
    name = block.title.replace("airflow_provider_mkt/sandbox/vendors/", f"{OWN}/sandbox/")
    return name.replace("airflow_provider_mkt/", f"{OWN}/"), text


def test_it_works_from_a_package_of_its_own(tmp_path: Path) -> None:
    for block in FILES:
        if block.language == "python" and block.title.startswith("airflow_provider_mkt/"):
            name, text = moved(block)
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    (tmp_path / OWN / "__init__.py").write_text(PROVIDER, encoding="utf-8")
    installed = tmp_path / f"{OWN}-0.1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: signpost-mkt\nVersion: 0.1\n", encoding="utf-8")
    (entries,) = [block.text for block in FILES if block.title == "entry_points.txt"]
    (installed / "entry_points.txt").write_text(entries, encoding="utf-8")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    told = run(tmp_path, "-c", LAUNCH, PYTHONPATH=path, AIRFLOW_HOME=str(tmp_path / "home"))
    assert told.split()[-2:] == ["shown", "1"]
