# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Puts a page for each vendor into the site's navigation; MkDocs calls it."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.vendors import VENDORS

SECTION = "Vendors"


def on_config(config: Any) -> Any:
    """Fill the section, in the order of the registry."""
    pages = [{vendor.name: vendor.page} for vendor in VENDORS]
    for part in config["nav"]:
        if SECTION in part:
            part[SECTION] = [*pages, *part[SECTION]]
    return config
