# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt …``. Imported at every start of the Airflow CLI, so the work is imported when a command runs."""

from __future__ import annotations

import argparse
from typing import TypeVar

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, CLICommand, GroupCommand

from airflow_provider_mkt.cli.desk_definition import desk_commands
from airflow_provider_mkt.cli.loading import command
from airflow_provider_mkt.cli.typed import COUNT, DAYS, PORT, SECONDS, address

Command = TypeVar("Command", bound=CLICommand)

SETTLING = "airflow_provider_mkt.cli.submissions_command"
VIEW = "airflow_provider_mkt.cli.submissions_view"

DAG_ID = Arg(("dag_id",), help="The DAG")
API_URL = Arg(
    ("--api-url",),
    type=address,
    help="Address of Airflow's API server (default: [api] base_url); AIRFLOW_API_TOKEN signs in",
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
    func=command("airflow_provider_mkt.cli.check_command.check"),
    args=(
        Arg(("files",), nargs="+", metavar="FILE", help="A brief (.yaml), a calendar or an audience (.csv, .jsonl)"),
        Arg(("--launch",), help="Moment of the launch, such as 2026-12-01T09:00 (UTC); by default now"),
        ARG_OUTPUT,
    ),
)

SUBMISSIONS = (
    ActionCommand(
        name="list",
        help="What tasks have submitted, over all DAGs or one, by time, and how it stands",
        func=command(f"{VIEW}.list_submissions"),
        args=(
            Arg(("dag_id",), nargs="?", help="Only this DAG"),
            Arg(("--run-id",), help="Only this run of the DAG"),
            Arg(("--runs",), type=COUNT, help="How many of the latest runs to look at (default: 5 of one DAG)"),
            Arg(("--days",), type=DAYS, help="Runs of how many days to look at (default: 7 over all DAGs)"),
            Arg(
                ("--unsettled",),
                action="store_true",
                help="Only those that may wait for a person; the exit status is 3 when there are any",
            ),
            API_URL,
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="show",
        help="The record of one submission, its body without secrets and personal data",
        func=command(f"{VIEW}.show_submission"),
        args=(*PLACE, ARG_OUTPUT),
    ),
    ActionCommand(
        name="adopt",
        help="It did happen: hand over the vendor's ids, so that the next try attaches to them",
        func=command(f"{SETTLING}.adopt_submission"),
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
        func=command(f"{SETTLING}.forget_submission"),
        args=(*PLACE, YES),
    ),
)


ACCOUNTS = (
    ActionCommand(
        name="authorize",
        help="Have the owner of a Flodesk account consent (OAuth), and store the tokens for all tasks",
        func=command("airflow_provider_mkt.cli.authorize_command.authorize"),
        args=(
            Arg(("conn_id",), help="The connection, with the client id as login and the client secret as password"),
            Arg(
                ("--redirect-uri",),
                default="http://127.0.0.1:8769/callback",
                help="Redirect URI, exactly as registered with the vendor (default: %(default)s). One on this machine "
                "is listened to; otherwise the address that the browser comes back to is pasted",
            ),
            Arg(("--paste",), action="store_true", help="Do not listen: the browser runs on another machine"),
            Arg(("--timeout",), type=SECONDS, default=300.0, help="Seconds to listen (default: %(default)s)"),
        ),
    ),
    ActionCommand(
        name="budgets",
        help="How much of each vendor's rate limit is in use, by all tasks together; or forget limits and waits",
        func=command("airflow_provider_mkt.cli.shared_state_command.budgets"),
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
                help="Only of this connection, or of an account or vendor as shown; of all when left out",
            ),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="rotate-fernet-key",
        help="Encrypt the shared store's secrets with the first key in [core] fernet_key, the new one",
        func=command("airflow_provider_mkt.cli.shared_state_command.rotate_fernet_key"),
        args=(),
    ),
    ActionCommand(
        name="webhook-secret",
        help="Print the secret of a webhook that was created from here",
        func=command("airflow_provider_mkt.cli.shared_state_command.webhook_secret"),
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
        func=command("airflow_provider_mkt.cli.shared_state_command.upgrade_database"),
        args=(),
    ),
    ActionCommand(
        name="check",
        help="Tell whether the shared store can be reached and has the tables of this version; change nothing",
        func=command("airflow_provider_mkt.cli.shared_state_command.check_database"),
        args=(),
    ),
)

