# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt doctor``: what keeps this Airflow from keeping the package's promises, and what to do about it."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, conf
from airflow.sdk.exceptions import AirflowConfigException, AirflowException
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_mkt import clock
from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.links.vendor_page import vendor_pages
from airflow_provider_mkt.state.database.migrations import STEPS
from airflow_provider_mkt.state.database.shared import distributed_executors, store
from airflow_provider_mkt.state.encryption import configured_encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.spending import account_caps, approval_limits, configured_caps, plan_amounts
from airflow_provider_mkt.vendors import installed_vendors

if TYPE_CHECKING:
    from airflow_provider_mkt.vendors.base import Vendor

OK, WARNING, PROBLEM = "ok", "warning", "problem"
ENVIRONMENT = "AIRFLOW_CONN_"
CLOCK_LIMIT = 5.0
"""Seconds by which this host's clock may differ from the store's: what vendors sign and check is to the minute."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    :param check: what was checked
    :param state: ``ok``; ``warning``: it works, and may not do what is expected; ``problem``: a promise is broken
    :param found: what was found
    :param remedy: what to do; "" when it is ok
    """

    check: str
    state: str
    found: str
    remedy: str = ""


def doctor(args: argparse.Namespace) -> None:
    """Print what was found. The exit status is 1 when there is a problem; warnings leave it 0."""
    findings = [*_versions(), *_plugin(), *_store(), *_settings(), *_connections(asks=not args.offline)]
    print_rows([asdict(each) for each in findings], args.output)
    if any(each.state == PROBLEM for each in findings):
        raise SystemExit(1)


def _versions() -> Iterator[Finding]:
    names = [f"{name} {version(name)}" for name in ("airflow-provider-mkt", "apache-airflow")]
    yield Finding("versions", OK, ", ".join([*names, f"Python {platform.python_version()}"]))


def _plugin() -> Iterator[Finding]:
    names = {entry.name for entry in entry_points(group="airflow.plugins")}
    if "mkt" in names:
        yield Finding("plugin", OK, "the webhook receiver's plugin is installed")
        return
    remedy = "Install the package with pip; a copied folder has no entry points."
    yield Finding("plugin", PROBLEM, "the plugin is not installed, so webhooks are not received", remedy)


def _store() -> Iterator[Finding]:
    try:
        used = store()
        have = used.schema_version()
        # The tables are made or brought forward on the first use, as tasks do it.
        ahead = used.now() - clock.now()
    except StoreError as error:
        yield Finding("store", PROBLEM, str(error), "See: airflow mkt db check")
        return
    if have is not None and have > len(STEPS):
        told = f"{used.where} has schema version {have}, this code knows {len(STEPS)}"
        yield Finding("store", PROBLEM, told, "Upgrade the package on this host.")
    else:
        yield Finding("store", OK, f"{used.where} can be reached")
    if used.kind == "sqlite" and (distributed := distributed_executors()):
        told = f"the store is a file on this host, but {' and '.join(distributed)} runs tasks on others too"
        yield Finding("store", PROBLEM, told, "Set [mkt] state_url to a PostgreSQL database.")
    if abs(ahead) > CLOCK_LIMIT:
        told = f"this host's clock differs from the store's by {abs(ahead):.0f} s"
        yield Finding("clock", PROBLEM, told, "Synchronise the clocks of all hosts (NTP).")
    else:
        yield Finding("clock", OK, f"within {CLOCK_LIMIT:.0f} s of the store's")


def _settings() -> Iterator[Finding]:
    checks = (_clearing, _key, _retries, _name, _pages, _caps, _approval)
    findings = [each for check in checks for each in _answered(check)]
    yield from findings or [Finding("settings", OK, "none of them breaks a promise")]


