# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The records of submissions, as Airflow's REST API shows them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from airflow.sdk import conf

from airflow_provider_mkt.cli.airflow_api import AirflowApi
from airflow_provider_mkt.control.settling import Instance, numbers
from airflow_provider_mkt.submission.record import PREFIX

MAX_RUNS = 5
"""Runs of one DAG that are listed when nothing else is asked for."""
DAYS = 7.0
"""How far back all DAGs are listed when nothing else is asked for."""


class Found(NamedTuple):
    """A record where it was found.

    :param instance: the task instance
    :param number: number of the submission within the task
    :param value: what is in the store
    """

    instance: Instance
    number: str
    value: Any


def connect(args: argparse.Namespace) -> AirflowApi:
    """Return the API server that the command names."""
    base = args.api_url or conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return AirflowApi(base, os.environ.get("AIRFLOW_API_TOKEN"))


def instance_of(args: argparse.Namespace) -> Instance:
    """Return the task instance that the command names."""
    return Instance(args.dag_id, args.run_id, args.task_id, args.map_index)


def found(api: AirflowApi, args: argparse.Namespace) -> Iterator[Found]:
    """Yield the records of the runs that the command names: of one run, of one DAG's latest runs, or of all DAGs."""
    foreign: dict[str, frozenset[str]] = {}
    for dag_id, run_id in _runs(api, args):
        if dag_id not in foreign:
            foreign[dag_id] = api.tasks_of_airflow(dag_id)
        for each in api.task_instances(dag_id, run_id):
            if each["task_id"] in foreign[dag_id]:
                continue
            instance = Instance(dag_id, run_id, str(each["task_id"]), int(each["map_index"]))
            for number, value in numbers(api, instance).items():
                yield Found(instance, number, value)


def _runs(api: AirflowApi, args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if args.run_id:
        if not args.dag_id:
            raise SystemExit("Name the DAG that the run belongs to: airflow mkt submissions list <dag> --run-id <run>")
        return iter([(args.dag_id, args.run_id)])
    one_dag = args.dag_id is not None
    days = args.days if args.days is not None or one_dag or args.runs is not None else DAYS
    since = None if days is None else (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()
    most = MAX_RUNS if args.runs is None and one_dag and days is None else args.runs
    return api.runs(args.dag_id, most, since)


def one(api: AirflowApi, args: argparse.Namespace) -> Found:
    """Return the record that the command names.

    :raises SystemExit: when there is none
    """
    value = api.state(instance_of(args)).get(f"{PREFIX}{args.number}")
    if value is None:
        raise SystemExit(
            f"Task {args.task_id!r} in run {args.run_id!r} of DAG {args.dag_id!r} has no submission {args.number}; "
            f"'airflow mkt submissions list {args.dag_id}' shows what there is."
        )
    return Found(instance_of(args), args.number, value)
