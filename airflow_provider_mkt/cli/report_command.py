# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt report``: a summary of launches for people without Airflow."""

from __future__ import annotations

import argparse

from airflow.sdk import ObjectStoragePath

from airflow_provider_mkt.cli.console import one_line
from airflow_provider_mkt.cli.launches_command import refusals
from airflow_provider_mkt.control import report
from airflow_provider_mkt.files.atomic import AtomicFile


def write_report(args: argparse.Namespace) -> None:
    """Write the summary into a file, whole or not at all."""
    with refusals(), one_line():
        text = report.html(args.days)
        with AtomicFile(ObjectStoragePath(args.html)) as file:
            file.write(text.encode())
            file.seal()
            file.commit()
    print(f"Wrote {args.html}.")
