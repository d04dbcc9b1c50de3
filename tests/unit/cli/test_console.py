# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Data on a terminal is text: no markup, no control characters, in every format."""

from __future__ import annotations

import json

import pytest
import yaml

from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.submission.summary import printable

HOSTILE = ["[/b]", "[red]run[/red]", "[bold", "a\\[b]", "end\\", "\x1b[31mred\x1b[0m", "\x9b2J", "a\nb\tc", "\u202etxt"]


@pytest.mark.parametrize("output", ["table", "plain", "json", "yaml"])
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_printed_as_they_are(text: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"run": text, "number": 7, "ids": [text], "none": None}], output)
    printed = capsys.readouterr().out
    assert not any(sign in printed for sign in "\x1b\x9b\u202e\t")
    shown = printable(text).replace("\n", "\\n")
    if output == "json":
        assert json.loads(printed)[0]["run"] == shown
    elif output == "yaml":
        assert yaml.safe_load(printed)[0]["run"] == shown
    else:
        assert shown in printed


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\nb"), ("\x1b[0m", "\\x1b[0m"), ("Zürich 🎉", "Zürich 🎉"), ("\u2066x\x00", "\\u2066x\\x00")],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
