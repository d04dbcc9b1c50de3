# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return URL.create("sqlite", database=str(tmp_path / "state.db")).render_as_string()


@pytest.fixture
def clean_postgres(postgres: str) -> str:
    """The same database without our tables."""
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(
            text(
                "DROP TABLE IF EXISTS mkt_version, mkt_budget, mkt_token, mkt_webhook, mkt_inbox, mkt_answer, "
                "mkt_launch, mkt_stop, mkt_approval"
            )
        )
    engine.dispose()
    return postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("sqlite" if request.param == "sqlite" else "clean_postgres"))
