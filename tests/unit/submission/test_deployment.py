# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Two Airflows with one account: neither takes a launch of the other for its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import NEVER_EXPIRE

from airflow_provider_mkt.exceptions import OutcomeUnknownError, StoppedError, ValidationError
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.deployment import deployment
from tests.unit.context import Task
from tests.unit.submission.vendor import Vendor, submit, task_key, unknown

NAME = "AIRFLOW__MKT__DEPLOYMENT"


def post(content: str) -> Any:
    return FlowSocialSchedulePostOperator(task_id="publish", channel_id="channel_1", content=content)


def test_two_deployments_post_each_for_itself(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor answers a key that it knows with the first post, whatever the second one says."""
    ids = []
    for name, content in (("staging", "A test"), ("production", "Open house on Sunday")):
        monkeypatch.setenv(NAME, name)
        ids.append(post(content).execute(Task().context)["post_id"])
    assert len(set(ids)) == 2
    assert len(vendors.ledger("flow_social", "post.created")) == 2


def test_the_name_is_part_of_key_and_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    records = []
    for name in ("staging", "production"):
        monkeypatch.setenv(NAME, name)
        task = Task()
        records.append(submit(task, Vendor()))
        assert task_key(task).reference == f"{name}/launch/{task.run_id}/publish"
    assert len({record.key for record in records}) == 2


def test_a_launch_that_has_begun_keeps_its_name(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = Vendor()
    first = submit(task, vendor)
    monkeypatch.setenv(NAME, "renamed")
    task.clear()
    assert task_key(task).deployment == first.deployment
    assert submit(task, vendor) == first
    # One of the time before there were names has none.
    task.store.set("mkt.submission.0", {**task.record, "deployment": ""}, retention=NEVER_EXPIRE)
    assert task_key(task).reference == f"launch/{task.run_id}/publish"


@pytest.mark.parametrize("sent", [False, True])
def test_a_copy_leaves_what_the_original_has_begun(sent: bool, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = Vendor(script=[(False, unknown() if sent else StoppedError("stopped"))])
    with pytest.raises(OutcomeUnknownError if sent else StoppedError):
        submit(task, vendor)
    if not sent:
        task.store.set("mkt.submission.0", {**task.record, "sent": False}, retention=NEVER_EXPIRE)
    monkeypatch.setenv(NAME, "copy")
    task.clear()
    with pytest.raises(ValidationError, match=r"was begun by the deployment 'tests'; this is 'copy'"):
        submit(task, vendor)
    assert vendor.executed == []


@pytest.mark.parametrize("name", ["a b", "-a", "x" * 41, "a/b", "ä"])
def test_a_name_that_does_not_fit_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, name)
    with pytest.raises(ValidationError, match=r"\[mkt\] deployment is .* it must be a name of up to 40"):
        deployment()


def test_without_a_name_it_is_what_a_copy_of_the_database_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for url, key in (("https://a", "k1"), ("https://b", "k1"), ("https://a", "k2"), ("https://a", "new,k1")):
        monkeypatch.setenv(NAME, "")
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", key)
        names.append(deployment())
    # A rotation puts the new key first, and changes no name.
    assert names[0] == names[3]
    assert len(set(names)) == 3
    assert all("k1" not in name for name in names)


def test_the_key_is_of_its_own_deployment(task: Task) -> None:
    other = replace(task_key(task), deployment="other")
    assert other.names != task_key(task).names
