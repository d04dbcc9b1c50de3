# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The hook for Flodesk: audience, settings, OAuth."""

from airflow_provider_mkt.hooks.flodesk.hook import FlodeskHook

__all__ = ["FlodeskHook"]
