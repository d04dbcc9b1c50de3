# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

SERVER = os.environ.get("MKT_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
HELP = (
    "no PostgreSQL at MKT_TEST_POSTGRES_URL; start one: "
    "docker run --rm -e POSTGRES_HOST_AUTH_METHOD=trust -p 127.0.0.1:5432:5432 postgres:17"
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database of our own, which is dropped in the end."""
    from airflow_provider_mkt.state.databases import usable
    from airflow_provider_mkt.state.troubles import StoreError

    name = f"mkt_test_{uuid.uuid4().hex[:12]}"
    try:
        server = usable(SERVER)
        admin = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except (StoreError, SQLAlchemyError) as error:
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(f"{HELP} ({type(error).__name__})")
        pytest.skip(HELP)
    yield make_url(str(server.render_as_string(hide_password=False))).set(database=name).render_as_string(False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return URL.create("sqlite", database=str(tmp_path / "state.db")).render_as_string()


@pytest.fixture
def clean_postgres(postgres: str) -> str:
    """The same database without our tables."""
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS mkt_version, mkt_budget, mkt_token, mkt_webhook"))
    engine.dispose()
    return postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("sqlite" if request.param == "sqlite" else "clean_postgres"))
