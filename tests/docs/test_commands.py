# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every command of the documentation exists with the options shown, and runs where that is cheap.

``airflow`` and ``curl`` commands are carried out in this process: starting Airflow's command line takes seconds.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import yaml
from airflow.sdk import Connection

from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.test_data import BY_TYPE, check_connection

SHOWN_SANDBOX = "http://127.0.0.1:8095"
CONNECTION = re.compile(r"AIRFLOW_CONN_(\w+)")
SETTING = re.compile(r"AIRFLOW__[A-Z_]+__[A-Z_]+|AIRFLOW_HOME|AIRFLOW_API_[A-Z]+|OTEL_EXPORTER_OTLP_[A-Z_]+")
SERVED = (
    "mkt submissions",
    "mkt launches show",
    "mkt stop",
    "mkt resume",
    "mkt approvals",
    "mkt plan",
    "mkt authorize",
    "mkt webhook-secret",
    "mkt sandbox",
    "standalone",
    "tasks clear",
    "dags trigger",
)
"""Airflow commands that need a server or a person, or run for ever: only their options are checked."""
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands(block: Block) -> list[list[str]]:
    """Return the commands of a block as words, without comments; a backslash joins lines."""
    text = block.text.replace("\\\n", " ")
    found = [shlex.split(line, comments=True) for line in _statements(text)]
    return [words for words in found if words]


def _statements(text: str) -> list[str]:
    """Split into lines, but keep quoted line breaks."""
    found, pending = [], ""
    for line in text.splitlines():
        pending = f"{pending}\n{line}" if pending else line
        try:
            shlex.split(pending, comments=True)
        except ValueError:
            continue
        found.append(pending)
        pending = ""
    assert not pending, f"unbalanced quotes: {pending}"
    return found


COMMANDS = [(block, words) for block in blocks("bash") for words in commands(block)]


def _make(words: list[str], sandbox: Sandbox) -> None:
    arguments = [word for word in words[1:] if "=" not in word]
    targets = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
    assert set(arguments) <= set(targets), f"known targets: {targets}"
    if words[1:] == ["help"]:
        make = shutil.which("make") or pytest.skip("make is not installed")
        told = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
        assert all(f"make {target}" in told for target in targets)


def _airflow(words: list[str], sandbox: Sandbox) -> None:
    from airflow.cli.cli_parser import get_parser

    line = [word.replace(SHOWN_SANDBOX, sandbox.url) for word in words[1:]]
    args = get_parser().parse_args(line)
    if not " ".join(line).startswith(SERVED):
        args.func(args)


def _curl(words: list[str], sandbox: Sandbox) -> None:
    method, body, url, output = "", None, "", None
    rest = iter(words[1:])
    for word in rest:
        if word in ("-X", "--request"):
            method = next(rest)
        elif word in ("-d", "--data"):
            body = next(rest).encode()
        elif word in ("-o", "--output"):
            output = Path(next(rest))
        elif word in ("-fsS", "-s"):
            continue
        else:
            assert word.startswith(SHOWN_SANDBOX), f"unknown option or address {word}"
            url = sandbox.url + word.removeprefix(SHOWN_SANDBOX)
    with urlopen(Request(url, data=body, method=method or None), timeout=60) as answer:
        content = answer.read()
    json.loads(content)
    if output:
        output.write_bytes(content)


def _export(words: list[str], sandbox: Sandbox) -> None:
    for word in words[1:]:
        name, _, value = word.partition("=")
        if match := CONNECTION.fullmatch(name):
            if value.startswith("{"):
                check_connection(match[1].lower(), json.loads(value))
            else:
                connection = Connection.from_uri(value, conn_id=match[1].lower())
                account_of(BY_TYPE[str(connection.conn_type)], connection)
        else:
            assert SETTING.fullmatch(name), f"unknown variable {name}"


def _python(words: list[str], sandbox: Sandbox) -> None:
    if words[1] != "-m":
        assert (ROOT / words[1]).is_file()
    elif words[2] == "airflow_provider_mkt.sandbox":
        import argparse

        from airflow_provider_mkt.sandbox.command import add_arguments

        parser = argparse.ArgumentParser()
        add_arguments(parser)
        parser.parse_args(words[3:])
    elif words[2] == "scripts.demo":
        from scripts.demo.__main__ import _parser

        _parser().parse_args(words[3:])
    elif words[2] == "pytest":
        assert all((ROOT / word.partition("::")[0]).exists() for word in words[3:] if not word.startswith("-"))
    else:
        assert words[2] in ("mkdocs", "pre_commit")


def _pip(words: list[str], sandbox: Sandbox) -> None:
    assert words[1] == "install"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for word in words[2:]:
        if word.startswith("airflow-provider-mkt"):
            assert all(f"{extra} = [" in project for extra in re.findall(r"\[(\w+)\]", word))


def _compose(words: list[str], sandbox: Sandbox) -> None:
    options = {"--build", "--detach", "--volumes", "--follow", "--no-deps", "--rm"}
    profiles = {each for service in COMPOSE["services"].values() for each in service.get("profiles", [])}
    rest = words[1:]
    if rest[0] == "--profile":
        assert rest[1] in profiles
        rest = rest[2:]
    assert rest[0] in {"up", "down", "exec", "logs", "restart", "ps", "stop"}
    if rest[0] == "exec":
        assert rest[1] in COMPOSE["services"]
        if rest[2] == "airflow":
            _airflow(rest[2:], sandbox)
        return
    known = {*options, *COMPOSE["services"]}
    for word in rest[1:]:
        assert word in known or word == "--scale" or re.sub(r"=\d+$", "", word) in COMPOSE["services"], word


def _script(words: list[str], sandbox: Sandbox) -> None:
    assert (ROOT / words[0]).is_file()


RUN: dict[str, Callable[[list[str], Sandbox], None]] = {
    "make": _make,
    "airflow": _airflow,
    "curl": _curl,
    "export": _export,
    "python": _python,
    "pip": _pip,
    "docker-compose": _compose,
    ".ci/run": _script,
    ".venv/bin/python": _python,
}


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) >= 20
    assert {"make", "airflow", "curl", "export"} <= {words[0] for _, words in COMMANDS}


@pytest.mark.parametrize("block", blocks("bash"), ids=lambda block: block.place)
def test_commands(block: Block, dags_folder: Path, quick_vendors: Sandbox, stored_connections: None) -> None:
    for words in commands(block):
        assert words[0] in RUN, f"{block.place}: teach this test what {words[0]} is"
        RUN[words[0]](words, quick_vendors)
