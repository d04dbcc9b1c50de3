# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions adopt`` and ``forget``: a person settles what a task could not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_mkt.cli import submission_records
from airflow_provider_mkt.cli.console import one_line
from airflow_provider_mkt.control.settling import Settling, SettlingError, UnsureError, settling
from airflow_provider_mkt.submission.summary import printable

WRITER = "airflow mkt submissions"


def adopt_submission(args: argparse.Namespace) -> None:
    """Hand over the ids that a person found at the vendor: the next try attaches to them."""
    with one_line(), _refusals("replace that"):
        found = _settling(args)
        adopted = found.adopt(args.ids, sure=args.yes)
    print(printable(f"Adopted {adopted.receipt}. {found.following}: it attaches to that."))


def forget_submission(args: argparse.Namespace) -> None:
    """Void a record: the next try submits again, under a key of its own."""
    with one_line(), _refusals(""):
        found = _settling(args)
        found.forget(sure=args.yes)
    print(printable(f"Forgotten. {found.following}: it submits again."))


@contextmanager
def _refusals(unsure: str) -> Iterator[None]:
    """End the command with what keeps a record from being settled.

    :param unsure: what ``--yes`` is for
    """
    try:
        yield
    except UnsureError as error:
        raise SystemExit(f"{error}; add --yes to {unsure}." if unsure else f"{error}, then add --yes.") from None
    except SettlingError as error:
        raise SystemExit(str(error)) from None


def _settling(args: argparse.Namespace) -> Settling:
    """Return what the command settles.

    :raises SystemExit: when there is no such record
    """
    api = submission_records.connect(args)
    found = submission_records.one(api, args)
    return settling(api, found.instance, found.number, found.value, WRITER)
