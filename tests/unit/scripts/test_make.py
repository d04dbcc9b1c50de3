# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import make_env

ROOT = Path(__file__).resolve().parents[3]
URLS = {
    "database-url": "postgres-password",
    "mkt-owner-url": "mkt-owner-password",
    "mkt-url": "mkt-password",
    "result-backend-url": "celery-password",
    "broker-url": "redis-password",
}
SHELL = shutil.which("sh") or "/bin/sh"


def _fake_python(folder: Path, name: str, *, fits: bool, venv: bool) -> None:
    """A program that answers the questions of make_venv.sh as some Python would."""
    body = f"""#!{SHELL}
case "$2" in
    *ensurepip*) exit {0 if venv else 1} ;;
    *print*) echo 3.12 ;;
    *) exit {0 if fits else 1} ;;
esac
"""
    path = folder / name
    path.write_text(body)
    path.chmod(0o755)


def _make_venv(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHELL, str(ROOT / "scripts" / "make_venv.sh"), str(folder / "venv"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(folder)},
        cwd=folder,
        timeout=30,
    )


def test_no_python_at_all(tmp_path: Path) -> None:
    answer = _make_venv(tmp_path)
    assert answer.returncode != 0
    assert "No Python from 3.10 to 3.14 found" in answer.stderr
    assert "PYTHON=" in answer.stderr


def test_programs_that_do_not_run_or_do_not_fit_are_passed_over(tmp_path: Path) -> None:
    _fake_python(tmp_path, "python3.13", fits=False, venv=True)
    _fake_python(tmp_path, "python3.12", fits=True, venv=False)
    answer = _make_venv(tmp_path)
    assert answer.returncode != 0
    assert "python3.12 cannot make virtual environments" in answer.stderr
    assert "python3.12-venv" in answer.stderr


def test_named_python_is_the_only_candidate(tmp_path: Path) -> None:
    _fake_python(tmp_path, "python3.12", fits=True, venv=True)
    answer = _make_venv(tmp_path, "python2.7")
    assert answer.returncode != 0
    assert "PYTHON=python2.7 is not a Python from 3.10 to 3.14" in answer.stderr


def _test_pythons(folder: Path, versions: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHELL, str(ROOT / "scripts" / "test_pythons.sh"), str(folder / "venvs"), versions, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "PYENV_ROOT": str(folder / "pyenv")},
        cwd=folder,
        timeout=30,
    )


def test_pythons_that_are_not_installed_are_named_and_are_no_success(tmp_path: Path) -> None:
    answer = _test_pythons(tmp_path, "3.98 3.99", "-c", "pass")
    assert answer.returncode == 1
    assert answer.stdout.splitlines() == [f"Python {each}: not installed, skipped" for each in ("3.98", "3.99")]
    assert "None of the Pythons is installed" in answer.stderr


def test_a_python_of_pyenv_is_found_by_its_own_word(tmp_path: Path) -> None:
    """Its environment cannot be made here, so it fails: what counts is that it was tried, and that this is told."""
    programs = tmp_path / "pyenv" / "versions" / "3.99.1" / "bin"
    programs.mkdir(parents=True)
    _fake_python(programs, "python", fits=True, venv=False)
    answer = _test_pythons(tmp_path, "3.98 3.99", "-c", "pass")
    assert answer.returncode == 1
    assert answer.stdout.splitlines() == ["Python 3.98: not installed, skipped", "Python 3.99: FAILED"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    answer = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True, timeout=30)
    listed = set(re.findall(r"^  make ([\w-]+) +\S", answer.stdout, re.MULTILINE))
    assert listed == set(phony[1].split())


def test_secrets_are_new_private_and_never_shown(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    command = [sys.executable, "-m", "scripts.make_env", str(folder)]
    first = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    values = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert set(values) == set(make_env.content())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(value not in first.stdout + first.stderr for value in values.values())
    words = {name: value for name, value in values.items() if not name.endswith("-url")}
    assert len({*words.values()}) == len(words)
    assert all(re.fullmatch(r"[\w-]{20,}=?", value) for value in words.values())
    for url, password in URLS.items():
        assert f":{words[password]}@" in values[url]

    second = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "kept" in second.stdout
    assert values == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert list(tmp_path.iterdir()) == [folder]
