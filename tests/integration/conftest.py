# Licensed under the Apache License, Version 2.0; see LICENSE.
"""For the tests of this folder: a database, and one Airflow with the project's own DAGs and some that publish once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from scripts.demo.layout import PROJECT
from tests.integration.airflow import Airflow, running_airflow
from tests.statsd import StatsdServer

SERVER = os.environ.get("MKT_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
HELP = (
    "no PostgreSQL at MKT_TEST_POSTGRES_URL; start one: "
    "docker run --rm -e POSTGRES_HOST_AUTH_METHOD=trust -p 127.0.0.1:5432:5432 postgres:17"
)

SPEED = 120.0
"""What takes the vendors ten minutes takes five seconds: longer than a task, shorter than a trigger's first look."""
LAUNCH = "mkt_campaign_launch"
POKING = "launch_poking"
"""The same DAG, with ``[operators] default_deferrable`` off."""
NOT_DEFERRABLE = 'os.environ["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "False"'


def replaced(text: str, old: str, new: str) -> str:
    """Replace what must be there."""
    assert old in text
    return text.replace(old, new)


def write_dags(folder: Path) -> None:
    """Put the DAGs together: the project's, the launch again without deferring and for another brief, and ours."""
    shutil.copytree(PROJECT / "dags", folder, dirs_exist_ok=True)
    shutil.copytree(Path(__file__).parent / "dags", folder, dirs_exist_ok=True)
    source = (folder / f"{LAUNCH}.py").read_text(encoding="utf-8")
    source = replaced(source, "import annotations\n", f"import annotations\n\nimport os\n\n{NOT_DEFERRABLE}\n")
    source = replaced(source, f"def {LAUNCH}(", f"def {POKING}(")
    (folder / f"{POKING}.py").write_text(replaced(source, f"\n{LAUNCH}()", f"\n{POKING}()"), encoding="utf-8")
    briefs = folder / "briefs"
    brief = (briefs / "harbour_homes.yaml").read_text(encoding="utf-8")
    brief = replaced(replaced(brief, "int_adjust", "int_stripe"), "harbour_homes_audience.csv", "hill_audience.csv")
    brief = replaced(replaced(brief, "Harbour Homes", "Hill Homes"), "on the harbour", "on the hill")
    (briefs / "hill_homes.yaml").write_text(brief, encoding="utf-8")
    people = "".join(f"hill{number}@example.com,Ada\n" for number in range(3))
    (briefs / "hill_audience.csv").write_text(f"email,first_name\n{people}", encoding="utf-8")


@pytest.fixture(scope="package")
def statsd() -> Iterator[StatsdServer]:
    """Receives the metrics of all of Airflow's processes."""
    with StatsdServer() as server:
        yield server


@pytest.fixture(scope="package")
def airflow(tmp_path_factory: pytest.TempPathFactory, statsd: StatsdServer) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("dags")
    write_dags(folder)
    with running_airflow(folder, speed=SPEED, extra=statsd.settings) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database of our own, which is dropped in the end."""
    from airflow_provider_mkt.state.database.dialects import usable
    from airflow_provider_mkt.state.errors import StoreError

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
