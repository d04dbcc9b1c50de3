# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt …``. Imported at every start of the Airflow CLI, so the work is imported when a command runs."""

from __future__ import annotations

import argparse

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

COMMANDS = "airflow_provider_mkt.cli.submissions_command"

DAG_ID = Arg(("dag_id",), help="The DAG")
API_URL = Arg(
    ("--api-url",),
    help="Address of Airflow's API server (default: base_url of section api); AIRFLOW_API_TOKEN signs in",
)
PLACE = (
    DAG_ID,
    Arg(("run_id",), help="The DAG run"),
    Arg(("task_id",), help="The task"),
    Arg(("--map-index",), type=int, default=-1, help="Index of a mapped task"),
    Arg(("--number",), default="0", help="Number of the submission within the task, as listed (default: %(default)s)"),
    API_URL,
)
YES = Arg(("-y", "--yes"), action="store_true", help="Do it although that may have consequences")


class _SandboxArguments(Arg):
    """All options of the sandbox, which defines them itself: it also runs without Airflow."""

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        from airflow_provider_mkt.sandbox.command import add_arguments

        add_arguments(parser)


def _sandbox(args: argparse.Namespace) -> None:
    from airflow_provider_mkt.sandbox.command import run

    raise SystemExit(run(args))


SANDBOX = ActionCommand(
    name="sandbox",
    help="Simulate the vendors over HTTP, for development and tests",
    func=_sandbox,
    args=(_SandboxArguments(flags=("--port",)),),  # type: ignore[no-untyped-call]
)

CHECK = ActionCommand(
    name="check",
    help="Check briefs, calendars and audiences, and say what they would launch when; it asks no vendor",
    func=lazy_load_command("airflow_provider_mkt.cli.check_command.check"),
    args=(
        Arg(("files",), nargs="+", metavar="FILE", help="A brief (.yaml), a calendar or an audience (.csv, .jsonl)"),
        Arg(("--launch",), help="Moment of the launch, such as 2026-12-01T09:00 (UTC); by default now"),
        ARG_OUTPUT,
    ),
)

