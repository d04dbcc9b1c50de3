# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Commands find the connections that are stored in Airflow's database, and end in words that are text."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from airflow.cli.cli_config import ActionCommand, CLICommand, GroupCommand

from airflow_provider_mkt.cli.definition import get_mkt_commands
from airflow_provider_mkt.cli.loading import CONTEXT, command

STORED = "social_of_the_database"


@pytest.fixture
def stored() -> Iterator[str]:
    from airflow.models import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    initdb()
    with create_session() as session:
        session.add(Connection(conn_id=STORED, conn_type="flow_social", password="flow_sk_live_of_the_database"))
    yield STORED
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == STORED))


def test_a_connection_of_the_database_is_found(stored: str, run: Callable[..., str]) -> None:
    found = json.loads(run("doctor", "--offline", "--output", "json"))
    [finding] = [each for each in found if each["check"] == stored]
    assert finding["state"] == "ok"


def test_what_it_was_before_it_is_again(run: Callable[..., str]) -> None:
    assert CONTEXT not in os.environ
    run("stops", "--output", "json")
    assert CONTEXT not in os.environ


def commands(of: CLICommand) -> Iterator[ActionCommand]:
    if isinstance(of, GroupCommand):
        for each in of.subcommands:
            yield from commands(each)
    else:
        yield of


@pytest.mark.parametrize("end", ["\x1b[2Jgone\x9b", 3, True, None])
def test_what_a_command_ends_with_is_no_order_to_the_terminal(
    end: str | int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: argparse.Namespace) -> None:
        raise SystemExit(end)

    module = ModuleType("mkt_tests_refused")
    module.refused = refused  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(SystemExit) as ended:
        command("mkt_tests_refused.refused")(argparse.Namespace())
    assert ended.value.code == (r"\x1b[2Jgone\x9b" if isinstance(end, str) else end)


def test_all_commands_end_so() -> None:
    """But for the simulated vendors, which say nothing of strangers."""
    others = [
        each.name for of in get_mkt_commands() for each in commands(of) if each.func.__module__ != command.__module__
    ]
    assert others == ["sandbox"]
