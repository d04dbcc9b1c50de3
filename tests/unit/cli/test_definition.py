# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt …``, as it is typed."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.cli.cli_config import CLICommand, GroupCommand

from airflow_provider_mkt.cli.definition import get_mkt_commands

AIRFLOW = str(Path(sys.executable).with_name("airflow"))


def airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([AIRFLOW, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_airflow_knows_the_sandbox() -> None:
    done = airflow("mkt", "sandbox", "--print-connections", "--port", "8123")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert sorted(found) == [
        "flinque_default",
        "flodesk_default",
        "flokit_default",
        "flow_living_default",
        "flow_social_default",
    ]
    assert {connection["host"].split("/")[2] for connection in found.values()} == {"127.0.0.1:8123"}
    assert all(f"{connection['conn_type']}_default" == conn_id for conn_id, connection in found.items())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mkt", "--help"], ["sandbox", "Simulate the vendors"]),
        (["mkt", "sandbox", "--help"], ["--port", "--speed", "--print-connections", "--public-url", "--log-requests"]),
    ],
)
def test_help(
    arguments: list[str], words: list[str], parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"],
        ["--speed", "0"],
        ["--speed", "fast"],
        ["--public-url", "sandbox:8095"],
        ["--public-url", "http://"],
        ["--colour"],
    ],
)
def test_bad_options(arguments: list[str], parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["mkt", "sandbox", *arguments])
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_exit_code_of_the_sandbox_is_the_commands(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    parsed = parser.parse_args(["mkt", "sandbox", "--print-connections", "--public-url", "https://sandbox.example"])
    with pytest.raises(SystemExit) as ended:
        parsed.func(parsed)
    assert ended.value.code == 0
    hosts = [connection["host"] for connection in json.loads(capsys.readouterr().out).values()]
    assert all(host.startswith("https://sandbox.example/") for host in hosts)


def helps(command: CLICommand, *path: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield what is typed for each command, and the helps that it has to show."""
    words = (*path, command.name)
    if isinstance(command, GroupCommand):
        for each in command.subcommands:
            yield from helps(each, *words)
    else:
        yield words, [command.help, *(arg.kwargs.get("help", "") for arg in command.args)]


HELPS = dict(each for command in get_mkt_commands() for each in helps(command))


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_helps_are_shown_as_they_are_written(
    words: tuple[str, ...], parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the formatter of Airflow's CLI, "[core]" is an order to print in a colour of that name."""
    with pytest.raises(SystemExit):
        parser.parse_args([*words, "--help"])
    shown = "".join(capsys.readouterr().out.split())
    for text in HELPS[words]:
        written = re.sub(r"%\(default\)s", "%", text.replace("\\[", "[")).split("%")
        assert all("".join(part.split()) in shown for part in written), text


def test_some_helps_have_brackets() -> None:
    assert sum("[core]" in text or "[api]" in text for texts in HELPS.values() for text in texts) >= 2


@pytest.mark.parametrize("words", [words for words in HELPS if words[-1] in ("list", "budgets", "show", "doctor")])
def test_all_lists_have_the_formats_of_airflow(words: tuple[str, ...], parser: argparse.ArgumentParser) -> None:
    names = {"webhooks": ["1"], "launches": ["a1"], "approvals": ["a1"], "submissions": ["d", "r", "t"]}
    typed = names.get(words[1], []) if words[-1] == "show" else []
    for output in ("table", "json", "yaml", "plain"):
        assert parser.parse_args([*words, *typed, "--output", output]).output == output
