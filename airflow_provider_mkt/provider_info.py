# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow is told about this provider. Imported at every start of Airflow, so it must stay light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor

PACKAGE = "airflow_provider_mkt"
ROOMS = ("hooks", "operators", "sensors")
"""Where every vendor has a module."""
DECORATORS = ("mkt_post", "mkt_campaign", "mkt_subscribers")
HIDDEN_FIELDS = ["schema", "port"]

CONFIG: dict[str, Any] = {
    "mkt": {
        "description": "Marketing platforms: what all tasks share.",
        "options": {
            "state_url": {
                "description": (
                    "SQLAlchemy URL of the database that holds rate budgets, access tokens and webhook secrets. "
                    "Empty: a SQLite file in AIRFLOW_HOME, which is enough for one host. Use PostgreSQL when "
                    "workers run on several hosts."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "sensitive": True,
                "example": "postgresql+psycopg2://mkt:password@postgres/mkt",
                "default": "",
            },
            "deployment": {
                "description": (
                    "Name of this Airflow, part of the idempotency key and the reference of everything it launches. "
                    "Two Airflows that use one vendor account must have different names, or one takes the other's "
                    "launches for its own. Up to 40 letters, digits, '.', '_' and '-'. Empty: derived from [api] "
                    "base_url and [core] fernet_key, which a copy of the database does not hold."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "production",
                "default": "",
            },
            "caps": {
                "description": (
                    "The most that launches of all accounts together may spend, for each currency: a launch, a DAG "
                    "run, a day, a month. Days and months begin in [core] default_timezone. Each account may have "
                    "caps of its own, in its connection. Empty: none."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "GBP: launch 2000, day 10000, month 100000; EUR: day 500",
                "default": "",
            },
            "approval_above": {
                "description": (
                    "Amounts above which a person has to approve a launch before it leaves, one for each currency. A "
                    "launch whose amount is not known, or whose currency has no amount here, has to be approved as "
                    "well. Empty: only what asks for it by approval='required'."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "500 GBP, 600 EUR",
                "default": "",
            },
            "vendor_pages": {
                "description": (
                    "Addresses of the vendors' own pages, as JSON, by connection id or connection type. A task that "
                    "has made something shows the button 'Vendor page' with the first address whose ids it returned. "
                    "Empty: no such button, as no vendor documents its addresses."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": '{"flow_social": ["https://social.example.com/posts/{post_id}"]}',
                "default": "",
            },
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-mkt",
        "name": "Marketing platforms",
        "description": "Launches, posts, audiences, syncs and reports on marketing platforms, each exactly once.",
        **vendor_info(VENDORS),
        "config": CONFIG,
        "triggers": [
            {"integration-name": vendor.name, "python-modules": [f"{PACKAGE}.triggers.watch"]} for vendor in VENDORS
        ],
        "task-decorators": [{"name": name, "class-name": f"{PACKAGE}.decorators.{name}"} for name in DECORATORS],
        "notifications": [f"{PACKAGE}.notifications.LaunchNotifier"],
        "extra-links": [
            f"{PACKAGE}.links.submission.SubmissionLink",
            f"{PACKAGE}.links.vendor_page.VendorPageLink",
        ],
        "db-managers": [f"{PACKAGE}.cli.db_migrate.StoreTables"],
        "cli": [f"{PACKAGE}.cli.definition.get_mkt_commands"],
    }


def vendor_info(vendors: Sequence[Vendor]) -> dict[str, Any]:
    """Return what Airflow has to know of some vendors: their modules and connection types.

    A package that brings vendors of its own completes it with ``package-name``, ``name`` and ``description``.
    """
    return {
        "integrations": [
            {
                "integration-name": vendor.name,
                "external-doc-url": vendor.docs_url,
                "how-to-guide": [f"/docs/{vendor.page}"],
                "tags": ["service"],
            }
            for vendor in vendors
        ],
        **{room: [_modules(vendor, room) for vendor in vendors] for room in ROOMS},
        "transfers": [transfer for vendor in vendors for transfer in _transfers(vendor)],
        "connection-types": [_connection_type(vendor) for vendor in vendors],
    }


def _modules(vendor: Vendor, room: str) -> dict[str, Any]:
    return {"integration-name": vendor.name, "python-modules": [f"{vendor.package}.{room}.{vendor.conn_type}"]}


def _transfers(vendor: Vendor) -> Iterator[dict[str, Any]]:
    module = f"{vendor.package}.transfers.{vendor.conn_type}"
    ways = [(source, vendor.name, vendor.page) for source in vendor.sources]
    ways += [(vendor.name, target, "transfers.md") for target in vendor.targets]
    for source, target, page in ways:
        yield {
            "source-integration-name": source,
            "target-integration-name": target,
            "python-module": module,
            "how-to-guide": f"/docs/{page}",
        }


def _connection_type(vendor: Vendor) -> dict[str, Any]:
    relabeling = {"host": "API base URL", "password": vendor.password}
    if vendor.login:
        relabeling["login"] = vendor.login
    return {
        "connection-type": vendor.conn_type,
        "hook-class-name": f"{vendor.package}.hooks.{vendor.conn_type}.{vendor.hook}",
        "hook-name": vendor.name,
        "ui-field-behaviour": {
            "hidden-fields": HIDDEN_FIELDS if vendor.login else [*HIDDEN_FIELDS, "login"],
            "relabeling": relabeling,
            "placeholders": {"host": vendor.base_url},
        },
        "conn-fields": {name: extra.form_field() for name, extra in vendor.all_extras.items()},
    }
