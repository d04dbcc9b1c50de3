# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt …``. Imported at every start of the Airflow CLI, so the work is imported when a command runs."""

from __future__ import annotations

import argparse

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand


class _SandboxArguments(Arg):
    """All options of the sandbox, which defines them itself: it also runs without Airflow."""

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        from airflow_provider_mkt.sandbox.command import add_arguments  # noqa: PLC0415

        add_arguments(parser)


def _sandbox(args: argparse.Namespace) -> None:
    from airflow_provider_mkt.sandbox.command import run  # noqa: PLC0415

    raise SystemExit(run(args))


def get_mkt_commands() -> list[CLICommand]:
    """Return the provider's commands for Airflow's CLI."""
    sandbox = ActionCommand(
        name="sandbox",
        help="Simulate all five vendors over HTTP, for development and tests",
        func=_sandbox,
        args=(_SandboxArguments(flags=("--port",)),),  # type: ignore[no-untyped-call]
    )
    return [GroupCommand(name="mkt", help="Marketing platforms", subcommands=[sandbox])]
