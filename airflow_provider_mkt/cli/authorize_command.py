# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt authorize``: the owner of a Flodesk account consents in a browser, and all tasks share the tokens.

The browser is sent back to a redirect URI with a code. When that URI is on this machine (RFC 8252, 7.3), this command
listens there; otherwise, and when the browser runs on another machine, the owner pastes the address.
"""

from __future__ import annotations

import argparse
import secrets
from urllib.parse import SplitResult, parse_qs, urlsplit

from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.cli.loopback import Callback
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.encryption import configured_encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens.table import check_writable

MAX_SAID = 200
"""Characters of what the browser brought that are shown."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def authorize(args: argparse.Namespace) -> None:
    """Have the owner consent, and store the tokens. Neither the code nor a token is ever printed."""
    hook = FlodeskHook(args.conn_id)
    state = secrets.token_urlsafe(24)
    try:
        address = hook.authorize_url(args.redirect_uri, state)
        # A consent whose tokens cannot be kept is lost.
        configured_encryptor()
        check_writable(store())
        code = _code(_listened(args, address, state) or _pasted(address, state), state)
    except (AirflowException, StoreError) as error:
        raise SystemExit(str(error)) from None
    except (KeyboardInterrupt, EOFError):
        raise SystemExit("Stopped; nothing was changed.") from None
    _exchange(hook, code, args.redirect_uri)
    print(f"Done. All tasks that use {args.conn_id!r} share the new tokens.")


def _exchange(hook: FlodeskHook, code: str, redirect_uri: str) -> None:
    try:
        hook.exchange_code(code, redirect_uri)
    except (AirflowException, StoreError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(
            "Stopped while the code was exchanged: it may be spent, and the new tokens may be stored or lost. Start "
            "again, and consent once more."
        ) from None


def _listened(args: argparse.Namespace, address: str, state: str) -> dict[str, list[str]] | None:
    """Return what the browser came back with, or None when it has to be pasted."""
    place = _loopback(args.redirect_uri)
    if args.paste or place is None:
        return None
    try:
        callback = Callback(place.hostname or "", place.port or 80, place.path or "/", state)
    except OSError as error:
        print(f"Cannot listen at {args.redirect_uri} ({error.strerror}).")
        return None
    with callback:
        _ask(address)
        print(f"Waiting up to {args.timeout:.0f} s for the browser to come back to {args.redirect_uri} …", flush=True)
        query = callback.wait(args.timeout)
    if query is None:
        print("Nobody came back.")
    return query


def _loopback(redirect_uri: str) -> SplitResult | None:
    parts = urlsplit(redirect_uri)
    return parts if parts.scheme == "http" and parts.hostname in LOOPBACK else None


def _pasted(address: str, state: str) -> dict[str, list[str]]:
    """Return what the owner pastes: the address that the browser came back to. A code alone has no state to check."""
    _ask(address)
    pasted = input("Paste the whole address that the browser was sent back to: ").strip()
    if pasted and "?" not in pasted:
        raise SystemExit("Paste the whole address: what stands beside the code proves that it answers this consent.")
    # What stands before the question mark may be anything: only the query counts.
    return parse_qs(pasted.partition("?")[2].partition("#")[0]) if pasted else {"code": [""], "state": [state]}


def _ask(address: str) -> None:
    print(f"Open this address, sign in and consent:\n\n  {address}\n", flush=True)


def _code(query: dict[str, list[str]], state: str) -> str:
    """Take the code out of what came back, after checking that it answers our own request."""
    if query.get("state") != [state]:
        raise SystemExit("That address does not belong to this consent (its state differs). Start again.")
    if "code" not in query:
        why = Redactor().text(query.get("error", ["no code in the address"])[0], MAX_SAID)
        raise SystemExit(f"The consent was not given: {why}.")
    if len(query["code"]) > 1:
        raise SystemExit("That address has more than one code. Start again.")
    if not query["code"][0]:
        raise SystemExit("Nothing was pasted. Start again.")
    return query["code"][0]
