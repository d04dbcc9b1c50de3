# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What ``make check`` refuses about requirements, the image and the documentation; and that there is nothing of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import supply_chain

ROOT = Path(__file__).resolve().parents[3]
HASH = f"--hash=sha256:{'0' * 64}"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_this_project() -> None:
    assert list(supply_chain.problems()) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"a==1 \\\n    {HASH}\nb[c]==2.0 ; python_full_version < '3.11' \\\n    {HASH} \\\n    {HASH}\n", ""),
        ("a==1\n", "has no hash"),
        (f"a>=1 {HASH}\n", "is not pinned"),
        (f"a {HASH}\n", "is not pinned"),
        (f"a==1.* {HASH}\n", "is not pinned"),
        ("a==1 --hash=md5:00\n", "has no hash"),
        (f"a @ https://example.com/a.whl {HASH}\n", "a place to install from"),
        (f"--index-url https://example.com\na==1 {HASH}\n", "a place to install from"),
        (f"-r other.txt\na==1 {HASH}\n", "a place to install from"),
    ],
)
def test_requirements(text: str, problem: str) -> None:
    found = " ".join(supply_chain.requirement_problems("dev.txt", text))
    assert problem in found
    assert bool(found) is bool(problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("FROM ${AIRFLOW_IMAGE}", "FROM apache/airflow:3.3.2", "is no digest"),
        ("ARG AIRFLOW_IMAGE\nFROM", "ARG AIRFLOW_IMAGE=apache/airflow:3.3.2\nFROM", "has a default"),
        ("*@sha256:*) ;;", "*) ;;", "nothing refuses"),
        ("--constraint", "--no-warn", "constraints"),
    ],
)
def test_images(old: str, new: str, problem: str) -> None:
    assert old in DOCKERFILE
    assert problem in " ".join(supply_chain.dockerfile_problems(DOCKERFILE.replace(old, new)))


@pytest.mark.parametrize(
    ("image", "version", "accepted"),
    [
        (f"apache/airflow@sha256:{'0' * 64}", "3.3.2", True),
        (f"apache/airflow:3.3.2@sha256:{'0' * 64}", "3.3.2", True),
        ("apache/airflow:3.3.2", "3.3.2", False),
        ("", "3.3.2", False),
        (f"apache/airflow@sha256:{'0' * 64}", "3.4.0", False),
    ],
)
def test_the_image_refuses_a_tag_while_it_is_built(image: str, version: str, *, accepted: bool) -> None:
    step = DOCKERFILE.partition("\nRUN case")[2].partition("\n\n")[0]
    answer = subprocess.run(
        [shutil.which("sh") or "/bin/sh", "-c", f"case{step}"],
        env={"AIRFLOW_IMAGE": image, "AIRFLOW_VERSION": version},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode == 0) is accepted, answer.stderr


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("airflow connections add a --conn-type flodesk --conn-password s3cr3t", True),
        ("airflow connections add a --conn-uri 'flinque://id:s3cr3t@host'", True),
        ("curl -u id:s3cr3t https://api.example.com", True),
        ("curl -H 'Authorization: Bearer s3cr3t' https://api.example.com", True),
        ("airflow mkt authorize a \\\n  --token=s3cr3t", True),
        ("airflow connections import --overwrite connections.json", False),
        ("airflow mkt submissions adopt a b c --ids ct_1", False),
    ],
)
def test_documentation(line: str, *, refused: bool) -> None:
    assert bool(list(supply_chain.documentation_problems("a.md", f"```bash\n{line}\n```\n"))) is refused


def test_the_environment_is_made_by_hashes_alone() -> None:
    text = (ROOT / "scripts" / "make_venv.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in text.splitlines() if "pip install" in line or "pip sync" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or {"--no-deps", "--no-build-isolation", "--editable"} <= set(line.split())
