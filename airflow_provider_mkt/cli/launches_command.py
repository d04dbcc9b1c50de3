# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt launches``: what all DAGs have launched, also runs that were deleted. It asks the shared store."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.cli.console import print_record, print_rows
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.launch import MILLS, STATES, Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.record import moment

NAMED = 8
"""Characters of a launch's name that are shown; so many also find it."""


@contextmanager
def refusals() -> Iterator[None]:
    """End the command with the store's words instead of a traceback."""
    try:
        yield
    except (StoreError, ValidationError) as error:
        raise SystemExit(str(error)) from None


def list_launches(args: argparse.Namespace) -> None:
    """Print a line for each launch, the latest first."""
    with refusals():
        register = Register()
        found = register.find(
            states=args.state or STATES,
            limit=args.limit,
            vendor=_vendor(register, args.vendor),
            conn_id=args.conn_id,
            dag_id=args.dag_id,
            run_id=args.run_id,
            since=_since(args.since),
        )
    print_rows([row(each) for each in found], args.output, [short(each) for each in found])


def show_launch(args: argparse.Namespace) -> None:
    """Print all that the register has of one launch."""
    with refusals():
        launch = one(Register(), args.launch)
    shown: dict[str, Any] = {name: value for name, value in asdict(launch).items() if value not in ("", None)}
    for name in ("begun_at", "changed_at", "counted_at"):
        if name in shown:
            shown[name] = moment(shown[name])
    if launch.amount is not None:
        shown["amount"] = launch.amount / MILLS
    if launch.vendor_ids:
        shown["vendor_ids"] = _ids(launch)
    if args.output == "table":
        print_record(shown, args.output)
    else:
        print_rows([shown], args.output)


def one(register: Register, beginning: str) -> Launch:
    """Return the only launch whose name begins so.

    :raises SystemExit: when there is none, or more than one
    """
    found = register.starting_with(beginning) if beginning else []
    if len(found) == 1:
        return found[0]
    what = "several launches begin" if found else "no launch begins"
    raise SystemExit(f"In the register {what} with {beginning!r}; 'airflow mkt launches list' shows them.")


def row(launch: Launch) -> dict[str, Any]:
    """Return what a list shows of a launch."""
    task = launch.task_id if launch.map_index < 0 else f"{launch.task_id} [{launch.map_index}]"
    return {
        "launch": launch.launch[:NAMED],
        "time": moment(launch.begun_at),
        "state": launch.state,
        "what": launch.what,
        "amount": money(launch.amount, launch.currency),
        "goes_live": launch.goes_live,
        "vendor": launch.vendor,
        "dag": launch.dag_id,
        "run": launch.run_id,
        "task": task,
        "by": launch.triggered_by,
        "approved_by": launch.approved_by,
    }


def short(launch: Launch) -> dict[str, Any]:
    """Return what of it fits the width of a terminal."""
    shown = row(launch)
    task = f"{shown['dag']}.{shown['task']}"
    return {**{name: shown[name] for name in ("launch", "time", "state", "what", "amount", "vendor")}, "task": task}


def money(mills: int | None, currency: str) -> str:
    """Return an amount for people; "" where there is none."""
    return "" if mills is None else f"{mills / MILLS:,.2f} {currency}".rstrip()


def _ids(launch: Launch) -> Any:
    try:
        return json.loads(launch.vendor_ids)
    except ValueError:
        return f"{launch.vendor_ids}…"


def _vendor(register: Register, given: str | None) -> str | None:
    """Return the vendor's name, by its name or connection type; also that of one which is not installed any more.

    :raises ValidationError: when there is no such vendor, and the register has none
    """
    from airflow_provider_mkt.control.stopping import vendor_named

    if not given or register.find(limit=1, vendor=given):
        return given
    return vendor_named(given)


def _since(given: str | None) -> float | None:
    """Return the moment that ``--since`` names: a number of days, or a date.

    :raises ValidationError: when it is neither, or more days than a calendar has
    """
    if not given:
        return None
    if given.endswith("d") and given[:-1].isdecimal():
        if len(given) > len("99999d"):
            raise ValidationError(f"--since {given[:20]} is too long ago; at most 99,999 days are allowed.")
        return (datetime.now(timezone.utc) - timedelta(days=int(given[:-1]))).timestamp()
    return validation.parsed("--since", given).timestamp()