WEBHOOKS_MODULE = "airflow_provider_mkt.cli.webhooks_command"
WEBHOOKS = (
    ActionCommand(
        name="list",
        help="What vendors have delivered in the last 7 days, the newest first",
        func=command(f"{WEBHOOKS_MODULE}.list_deliveries"),
        args=(
            Arg(("--conn-id",), help="Only deliveries to this connection"),
            Arg(("--event",), help="Only this event"),
            Arg(
                ("--state",),
                choices=("pending", "handed over", "no consumer", "unreadable"),
                help="Only in this state; 'no consumer' is what no DAG was scheduled on",
            ),
            Arg(("--limit",), type=COUNT, default=100, help="How many at most (default: %(default)s)"),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="show",
        help="One delivery with its payload",
        func=command(f"{WEBHOOKS_MODULE}.show_delivery"),
        args=(
            Arg(("number",), type=int, help="The delivery, as listed"),
            Arg(("--personal",), action="store_true", help="Show personal data as well"),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="replay",
        help="Hand deliveries over again, such as to a DAG that was written after they came",
        func=command(f"{WEBHOOKS_MODULE}.replay_delivery"),
        args=(Arg(("numbers",), type=int, nargs="+", help="The deliveries, as listed"),),
    ),
    ActionCommand(
        name="test",
        help="Deliver a made-up event to a receiver, with the connection's real secret or token",
        func=command(f"{WEBHOOKS_MODULE}.test_receiver"),
        args=(
            Arg(("conn_id",), help="The connection"),
            Arg(
                ("--url",),
                type=address,
                default="http://127.0.0.1:8080/mkt",
                help="Address of the receiver, up to and with /mkt (default: %(default)s)",
            ),
            Arg(("--event",), default="webhook.test", help="Name of the event (default: %(default)s)"),
        ),
    ),
)

DOCTOR = ActionCommand(
    name="doctor",
    help="Check connections, store, clock, plugin, versions and settings; the exit status is 1 when something is wrong",
    func=command("airflow_provider_mkt.cli.doctor_command.doctor"),
    args=(
        Arg(("--offline",), action="store_true", help="Ask no vendor: check connections without trying them"),
        ARG_OUTPUT,
    ),
)

RECEIVER = ActionCommand(
    name="receiver",
    help="Receive webhooks in a process of its own, where Airflow's API server is not public",
    func=command(f"{WEBHOOKS_MODULE}.receiver"),
    args=(
        Arg(("--host",), default="127.0.0.1", help="Address to listen on (default: %(default)s)"),
        Arg(("--port",), type=PORT, default=8790, help="Port to listen on (default: %(default)s)"),
    ),
)


def get_mkt_commands() -> list[CLICommand]:
    """Return the provider's commands for Airflow's CLI."""
    submissions = GroupCommand(name="submissions", help="What tasks have submitted to vendors", subcommands=SUBMISSIONS)
    database = GroupCommand(name="db", help="The tables of the shared store", subcommands=DATABASE)
    webhooks = GroupCommand(name="webhooks", help="What vendors have delivered", subcommands=WEBHOOKS)
    commands = [CHECK, DOCTOR, SANDBOX, RECEIVER, *ACCOUNTS, database, submissions, webhooks, *desk_commands()]
    return [_as_text(GroupCommand(name="mkt", help="Marketing platforms", subcommands=commands))]


def _as_text(command: Command) -> Command:
    """Return the command with helps that are shown as they are written: to Airflow's formatter, "[core]" is markup."""
    if isinstance(command, GroupCommand):
        inner = [_as_text(each) for each in command.subcommands]
        return command._replace(help=_escaped(command.help), subcommands=inner)
    return command._replace(help=_escaped(command.help), args=[_Text(arg) for arg in command.args])


class _Text(Arg):
    """An argument whose help is shown as it is written."""

    def __init__(self, arg: Arg) -> None:
        self._arg, self.flags, self.kwargs = arg, arg.flags, arg.kwargs

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        before = len(parser._actions)  # noqa: SLF001 - argparse names what it has just added in no other way
        self._arg.add_to_parser(parser)
        for action in parser._actions[before:]:  # noqa: SLF001
            if action.help:
                action.help = _escaped(action.help)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
