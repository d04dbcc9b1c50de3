# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What this project installs is what it says: pinned, with hashes; images by digest; no secret on a command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,._-]+\])?==[A-Za-z0-9.!+_-]+( ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
ADDRESS = re.compile(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|^-[fir] ", re.MULTILINE)
IMAGE = "AIRFLOW_IMAGE"
BLOCK = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECRET_ARGUMENT = re.compile(
    r"--(?:conn-)?(?:password|secret|token|api-key)[ =]['\"]?[A-Za-z0-9]|\bcurl\b.*(?: -u |--user |[Aa]uthorization:)|"
    r"\b(?:add|create)\b.*(?:--conn-uri|--conn-json)[ =]['\"]?[A-Za-z0-9{]"
)


def requirement_problems(name: str, text: str) -> Iterator[str]:
    """Yield what is wrong with a file of requirements.

    :param name: the file, for messages
    :param text: its content
    """
    if found := ADDRESS.search(text):
        yield f"{name}: names a place to install from ({found[0].strip()})"
    for entry in text.replace("\\\n", " ").splitlines():
        requirement, *options = re.split(r" +(?=--)", entry.strip())
        if not requirement or requirement.startswith("#"):
            continue
        if not PIN.fullmatch(requirement.strip()):
            yield f"{name}: {requirement.strip()!r} is not pinned to one version"
        if not options or not all(HASH.fullmatch(option.strip()) for option in options):
            yield f"{name}: {requirement.strip()!r} has no hash"


def dockerfile_problems(text: str) -> Iterator[str]:
    """Yield what is wrong with the Dockerfile: its image must be given by digest, and be refused otherwise."""
    if re.search(rf"^ARG {IMAGE}=", text, re.MULTILINE):
        yield f"Dockerfile: {IMAGE} has a default; only a digest that was looked up may be built on"
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    if any("@sha256:" not in base and base != f"${{{IMAGE}}}" for base in bases):
        yield f"Dockerfile: {', '.join(bases)} is no digest: a tag can be moved to another image"
    if "*@sha256:*" not in text:
        yield f"Dockerfile: nothing refuses an {IMAGE} that is a tag"
    if "--constraint" not in text:
        yield "Dockerfile: pip is not held to the constraints of Airflow's image"


def documentation_problems(name: str, text: str) -> Iterator[str]:
    """Yield the secrets that a page puts on a command line, where other users of the machine see them."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if SECRET_ARGUMENT.search(line):
                yield f"{name}: a secret on a command line: {line.strip()[:80]}"


def problems(root: Path = ROOT) -> Iterator[str]:
    """Yield everything that is wrong."""
    for path in sorted((root / "requirements").glob("*.txt")):
        yield from requirement_problems(f"requirements/{path.name}", path.read_text(encoding="utf-8"))
    yield from dockerfile_problems((root / "Dockerfile").read_text(encoding="utf-8"))
    for path in [*sorted((root / "docs").glob("*.md")), root / "README.md", root / "CONTRIBUTING.md"]:
        yield from documentation_problems(path.name, path.read_text(encoding="utf-8"))


def main() -> int:
    """Run the command."""
    found = list(problems())
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
