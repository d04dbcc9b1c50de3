# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the demo keeps its files: everything below one folder of the project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """The folders and files of one demo.

    :param project: the checkout; holds ``dags/``
    :param home: the demo's own folder, removed and made anew by every start
    :param dags: the folder that Airflow parses
    """

    project: Path
    home: Path
    dags: Path

    @classmethod
    def of(cls, project: Path = PROJECT, dags: Path | None = None) -> Layout:
        """Return the layout of a checkout, with ``dags`` instead of its own DAG folder when given."""
        return cls(project=project, home=project / ".demo", dags=(dags or project / "dags").resolve())

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """One file per process that was started."""
        return self.home / "logs"

    @property
    def task_logs(self) -> Path:
        """Airflow's own tree of task logs."""
        return self.logs / "tasks"

    @property
    def connections(self) -> Path:
        """The simulated vendors' connections, as ``airflow connections import`` reads them."""
        return self.airflow / "connections.json"

    @property
    def record(self) -> Path:
        """What runs now; see :mod:`scripts.demo.record`."""
        return self.home / "instance.json"

    @property
    def lock(self) -> Path:
        """Held by a runner for as long as it lives. Never removed: a lock on a removed file protects nothing."""
        return self.home / "lock"

    def start_clean(self) -> None:
        """Remove what an earlier demo left and make the folders, readable by the user only."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        for path in self.home.iterdir():
            if path == self.lock:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for folder in (self.airflow, self.logs, self.task_logs):
            folder.mkdir(mode=0o700)
