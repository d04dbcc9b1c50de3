# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt webhooks …`` and ``airflow mkt receiver``: what vendors have delivered."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from typing import Any

from airflow_provider_mkt.cli.console import one_line, print_record, print_rows
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.inbox import STATES, Inbox, Row


def list_deliveries(args: argparse.Namespace) -> None:
    """Print the latest deliveries, the newest first."""
    try:
        rows = Inbox().find(args.conn_id or "", args.event or "", [args.state] if args.state else STATES, args.limit)
    except StoreError as error:
        raise SystemExit(str(error)) from None
    print_rows([_shown(row) for row in rows], args.output)


def show_delivery(args: argparse.Namespace) -> None:
    """Print one delivery with its payload, without secrets and personal data unless they are asked for."""
    inbox = Inbox()
    try:
        row = _found(inbox, args.number)
        payload = inbox.payload(row)
    except StoreError as error:
        raise SystemExit(str(error)) from None
    if payload is None:
        raise SystemExit(f"Delivery {row.id} cannot be read with the present [core] fernet_key. Add the former one.")
    shown = payload if args.personal else Redactor().data(payload)
    print_record({**_shown(row), "delivery_id": row.identity, "payload": shown}, args.output)


def replay_delivery(args: argparse.Namespace) -> None:
    """Let deliveries be handed over to Airflow again, such as to a DAG that was written after they came."""
    inbox = Inbox()
    try:
        rows = [_found(inbox, number) for number in args.numbers]
        for row in rows:
            inbox.replay(row.id)
    except StoreError as error:
        raise SystemExit(str(error)) from None
    print(f"{len(rows)} deliveries will be handed over again by Airflow's API server.")


def test_receiver(args: argparse.Namespace) -> None:
    """Deliver a made-up event to a receiver, proved as the vendor would, and print the answer."""
    from airflow_provider_mkt.webhooks.trial import deliver

    with one_line():
        status = deliver(args.conn_id, args.url, args.event)
    print(f"{status}: {'received' if status == 200 else 'not received; the log of the receiver says why'}")
    raise SystemExit(status != 200)


def receiver(args: argparse.Namespace) -> None:
    """Run the receiver alone, until it is stopped."""
    import socket

    import uvicorn  # not needed by other commands

    from airflow_provider_mkt.webhooks.receiver import Receiver

    try:
        socket.getaddrinfo(args.host, args.port)
    except (OSError, UnicodeError) as error:
        told = getattr(error, "strerror", None) or "it is no name of a host"
        raise SystemExit(f"The receiver cannot listen on {args.host!r}: {told}.") from None
    # The access log would show tokens before they are hidden.
    uvicorn.run(Receiver(), host=args.host, port=args.port, access_log=False, lifespan="off", server_header=False)


def _found(inbox: Inbox, number: int) -> Row:
    row = inbox.get(number)
    if row is None:
        raise SystemExit(
            f"There is no delivery {number}; deliveries are kept for 7 days. See: airflow mkt webhooks list"
        )
    return row


def _shown(row: Row) -> dict[str, Any]:
    received = datetime.fromtimestamp(row.received_at, tz=timezone.utc)
    return {
        "number": row.id,
        "connection": row.conn_id,
        "event": row.event,
        "received": received.isoformat(timespec="seconds"),
        "state": row.state,
        "replays": row.replays,
    }
