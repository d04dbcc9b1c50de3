# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Commands are imported when they run, read connections where Airflow's own do, and end in words that are text."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from airflow.cli.cli_config import lazy_load_command

CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
SERVER = "server"
"""Without it Airflow 3.3 looks for connections in the environment and in secrets backends, and not in its database."""
NOISE = "airflow.models.connection.Connection"
"""It warns of the underscore in our connection types, on the standard output, where programs read JSON."""


def command(import_path: str) -> Callable[..., Any]:
    """Return a command for the command line. A vendor's words in what it ends with are no orders to the terminal.

    :param import_path: where the function is found, with dots
    """
    load = lazy_load_command(import_path)

    def run(*args: Any, **kwargs: Any) -> Any:
        _silence()
        before = os.environ.get(CONTEXT)
        os.environ[CONTEXT] = SERVER
        try:
            return load(*args, **kwargs)
        except SystemExit as end:
            from airflow_provider_mkt.submission.summary import printable

            raise SystemExit(printable(end.code) if isinstance(end.code, str) else end.code) from None
        finally:
            if before is None:
                del os.environ[CONTEXT]
            else:
                os.environ[CONTEXT] = before

    return run


def _silence() -> None:
    with contextlib.suppress(ImportError):
        # Airflow's configuration of it was read before any command runs, and has no other way in.
        from airflow._shared.logging.structlog import PER_LOGGER_LEVELS

        PER_LOGGER_LEVELS[NOISE] = logging.ERROR
