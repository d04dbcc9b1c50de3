# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Groups of tasks that belong together: a whole launch from a brief."""

from airflow_provider_mkt.task_groups.launch import launch

__all__ = ["launch"]
