# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``python -m scripts.demo demo|up|down|status``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.demo import commands
from scripts.demo.layout import Layout
from scripts.demo.vendors import SIGN_IN

DAG_ID = "mkt_campaign_launch"
SPEED = 60.0
RUN_TIMEOUT = 300.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", description=__doc__)
    subcommands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("demo", "run a launch, show what happened, leave nothing behind"),
        ("up", "run a launch and stay up"),
    ):
        one = subcommands.add_parser(name, help=text)
        one.add_argument("--dag", default=DAG_ID, help="the DAG to run (%(default)s)")
        one.add_argument("--conf", type=json.loads, default={}, help="the run's conf as JSON (%(default)s)")
        one.add_argument("--dags", type=Path, help="the folder that Airflow parses (the project's dags/)")
        one.add_argument("--speed", type=float, default=SPEED, help="seconds at the vendors per second (%(default)s)")
        one.add_argument("--wait-on-workers", action="store_true", help="wait on workers instead of in the triggerer")
        one.add_argument("--timeout", type=float, default=RUN_TIMEOUT, help="seconds the run may take (%(default)s)")
    subcommands.add_parser("down", help="end what is running")
    subcommands.add_parser("status", help="tell what is running")
    return parser


def main() -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args()
    if options.command == "down":
        return commands.down(Layout.of())
    if options.command == "status":
        return commands.status(Layout.of())
    launch = commands.Launch(
        dag_id=options.dag,
        conf=options.conf,
        speed=options.speed,
        deferrable=not options.wait_on_workers,
        timeout=options.timeout,
        vendors=tuple(SIGN_IN) if options.dag == DAG_ID else (),
        whole=options.dag == DAG_ID,
    )
    return commands.begin(Layout.of(dags=options.dags), options.command, launch)


if __name__ == "__main__":
    sys.exit(main())
