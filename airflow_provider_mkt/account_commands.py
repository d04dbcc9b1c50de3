# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt authorize`` and ``airflow mkt budgets``: what all tasks of an account share."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import asdict
from urllib.parse import parse_qs, urlsplit

from airflow.cli.simple_table import AirflowConsole

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.state.budget import snapshot
from airflow_provider_mkt.state.troubles import StoreError


def authorize(args: argparse.Namespace) -> None:
    """Have the owner of a Flodesk account consent in a browser, and store the tokens for all tasks."""
    hook = FlodeskHook(args.conn_id)
    state = secrets.token_urlsafe(24)
    try:
        if not hook.account.extras["refresh_token"]:
            raise SystemExit(
                f"Connection {args.conn_id!r} has no extra 'refresh_token' yet. Add one with any text, such as "
                "'pending': it names the account in the shared store, where the tokens of this consent replace it."
            )
        print(f"Open this address, sign in and consent:\n\n  {hook.authorize_url(args.redirect_uri, state)}\n")  # noqa: T201
        back = input("Paste the address that the browser was sent back to: ").strip()
        hook.exchange_code(_code(back, state), args.redirect_uri)
    except (ApiError, StoreError) as error:
        raise SystemExit(str(error)) from None
    print(f"Done. All tasks that use {args.conn_id!r} share the new tokens.")  # noqa: T201


def _code(back: str, state: str) -> str:
    """Take the code out of the address, after checking that it answers our own request."""
    query = parse_qs(urlsplit(back).query)
    if query.get("state") != [state]:
        raise SystemExit("That address does not belong to this consent (its state differs). Start again.")
    if "code" not in query:
        raise SystemExit(f"The consent was not given: {query.get('error', ['no code in the address'])[0]}.")
    return query["code"][0]


def budgets(args: argparse.Namespace) -> None:
    """Print how much of each rate budget is in use."""
    try:
        uses = snapshot()
    except StoreError as error:
        raise SystemExit(str(error)) from None
    AirflowConsole().print_as(data=[asdict(use) for use in uses], output=args.output)
