# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The command line, light enough to be imported by any other command."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_mkt.sandbox.address import url_host

DEFAULT_PORT = 8095
IN_USE = 3
"""Exit code when the port is taken."""
WRONG = 2
"""Exit code when an option makes no sense."""


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 1e6:
        raise argparse.ArgumentTypeError("must be a number greater than 0")
    return speed


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return port


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("must look like http://sandbox:8095")
    return text.rstrip("/")


def _switch(text: str) -> tuple[str, Any]:
    name, given, value = text.partition("=")
    if not name or not given:
        raise argparse.ArgumentTypeError("must look like flow_social.early_posts=true")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sandbox's options on a parser."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="port to listen on, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--speed", type=_speed, default=1.0, help="how many times faster than real the vendors work (default: 1)"
    )
    parser.add_argument(
        "--switch",
        type=_switch,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change an assumed fact from the start, such as flow_social.early_posts=true; may be repeated",
    )
    parser.add_argument("--public-url", type=_url, metavar="URL", help="address under which clients reach the sandbox")
    parser.add_argument("--webhooks-to", metavar="URL", help="where all webhooks go, such as http://127.0.0.1:8080")
    parser.add_argument(
        "--print-connections", action="store_true", help="print the Airflow connections as JSON and exit"
    )
    parser.add_argument("--log-requests", action="store_true", help="print one line for each vendor request")


def run(args: argparse.Namespace) -> int:
    """Do what the options say: print the connections, or serve until interrupted.

    :return: exit code; 0 after an interrupt, 2 for a wrong switch or target, 3 when the address cannot be used
    """
    if args.print_connections:
        from airflow_provider_mkt.sandbox.connections import connections  # heavy

        base = args.public_url or f"http://{url_host(args.host)}:{args.port}"
        print(json.dumps(connections(base), indent=2))
        return 0
    from airflow_provider_mkt.sandbox.address import AddressError, listen  # heavy
    from airflow_provider_mkt.sandbox.server import serve  # heavy
    from airflow_provider_mkt.sandbox.simulation import Simulation  # heavy

    try:
        simulation = Simulation(args.speed, switches=dict(args.switch), webhooks_to=args.webhooks_to)
    except ValueError as error:
        print(f"Cannot start the sandbox: {error}", file=sys.stderr)
        return WRONG
    try:
        listener = listen(args.host, args.port)
    except AddressError as error:
        print(f"Cannot start the sandbox: {error}", file=sys.stderr)
        return IN_USE
    port = listener.getsockname()[1]
    address = f"http://{url_host(args.host)}:{port}"

    def announce() -> None:
        print(
            f"Sandbox of the marketing vendors at {args.public_url or address} (speed {args.speed:g}); "
            f"ledger of side effects: {address}/__sandbox__/ledger; stop with Ctrl-C",
            flush=True,
        )

    serve(
        listener,
        host=args.host,
        simulation=simulation,
        public_url=args.public_url,
        log_requests=args.log_requests,
        ready=announce,
    )
    return 0
