# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The hook for Flow Social: posts, channels, media, settings."""

from airflow_provider_mkt.hooks.flow_social.hook import FlowSocialHook

__all__ = ["FlowSocialHook"]
