# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tell people of launches, through any notifier of Airflow: Slack, SMTP, or one of your own."""

from airflow_provider_mkt.notifications.notifier import LaunchNotifier

__all__ = ["LaunchNotifier"]
