# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The commands of the launch desk. Imported at every start of the Airflow CLI, as :mod:`.definition` is."""

from __future__ import annotations

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, GroupCommand

from airflow_provider_mkt.cli.loading import command
from airflow_provider_mkt.cli.typed import COUNT, SECONDS, address, some_text, whole

LAUNCHES = "airflow_provider_mkt.cli.launches_command"
LAUNCH_STATES = ("not sent", "leaving", "unknown", "accepted", "done", "refused", "failed", "held", "stopped")

LAUNCHES_LIST = ActionCommand(
    name="list",
    help="What was launched, by all DAGs, the latest first",
    func=command(f"{LAUNCHES}.list_launches"),
    args=(
        Arg(("--vendor",), help="Only at this vendor, such as 'Flow Living'"),
        Arg(("--conn-id",), help="Only through this connection"),
        Arg(("--dag-id",), help="Only by this DAG"),
        Arg(("--run-id",), help="Only by this run"),
        Arg(
            ("--state",),
            nargs="+",
            choices=LAUNCH_STATES,
            metavar="STATE",
            help="Only in these states, such as unknown",
        ),
        Arg(("--since",), help="Only those that began since then: 7d, or a moment such as 2026-06-08T09:00"),
        Arg(("--limit",), type=COUNT, default=100, help="How many at most (default: %(default)s)"),
        ARG_OUTPUT,
    ),
)
LAUNCHES_SHOW = ActionCommand(
    name="show",
    help="All that the register has of one launch",
    func=command(f"{LAUNCHES}.show_launch"),
    args=(Arg(("launch",), help="Its name, or the beginning of it, as listed"), ARG_OUTPUT),
)

STOPPING = "airflow_provider_mkt.cli.stop_command"
REASON = Arg(
    ("--reason",),
    type=some_text,
    required=True,
    help="Why, for the audit trail and for those whose launch is refused",
)
STOP = ActionCommand(
    name="stop",
    help="Let no launch begin any more, and pause or delete what is live; exit with 1 if that is not confirmed",
    func=command(f"{STOPPING}.stop"),
    args=(
        Arg(("--all",), action="store_true", help="Everything"),
        Arg(("--vendor",), help="Only at this vendor, such as 'Flow Living'"),
        Arg(("--connection",), help="Only through this connection"),
        Arg(("--dag",), help="Only by this DAG"),
        Arg(("--run",), help="Only by this run"),
        REASON,
        Arg(("--keep-running",), action="store_true", help="Leave alone what is live at the vendors"),
        Arg(
            ("--patience",),
            type=SECONDS,
            default=60.0,
            help="Seconds for which what is not confirmed is tried again (default: %(default)s)",
        ),
        ARG_OUTPUT,
    ),
)
RESUME = ActionCommand(
    name="resume",
    help="Let launches begin again; what was paused or deleted stays so",
    func=command(f"{STOPPING}.resume"),
    args=(Arg(("number",), nargs="*", type=int, help="The stops to lift, as listed; all when left out"), REASON),
)
STOPS = ActionCommand(
    name="stops",
    help="Every stop there was, who said it, and who lifted it",
    func=command(f"{STOPPING}.list_stops"),
    args=(ARG_OUTPUT,),
)
CAPS = ActionCommand(
    name="caps",
    help="How far the caps on money are used, by which DAGs, and when they reset",
    func=command("airflow_provider_mkt.cli.caps_command.list_caps"),
    args=(
        Arg(("conn_id",), nargs="*", help="Connections; those that have spent something when left out"),
        ARG_OUTPUT,
    ),
)
REPORT = ActionCommand(
    name="report",
    help="A summary of launches for people without Airflow: one HTML file, without personal data",
    func=command("airflow_provider_mkt.cli.report_command.write_report"),
    args=(
        Arg(("--html",), required=True, metavar="FILE", help="Where to write it; a former one is replaced"),
        Arg(
            ("--days",),
            type=whole(1, 36_500),
            default=30,
            help="How far back launches are counted (default: %(default)s)",
        ),
    ),
)

PLAN = ActionCommand(
    name="plan",
    help="Every request that briefs, calendars and audiences would send, when, and for how much; it sends nothing",
    func=command("airflow_provider_mkt.cli.plan_command.plan"),
    args=(
        Arg(("files",), nargs="+", metavar="FILE", help="A brief (.yaml), a calendar or an audience (.csv, .jsonl)"),
        Arg(("--launch",), help="Moment of the launch, such as 2026-12-01T09:00 (UTC); by default now"),
        Arg(("--online",), action="store_true", help="Ask the vendors what the launch asks before its first step"),
        Arg(("--conf",), help="Connections in place of the default ones, segment_ids of an audience: a JSON object"),
        Arg(("--dag-id",), help="The DAG that launches it; by default the example DAG for such a file"),
        Arg(("--run-id",), help="The run that launches it: orders and reports are named by it"),
        Arg(("--against",), help="The run to compare with; by default the last one that launched the same"),
        Arg(("--group-id",), help="The task group in which the tasks are, where their names begin with it"),
        ARG_OUTPUT,
    ),
)

ANSWERING = "airflow_provider_mkt.cli.approvals_command"
ASK = Arg(("ask",), help="The question, or the beginning of its name, as listed")
AIRFLOW = Arg(
    ("--api-url",),
    type=address,
    help="Address of Airflow's API server (default: [api] base_url); AIRFLOW_API_TOKEN signs in",
)
APPROVALS = (
    ActionCommand(
        name="list",
        help="What waits for a person before it is launched",
        func=command(f"{ANSWERING}.list_approvals"),
        args=(Arg(("--all",), action="store_true", help="Also what was answered, and how"), ARG_OUTPUT),
    ),
    ActionCommand(
        name="show",
        help="Exactly what would be sent",
        func=command(f"{ANSWERING}.show_approval"),
        args=(ASK, ARG_OUTPUT),
    ),
    ActionCommand(
        name="approve",
        help="Let exactly this be sent",
        func=command(f"{ANSWERING}.approve"),
        args=(ASK, Arg(("--reason",), default="", help="Why, for the audit trail"), AIRFLOW),
    ),
    ActionCommand(
        name="refuse",
        help="Let the task fail, and send nothing",
        func=command(f"{ANSWERING}.refuse"),
        args=(ASK, REASON, AIRFLOW),
    ),
)


def desk_commands() -> list[ActionCommand | GroupCommand]:
    """Return the commands of the launch desk."""
    launches = GroupCommand(
        name="launches", help="What was launched, by all DAGs", subcommands=(LAUNCHES_LIST, LAUNCHES_SHOW)
    )
    approvals = GroupCommand(
        name="approvals", help="What waits for a person before it is launched", subcommands=APPROVALS
    )
    return [PLAN, launches, approvals, STOP, RESUME, STOPS, CAPS, REPORT]
