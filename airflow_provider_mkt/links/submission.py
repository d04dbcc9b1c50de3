# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a task to what it has launched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


TAB = "marketing-launch"
"""The route of the tab that ``pages.plugin`` adds to a task's page."""


class SubmissionLink(BaseOperatorLink):
    """Leads to the tab of the control room on the page of the task instance."""

    @property
    def name(self) -> str:
        """Return the text of the button."""
        return "Submission"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page in Airflow's UI."""
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        index = ti_key.map_index
        mapped = f"/mapped/{index}" if index is not None and index >= 0 else ""
        dag, run, task = (quote(part, safe="") for part in (ti_key.dag_id, ti_key.run_id, ti_key.task_id))
        return f"{base}/dags/{dag}/runs/{run}/tasks/{task}{mapped}/plugin/{TAB}"