SUBMISSIONS = (
    ActionCommand(
        name="list",
        help="What the latest runs of a DAG have submitted, and how it stands",
        func=lazy_load_command(f"{COMMANDS}.list_submissions"),
        args=(
            DAG_ID,
            Arg(("--run-id",), help="Only this run"),
            Arg(("--runs",), type=int, default=5, help="How many runs to look at (default: %(default)s)"),
            Arg(("--unsettled",), action="store_true", help="Only those whose outcome is unknown"),
            API_URL,
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="show",
        help="The record of one submission",
        func=lazy_load_command(f"{COMMANDS}.show_submission"),
        args=PLACE,
    ),
    ActionCommand(
        name="adopt",
        help="It did happen: hand over the vendor's ids, so that the next try attaches to them",
        func=lazy_load_command(f"{COMMANDS}.adopt_submission"),
        args=(
            *PLACE,
            Arg(
                ("--ids",),
                nargs="+",
                required=True,
                help="The vendor's ids; for a batch one for each part, in its order, - where there is none",
            ),
            YES,
        ),
    ),
    ActionCommand(
        name="forget",
        help="It did not happen: void the record, so that the next try submits again",
        func=lazy_load_command(f"{COMMANDS}.forget_submission"),
        args=(*PLACE, YES),
    ),
)


ACCOUNTS = (
    ActionCommand(
        name="authorize",
        help="Have the owner of a Flodesk account consent (OAuth), and store the tokens for all tasks",
        func=lazy_load_command("airflow_provider_mkt.cli.authorize_command.authorize"),
        args=(
            Arg(("conn_id",), help="The connection, with the client id as login and the client secret as password"),
            Arg(
                ("--redirect-uri",),
                default="http://127.0.0.1:8769/callback",
                help="Redirect URI, exactly as registered with the vendor (default: %(default)s). One on this machine "
                "is listened to; otherwise the address that the browser comes back to is pasted",
            ),
            Arg(("--paste",), action="store_true", help="Do not listen: the browser runs on another machine"),
            Arg(("--timeout",), type=float, default=300.0, help="Seconds to listen (default: %(default)s)"),
        ),
    ),
    ActionCommand(
        name="budgets",
        help="How much of each vendor's rate limit is in use, by all tasks together; or forget limits and waits",
        func=lazy_load_command("airflow_provider_mkt.cli.shared_state_command.budgets"),
        args=(
            Arg(
                ("what",),
                nargs="?",
                choices=("show", "reset"),
                default="show",
                help="reset: forget the limits that vendors stated and the waits that they asked for",
            ),
            Arg(
                ("account",),
                nargs="?",
                help="With reset: a connection, or the beginning of a label as shown; all accounts when left out",
            ),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="rotate-fernet-key",
        help="Encrypt the shared store's secrets with the new Fernet key, once it is put before the former one",
        func=lazy_load_command("airflow_provider_mkt.cli.shared_state_command.rotate_fernet_key"),
        args=(),
    ),
    ActionCommand(
        name="webhook-secret",
        help="Print the secret of a webhook that was created from here",
        func=lazy_load_command("airflow_provider_mkt.cli.shared_state_command.webhook_secret"),
        args=(
            Arg(("conn_id",), help="The connection that it was created with"),
            Arg(("--webhook-id",), help="The vendor's id of the webhook, when there are several"),
        ),
    ),
)


DATABASE = (
    ActionCommand(
        name="upgrade",
        help="Make or bring forward the shared store's tables, so that tasks need no right to do it",
        func=lazy_load_command("airflow_provider_mkt.cli.shared_state_command.upgrade_database"),
        args=(),
    ),
    ActionCommand(
        name="check",
        help="Tell whether the shared store can be reached and has the tables of this version; change nothing",
        func=lazy_load_command("airflow_provider_mkt.cli.shared_state_command.check_database"),
        args=(),
    ),
)

WEBHOOKS_MODULE = "airflow_provider_mkt.cli.webhooks_command"
WEBHOOKS = (
    ActionCommand(
        name="list",
        help="What vendors have delivered in the last 7 days, the newest first",
        func=lazy_load_command(f"{WEBHOOKS_MODULE}.list_deliveries"),
        args=(
            Arg(("--conn-id",), help="Only deliveries to this connection"),
            Arg(("--event",), help="Only this event"),
            Arg(
                ("--state",),
                choices=("pending", "handed over", "no consumer", "unreadable"),
                help="Only in this state; 'no consumer' is what no DAG was scheduled on",
            ),
            Arg(("--limit",), type=int, default=100, help="How many at most (default: %(default)s)"),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="show",
        help="One delivery with its payload",
        func=lazy_load_command(f"{WEBHOOKS_MODULE}.show_delivery"),
        args=(
            Arg(("number",), type=int, help="The delivery, as listed"),
            Arg(("--personal",), action="store_true", help="Show personal data as well"),
        ),
    ),
    ActionCommand(
        name="replay",
        help="Hand deliveries over again, such as to a DAG that was written after they came",
        func=lazy_load_command(f"{WEBHOOKS_MODULE}.replay_delivery"),
        args=(Arg(("numbers",), type=int, nargs="+", help="The deliveries, as listed"),),
    ),
    ActionCommand(
        name="test",
        help="Deliver a made-up event to a receiver, with the connection's real secret or token",
        func=lazy_load_command(f"{WEBHOOKS_MODULE}.test_receiver"),
        args=(
            Arg(("conn_id",), help="The connection"),
            Arg(
                ("--url",),
                default="http://127.0.0.1:8080/mkt",
                help="Address of the receiver, up to and with /mkt (default: %(default)s)",
            ),
            Arg(("--event",), default="webhook.test", help="Name of the event (default: %(default)s)"),
        ),
    ),
)

RECEIVER = ActionCommand(
    name="receiver",
    help="Receive webhooks in a process of its own, where Airflow's API server is not public",
    func=lazy_load_command(f"{WEBHOOKS_MODULE}.receiver"),
    args=(
        Arg(("--host",), default="127.0.0.1", help="Address to listen on (default: %(default)s)"),
        Arg(("--port",), type=int, default=8790, help="Port to listen on (default: %(default)s)"),
    ),
)


def get_mkt_commands() -> list[CLICommand]:
    """Return the provider's commands for Airflow's CLI."""
    submissions = GroupCommand(name="submissions", help="What tasks have submitted to vendors", subcommands=SUBMISSIONS)
    database = GroupCommand(name="db", help="The tables of the shared store", subcommands=DATABASE)
    webhooks = GroupCommand(name="webhooks", help="What vendors have delivered", subcommands=WEBHOOKS)
    commands = [CHECK, SANDBOX, RECEIVER, *ACCOUNTS, database, submissions, webhooks]
    return [GroupCommand(name="mkt", help="Marketing platforms", subcommands=commands)]
