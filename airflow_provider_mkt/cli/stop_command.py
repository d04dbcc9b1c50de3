# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt stop`` and ``airflow mkt resume``."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from airflow.sdk.exceptions import AirflowException
from airflow.utils.cli import action_cli
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_mkt import clock
from airflow_provider_mkt.cli.console import logged, print_rows
from airflow_provider_mkt.cli.launches_command import NAMED, refusals
from airflow_provider_mkt.control import stopping
from airflow_provider_mkt.control.ending import PAUSE, Ending, end_all
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import SCOPE, VARIABLE, Stop, Stops, stop_of
from airflow_provider_mkt.submission.record import moment
from airflow_provider_mkt.submission.summary import printable

VARIABLES = "airflow.models.variable"
"""It logs a traceback of what is told in a line here: that Airflow's database is away."""


@action_cli(check_db=False)  # type: ignore[untyped-decorator]
def stop(args: argparse.Namespace) -> None:
    """Let no launch begin any more, then end what is live; exit with 1 when something is not confirmed."""
    scope = _scope(args)
    wanted = stop_of({**scope, "reason": args.reason, "stopped_by": getpass.getuser()})
    _keep(wanted)
    number = _patiently(lambda: Stops().add(scope, args.reason, wanted.stopped_by), args.patience)
    if number is None:
        raise SystemExit(
            "The stop is not in the shared store: processes that reach it still launch. Run the command again."
        )
    _say(f"Stop {number} is in force for {wanted.scope}: in at most 5 s nothing begins any more.")
    with suppress(StoreError):
        _doubt(wanted)
    if args.keep_running:
        return
    try:
        ending = end_all(wanted, args.patience, _say)
    except StoreError as error:
        raise SystemExit(f"{error} What is live is not known. Run the command again.") from None
    if not ending.launches and not ending.unread:
        _say("Nothing of it is live at a vendor.")
    rows = [
        {
            "launch": each.launch.launch[:NAMED],
            "result": each.state,
            "told": each.told,
            "what": each.launch.what,
            "vendor": each.launch.vendor,
            "reference": each.launch.reference,
        }
        for each in ending.launches.values()
    ]
    if rows or args.output in ("json", "yaml"):
        print_rows(rows, args.output)
    _end(ending)


def _end(ending: Ending) -> None:
    """End the command, with what is not confirmed or not known."""
    problems = [ending.unread] if ending.unread else []
    if ending.rest:
        problems.insert(0, f"{ending.rest} of {len(ending.launches)} launches are not confirmed.")
    if problems:
        raise SystemExit(" ".join([*problems, "Run the command again, or look there."]))


@action_cli(check_db=False)  # type: ignore[untyped-decorator]
def resume(args: argparse.Namespace) -> None:
    """Lift stops, so that launches may begin again; what was ended at the vendors stays so."""
    try:
        with refusals(), logged(VARIABLES, []):
            found = stopping.lift(args.reason, getpass.getuser(), args.number or ())
    except (SQLAlchemyError, AirflowException) as error:
        raise SystemExit(f"{_not_written(error)}. The stops stay in force. Run the command again.") from None
    for each in found:
        _say(f"Stop {each.id} for {each.scope} is lifted. What was paused or deleted stays so.")
    if not found:
        raise SystemExit("No such stop is in force; 'airflow mkt stops' lists them.")


def list_stops(args: argparse.Namespace) -> None:
    """Print every stop there was, the latest last."""
    with refusals():
        rows = [
            {
                "stop": each.id,
                "for": each.scope,
                "reason": each.reason,
                "by": each.stopped_by,
                "since": moment(each.stopped_at),
                "lifted": "" if each.lifted_at is None else f"{moment(each.lifted_at)} by {each.lifted_by}",
                "why_lifted": each.lift_reason or "",
            }
            for each in Stops().all()
        ]
    print_rows(rows, args.output)


def _keep(wanted: Stop) -> None:
    """Have Airflow's variable hold a stop. Where that cannot be, the shared store alone has to do."""
    with logged(VARIABLES, []):
        why = stopping.keep(wanted)
    if why:
        _say(f"{why}: the stop is only in the shared store. Run the command again later.")
    else:
        _say(f"Airflow's variable {VARIABLE!r} holds the stop for {wanted.scope}.")


def _not_written(error: Exception) -> str:
    return f"Airflow's database cannot be used ({type(error).__name__}), so its variable {VARIABLE!r} is as it was"


def _doubt(wanted: Stop) -> None:
    """Say so when a stop is for what nobody has launched yet: its name may be written wrongly.

    :raises StoreError: when the store fails
    """
    named: dict[str, Any] = {name: getattr(wanted, name) or None for name in SCOPE}
    if any(named.values()) and not Register().find(limit=1, **named):
        _say(f"The register has no launch of {wanted.scope}. Check the names: the stop is for exactly these.")


def _scope(args: argparse.Namespace) -> dict[str, str]:
    """Return what a stop is for.

    :raises SystemExit: when nothing is named without ``--all``, or what there cannot be
    """
    named = {"vendor": args.vendor, "conn_id": args.connection, "dag_id": args.dag, "run_id": args.run}
    try:
        scope = stopping.checked_scope(named)
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    if any(scope.values()) == args.all:
        raise SystemExit("Name what to stop: --all alone, or --vendor, --connection, --dag and --run together.")
    return scope


def _patiently(do: Callable[[], int], patience: float) -> int | None:
    """Do something in the store, again while it is away; None when it stays away."""
    deadline = clock.monotonic() + patience
    while True:
        try:
            return do()
        except StoreError as error:
            _say(str(error))
            if clock.monotonic() + PAUSE > deadline:
                return None
        clock.sleep(PAUSE)


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)
