# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The hook for Flinque, and the download of its reports."""

from airflow_provider_mkt.hooks.flinque.hook import FlinqueHook

__all__ = ["FlinqueHook"]
