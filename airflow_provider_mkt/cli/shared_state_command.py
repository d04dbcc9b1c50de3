# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt budgets``, ``db``, ``webhook-secret`` and ``rotate-fernet-key``: what all tasks share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.hooks.account import Account, account_of, secrets_of
from airflow_provider_mkt.state.budgets.shared import account_label, reset, snapshot
from airflow_provider_mkt.state.budgets.table import BudgetUse
from airflow_provider_mkt.state.database.migrations import STEPS
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.encryption import configured_encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.key_rotation import reencrypt_all
from airflow_provider_mkt.state.webhook_secrets import Kept, WebhookSecrets
from airflow_provider_mkt.vendors import installed_vendors


def budgets(args: argparse.Namespace) -> None:
    """Print how much of each rate budget is in use; or forget what vendors have said of their limits."""
    try:
        if getattr(args, "what", "show") == "reset":
            _reset_budgets(args.account)
            return
        uses = _of(getattr(args, "account", None), snapshot())
    except StoreError as error:
        raise SystemExit(str(error)) from None
    rows = [_use(use) for use in uses]
    print_rows(rows, args.output, table=[_use_for_people(row) for row in rows])


def _of(account: str | None, uses: Sequence[BudgetUse]) -> Sequence[BudgetUse]:
    """Return the budgets of a connection, or of an account or vendor as shown; all of them without one."""
    if account is None or (found := [use for use in uses if account in use.label.split(" ")[:3]]):
        return uses if account is None else found
    label = _label_of(account)
    if label is None:
        raise _unknown(account, uses)
    return [use for use in uses if use.label.startswith(f"{label} ")]


def _unknown(account: str, uses: Sequence[BudgetUse]) -> SystemExit:
    known = ", ".join(sorted({use.label.rsplit(" ", 1)[0] for use in uses})) or "none yet"
    return SystemExit(f"{account!r} is neither a connection nor an account or vendor as shown. Known: {known}.")


def _use(use: BudgetUse) -> dict[str, Any]:
    vendor, address, account, *name = use.label.split(" ")
    return {
        "vendor": vendor,
        "account": account,
        "budget": " ".join(name),
        "used": use.used,
        "queued": use.queued,
        "requests": use.requests,
        "window": use.window,
        "stated": use.learned,
        "quiet": use.quiet,
        "address": address,
    }


def _use_for_people(row: dict[str, Any]) -> dict[str, str]:
    """Return "30 of 100 in 60 s": figures beside what they are figures of."""
    stated = f", stated {row['stated']}" if row["stated"] is not None else ""
    return {
        "vendor": row["vendor"],
        "account": row["account"],
        "budget": row["budget"],
        "used": f"{row['used']} of {row['requests']} in {row['window']:g} s{stated}",
        "queued": str(row["queued"]),
        "quiet for": f"{row['quiet']:.0f} s" if row["quiet"] else "-",
        "address": row["address"],
    }


def _reset_budgets(account: str | None) -> None:
    done = reset(account)
    if not done and account:
        uses = snapshot()
        shown = [use.label.rsplit(" ", 1)[0] for use in uses if use.label.split(" ")[2] == account]
        if (label := next(iter(shown), None) or _label_of(account)) is None:
            raise _unknown(account, uses)
        done = reset(label)
    what = f"{done} rate budget{'' if done == 1 else 's'}"
    print(f"{what}: stated limits and waits are forgotten. What was sent stays counted.")


def _label_of(conn_id: str) -> str | None:
    """Return the beginning of the labels of a connection's budgets; None when there is no such connection."""
    try:
        connection = BaseHook.get_connection(conn_id)
        vendor = next((each for each in installed_vendors() if each.conn_type == connection.conn_type), None)
        if vendor is None:
            raise SystemExit(f"Connection {conn_id!r} has a type of another provider: {connection.conn_type!r}.")
        return account_label(account_of(vendor, connection).identity)
    except AirflowNotFoundException:
        return None
    except AirflowException as error:
        raise SystemExit(str(error)) from None


