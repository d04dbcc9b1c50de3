# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flinque."""

from airflow_provider_mkt.hooks.flinque.hook import FlinqueHook

__all__ = ["FlinqueHook"]
