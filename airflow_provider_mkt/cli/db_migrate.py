# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What ``airflow db migrate`` and ``airflow db check-migrations`` do for the shared store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import airflow
from airflow.utils.db_manager import BaseDBManager
from sqlalchemy import MetaData

from airflow_provider_mkt.state.database.migrations import STEPS, VERSION_TABLE
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.errors import StoreError


class StoreTables(BaseDBManager):
    """The tables of the shared store, which is a database of its own and brought forward without Alembic.

    ``airflow db reset`` leaves them alone: they hold tokens that only a person can get again.

    :param session: of Airflow's own database; not used
    """

    metadata = MetaData()
    # Airflow opens an env.py there before it makes a new database. Nothing of it is used.
    migration_dir = str(Path(airflow.__file__).parent / "migrations")
    version_table_name = VERSION_TABLE

    def initdb(self, use_migration_files: bool = False) -> None:  # noqa: ARG002 - Airflow's signature
        """Make or bring forward the tables.

        :param use_migration_files: has no meaning here
        :raises StoreError: when that fails, which ends Airflow's command
        """
        used = store()
        used.run(lambda _: None)
        self.log.info("The shared store (%s) has schema version %s.", used.where, len(STEPS))

    def upgradedb(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - there is one way only
        """Make or bring forward the tables, as :meth:`initdb`."""
        self.initdb()

    def check_migration(self) -> bool:
        """Tell whether the store has the tables of this version; a store that cannot be asked has not."""
        try:
            return store().schema_version() == len(STEPS)
        except StoreError as error:
            self.log.info("%s", error)
            return False