def upgrade_database(args: argparse.Namespace) -> None:  # noqa: ARG001 - Airflow hands over what was typed
    """Make or bring forward the shared store's tables."""
    try:
        used = store()
        before = used.schema_version()
        used.run(lambda _: None)
    except StoreError as error:
        raise SystemExit(str(error)) from None
    up_to_date = f"was up to date: schema version {len(STEPS)}."
    brought = f"was brought from schema version {before or 0} to {len(STEPS)}."
    print(f"The shared store ({used.where}) {up_to_date if before == len(STEPS) else brought}")


def check_database(args: argparse.Namespace) -> None:  # noqa: ARG001
    """Tell whether the shared store has the tables of this version. The exit code is 1 when it has not."""
    try:
        used = store()
        have = used.schema_version()
    except StoreError as error:
        raise SystemExit(str(error)) from None
    told = f"The shared store ({used.where}) has schema version {have or 0}, this code needs {len(STEPS)}"
    if have is None or have < len(STEPS):
        raise SystemExit(f"{told}: run `airflow mkt db upgrade`.")
    if have > len(STEPS):
        raise SystemExit(f"{told}: upgrade the package on this host.")
    print(f"{told}.")


def rotate_fernet_key(args: argparse.Namespace) -> None:  # noqa: ARG001 - Airflow hands over what was typed
    """Encrypt the shared store's secrets with the first of Airflow's Fernet keys.

    It fails when secrets cannot be read for lack of the former key. When there is one, and it does not fit either,
    there is nothing to wait for: they are the rest of an earlier rotation.
    """
    try:
        encryptor = configured_encryptor()
        done = reencrypt_all(store(), encryptor)
    except StoreError as error:
        raise SystemExit(str(error)) from None
    told = f"Encrypted {done.encrypted} secret{'' if done.encrypted == 1 else 's'} with the present key."
    if done.unreadable:
        told += f" {done.unreadable} left as before: no key in [core] fernet_key decrypts it."
        if not (encryptor.rotating and done.encrypted):
            raise SystemExit(f"{told} If they are still needed, add the former key at the end of the list.")
    print(f"{told} The shared store no longer needs the former keys in the list.")


def webhook_secret(args: argparse.Namespace) -> None:
    """Print the secret of a webhook, for a person who wants to enter it elsewhere."""
    try:
        account = _account(args.conn_id)
        secrets = secrets_of(account)
        kept = _chosen(account, secrets, args.webhook_id)
        secret = secrets.secret(kept)
    except AirflowException as error:
        raise SystemExit(str(error)) from None
    if secret is None:
        raise SystemExit(
            f"The secret of webhook {kept.webhook_id} cannot be read with the present [core] fernet_key. Add the "
            "former key at the end of the list, or let the task that ensures the webhook replace it."
        )
    print(secret)  # what was asked for


def _account(conn_id: str) -> Account:
    connection = BaseHook.get_connection(conn_id)
    vendor = next((each for each in installed_vendors() if each.conn_type == connection.conn_type), None)
    if vendor is None:
        raise SystemExit(f"Connection {conn_id!r} has a type of another provider: {connection.conn_type!r}.")
    if vendor.webhooks is None or not vendor.webhooks.signed:
        raise SystemExit(f"{vendor.name} does not sign its deliveries, so its webhooks have no secret.")
    return account_of(vendor, connection)


def _chosen(account: Account, secrets: WebhookSecrets, webhook_id: str | None) -> Kept:
    """Return the webhook of that id, also one that was replaced; without an id the only present one."""
    rows = [each for each in secrets.rows() if each.encrypted is not None]
    found = [each for each in rows if each.webhook_id == webhook_id or (webhook_id is None and not each.retired)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.webhook_id for each in found)
        raise SystemExit(f"There are several webhooks: {ids}. Name one with --webhook-id.")
    what = "no webhook secret" if webhook_id is None else f"no secret of webhook {webhook_id!r}"
    here = " The connection has one in its extra 'webhook_secret'." if account.extras["webhook_secret"] else ""
    raise SystemExit(
        f"The shared store has {what} for connection {account.conn_id!r}. {account.vendor.name} shows a "
        f"secret only to the task that creates the webhook: run one that ensures it.{here}"
    )
