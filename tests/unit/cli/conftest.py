# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The command line, as Airflow reads it."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest
from airflow.cli.cli_parser import AirflowHelpFormatter, _add_command

from airflow_provider_mkt.cli.definition import get_mkt_commands


@pytest.fixture(scope="session")
def parser() -> argparse.ArgumentParser:
    """What reads the arguments of ``airflow mkt …``."""
    made = argparse.ArgumentParser(prog="airflow", formatter_class=AirflowHelpFormatter)
    subparsers = made.add_subparsers(dest="subcommand", required=True)
    for each in get_mkt_commands():
        _add_command(subparsers, each)
    return made


@pytest.fixture
def run(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Type ``airflow mkt …`` and return what it prints."""

    def run(*words: str) -> str:
        args = parser.parse_args(["mkt", *words])
        capsys.readouterr()
        args.func(args)
        return capsys.readouterr().out

    return run
