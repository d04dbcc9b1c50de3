# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow and the sandbox as the demo runs them: settings, commands, addresses."""

from __future__ import annotations

import base64
import configparser
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.demo.layout import Layout
from scripts.demo.processes import marked_environment

PYTHON = sys.executable

AIRFLOW = str(Path(PYTHON).parent / "airflow")
MIGRATE = (AIRFLOW, "db", "migrate")

# The log servers of scheduler and triggerer listen on every interface. Here all logs are files of the same disk, so
# they are not needed.
COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": (AIRFLOW, "api-server"),
    "scheduler": (AIRFLOW, "scheduler", "--skip-serve-logs"),
    "dag-processor": (AIRFLOW, "dag-processor"),
    "triggerer": (AIRFLOW, "triggerer", "--skip-serve-logs"),
}


@dataclass(frozen=True)
class Addresses:
    """Where the servers listen, on 127.0.0.1 only."""

    airflow_port: int
    sandbox_port: int

    @property
    def airflow(self) -> str:
        """Airflow's UI and API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def sandbox(self) -> str:
        """The simulated vendors."""
        return f"http://127.0.0.1:{self.sandbox_port}"


def sandbox_command(addresses: Addresses, speed: float) -> tuple[str, ...]:
    """Return the command of the simulated vendors.

    :param speed: how many of their seconds pass in one of ours; posts go out that much sooner as well
    """
    options = ("--speed", f"{speed:g}", "--switch", "flow_social.early_posts=true", "--webhooks-to", addresses.airflow)
    return (*_sandbox(addresses), *options)


def sandbox_connections_command(addresses: Addresses) -> tuple[str, ...]:
    """Return the command that prints the sandbox's connections as JSON."""
    return (*_sandbox(addresses), "--print-connections")


def _sandbox(addresses: Addresses) -> tuple[str, ...]:
    return (PYTHON, "-m", "airflow_provider_mkt.sandbox", "--port", str(addresses.sandbox_port))


def settings(
    layout: Layout, addresses: Addresses, *, deferrable: bool, approval_above: str = ""
) -> dict[str, dict[str, str]]:
    """Return Airflow's configuration by section: SQLite, few processes, no login, nothing that leaves the machine."""
    return {
        "core": {
            "dags_folder": str(layout.dags),
            "executor": "LocalExecutor",
            "parallelism": "4",
            "load_examples": "False",
            "fernet_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "execution_api_server_url": f"{addresses.airflow}/execution/",
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_all_admins": "True",
            "hostname_callable": "socket.gethostname",
            "test_connection": "Enabled",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{layout.airflow / 'airflow.db'}"},
        "logging": {"base_log_folder": str(layout.task_logs), "logging_level": "INFO"},
        "api": {
            "host": "127.0.0.1",
            "port": str(addresses.airflow_port),
            "base_url": addresses.airflow,
            "workers": "1",
            "secret_key": secrets.token_urlsafe(32),
        },
        "api_auth": {"jwt_secret": secrets.token_urlsafe(48)},
        "operators": {"default_deferrable": str(deferrable)},
        "mkt": {"approval_above": approval_above},
        "dag_processor": {"parsing_processes": "1", "refresh_interval": "10"},
    }


def write_settings(layout: Layout, addresses: Addresses, *, deferrable: bool, approval_above: str = "") -> Path:
    """Write ``airflow.cfg``, so that ``AIRFLOW_HOME=.demo/airflow airflow …`` works beside a running demo."""
    parser = configparser.RawConfigParser()
    parser.read_dict(settings(layout, addresses, deferrable=deferrable, approval_above=approval_above))
    path = layout.airflow / "airflow.cfg"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        parser.write(stream)
    return path


def environment(layout: Layout, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the demo's processes; the virtual environment's programs come first in PATH."""
    programs = str(Path(PYTHON).parent)
    return marked_environment(
        layout,
        {
            "AIRFLOW_HOME": str(layout.airflow),
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # Under Python 3.14 Airflow 3.3 prints warnings of its own before the output of every command.
            "PYTHONWARNINGS": "ignore::PendingDeprecationWarning",
            **(extra or {}),
        },
    )
