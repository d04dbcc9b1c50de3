# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flow Social."""

from airflow_provider_mkt.hooks.flow_social.hook import FlowSocialHook

__all__ = ["FlowSocialHook"]
