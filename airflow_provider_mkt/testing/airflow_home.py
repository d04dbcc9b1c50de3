# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An Airflow of the test's own: an empty database with all tables, and a folder for DAGs."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import event

_KEY = base64.urlsafe_b64encode(os.urandom(32)).decode()
"""Encrypts what the tests of this process store. Airflow reads the key once."""


def make_database(path: Path) -> None:
    """Make an Airflow database with all its tables, which takes some seconds.

    :param path: the new file
    """
    with _airflow_at(path.parent, path):
        from airflow.utils.db import initdb

        initdb()


@contextmanager
def airflow_home(folder: Path, database: Path) -> Iterator[Path]:
    """Have Airflow, in this process, use a home of its own for as long as the ``with`` block lasts.

    :param folder: an empty folder, which becomes the home
    :param database: a database that :func:`make_database` has made; it is copied
    :return: the folder for DAGs
    """
    own = folder / "airflow.db"
    shutil.copyfile(database, own)
    dags = folder / "dags"
    dags.mkdir()
    with _airflow_at(folder, own):
        yield dags


@contextmanager
def _airflow_at(folder: Path, database: Path) -> Iterator[None]:
    with mock.patch.dict(os.environ, _environment(folder, database)):
        from airflow import settings

        _connect(settings)
        # Nothing in it has to survive a power failure.
        event.listen(settings.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        try:
            yield
        finally:
            settings.dispose_orm(do_log=False)
    _connect(settings)


def _environment(folder: Path, database: Path) -> dict[str, str]:
    given = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
    }
    kept = {
        "AIRFLOW__CORE__FERNET_KEY": _KEY,
        "AIRFLOW__MKT__DEPLOYMENT": "tests",
    }
    return {**given, **{name: os.environ.get(name) or value for name, value in kept.items()}}


def _connect(settings: Any) -> None:
    settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()
