# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Commands find the connections that are stored in Airflow's database."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_mkt.cli.loading import CONTEXT

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