def _answered(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except (AirflowConfigException, AirflowException) as error:
        told = str(error).removesuffix(" Nothing was sent.")
        return [Finding("settings", PROBLEM, told, "Correct the setting.")]


def _clearing() -> Iterator[Finding]:
    if conf.getboolean("state_store", "clear_on_success", fallback=False):
        told = "[state_store] clear_on_success is on: a task that is cleared after its success launches a second time"
        yield Finding("settings", PROBLEM, told, "Set it to False.")


def _key() -> Iterator[Finding]:
    try:
        configured_encryptor()
    except StoreError:
        wrong = "not valid" if conf.get("core", "fernet_key", fallback="") else "empty"
        told = f"[core] fernet_key is {wrong}: tokens and secrets of webhooks cannot be stored"
        yield Finding("settings", PROBLEM, told, "Set a key, the same on all hosts, and keep it.")


def _retries() -> Iterator[Finding]:
    if not conf.getint("core", "default_task_retries", fallback=0):
        told = "[core] default_task_retries is 0: a lost answer that the next try would settle waits for a person"
        yield Finding("settings", WARNING, told, "Set it to 2, or give launches retries in their DAGs.")


def _name() -> Iterator[Finding]:
    deployment()
    if not conf.get("api", "base_url", fallback="") and not conf.get("mkt", "deployment", fallback=""):
        told = "neither [mkt] deployment nor [api] base_url is set: only the Fernet key tells this Airflow from others"
        yield Finding("settings", WARNING, told, "Set [mkt] deployment.")


def _pages() -> Iterator[Finding]:
    try:
        vendor_pages()
    except ValidationError as error:
        yield Finding("settings", WARNING, str(error), "Correct it, or tasks show no link to the vendor.")


def _caps() -> Iterator[Finding]:
    configured_caps()
    yield from ()


def _approval() -> Iterator[Finding]:
    approval_limits()
    yield from ()


def _connections(*, asks: bool) -> Iterator[Finding]:
    """Check the vendors' connections in Airflow's database and the environment, and the default ones anywhere."""
    vendors = {vendor.conn_type: vendor for vendor in installed_vendors()}
    default = {vendor.default_conn_id: vendor.conn_type for vendor in vendors.values()}
    named = _in_environment(tuple(vendors))
    try:
        named |= _stored(tuple(vendors))
    except SQLAlchemyError as error:
        told = f"it cannot be asked for connections ({type(error).__name__})"
        remedy = "Check [database] sql_alchemy_conn, and run: airflow db migrate"
        yield Finding("Airflow's database", PROBLEM, told, remedy)
    for conn_id, conn_type in sorted({**default, **named}.items()):
        try:
            yield _connection(conn_id, vendors[conn_type], asks=asks)
        except AirflowException as error:
            if conn_id in named:
                told = str(error).removesuffix(" Nothing was sent.")
                yield Finding(conn_id, PROBLEM, told, "Correct the connection.")
            else:
                yield Finding(conn_id, WARNING, "not defined", "Needed only by tasks that name no connection.")


def _in_environment(conn_types: tuple[str, ...]) -> dict[str, str]:
    """Return the connections of these types in the environment, by their ids. What cannot be read may be anybody's."""
    found = {}
    for conn_id in (name.removeprefix(ENVIRONMENT).lower() for name in os.environ if name.startswith(ENVIRONMENT)):
        with suppress(AirflowException, ValueError):
            conn_type = str(BaseHook.get_connection(conn_id).conn_type)
            if conn_type in conn_types:
                found[conn_id] = conn_type
    return found


def _stored(conn_types: tuple[str, ...]) -> dict[str, str]:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(Connection.conn_id, Connection.conn_type).where(Connection.conn_type.in_(conn_types))
        return {str(conn_id): str(conn_type) for conn_id, conn_type in session.execute(query)}


def _connection(conn_id: str, vendor: Vendor, *, asks: bool) -> Finding:
    from importlib import import_module

    account = account_of(vendor, BaseHook.get_connection(conn_id))
    account_caps(account)
    plan_amounts(account)
    if not asks:
        return Finding(conn_id, OK, f"{vendor.name}: complete; not tried")
    hooks = import_module(f"{vendor.package}.hooks.{vendor.conn_type}")
    works, told = getattr(hooks, vendor.hook)(conn_id).test_connection()
    told = told if told.startswith(vendor.name) else f"{vendor.name}: {told}"
    return Finding(conn_id, OK if works else PROBLEM, told, "" if works else "Correct it.")
