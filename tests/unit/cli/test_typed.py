# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A number that makes no sense is refused as it is typed, with its range: no traceback, and no list empty for it."""

from __future__ import annotations

import argparse
import re

import pytest

WRONG = [
    "submissions list --days nan",
    "submissions list --days 1e30",
    "submissions list --days -1",
    "submissions list --runs -3",
    "submissions list --runs 0",
    "submissions list --runs ²",
    "launches list --limit -5",
    "webhooks list --limit 0",
    "stop --all --reason x --patience nan",
    "stop --all --reason x --patience soon",
    "authorize flodesk_default --timeout -1",
    "receiver --port 99999",
    "receiver --port -1",
    "report --html x.html --days 0",
    "submissions list --api-url nonsense",
    "submissions list --api-url http://",
    "approvals approve a1 --api-url localhost:8080",
    "webhooks test flodesk_default --url 127.0.0.1:8080/mkt",
    "report --html x.html --days 99999999999",
]


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_out_of_range(typed: str, parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["mkt", *typed.split()])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert re.search("must be an? ", said)
    assert f"got {typed.rsplit(maxsplit=1)[-1]!r}" in said


@pytest.mark.parametrize("words", [("stop", "--all"), ("resume",), ("approvals", "refuse", "a1")])
def test_a_reason_says_something(
    words: tuple[str, ...], parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["mkt", *words, "--reason", " "])
    assert ended.value.code == 2
    assert "--reason: must not be empty" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "typed",
    [
        "submissions list --days 0.5 --runs 1",
        "launches list --limit 1000000",
        "stop --all --reason x --patience 0",
        "receiver --port 0",
        "report --html x.html --days 1",
    ],
)
def test_what_is_in_range(typed: str, parser: argparse.ArgumentParser) -> None:
    assert parser.parse_args(["mkt", *typed.split()]).func


def test_a_host_that_there_is_not(parser: argparse.ArgumentParser) -> None:
    args = parser.parse_args(["mkt", "receiver", "--host", "no host"])
    with pytest.raises(SystemExit, match="cannot listen on 'no host'"):
        args.func(args)
