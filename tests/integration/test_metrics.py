# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Metrics arrive from real tasks and from a real triggerer, as Airflow sends them."""

from __future__ import annotations

from tests.integration.airflow import Airflow, until
from tests.statsd import StatsdServer

PUBLISH = "mkt.requests,vendor=flow_living,method=POST,route=/campaigns/publish,outcome=answered"
LOOK = "mkt.requests,vendor=flow_living,method=GET,route=/campaigns/status/"


def number(statsd: StatsdServer, beginning: str) -> int:
    return len(statsd.lines(f"airflow.{beginning}"))


def test_a_launch_and_its_wait_are_counted(airflow: Airflow, statsd: StatsdServer) -> None:
    """Nothing else of this Airflow publishes at the same time: the tests before this one wait for their runs."""
    before = {name: number(statsd, name) for name in (PUBLISH, "mkt.submissions.submitted")}
    run = airflow.run("publish_and_stay_deferred", "counted")
    run.wait_for("publish", {"deferred"})
    for name, had in before.items():
        assert number(statsd, name) == had + 1
    assert number(statsd, "mkt.budget.used,vendor=flow_living,budget=publish,account=") >= 1
    looks = number(statsd, LOOK)
    until("the triggerer's looks", lambda: number(statsd, LOOK) >= looks + 2, 120)
    assert run.tasks()["publish"].state == "deferred"
    airflow.api.fail(run, "publish")


def test_nothing_that_identifies_anybody_is_sent(airflow: Airflow, statsd: StatsdServer) -> None:
    sent = "\n".join(statsd.lines())
    assert sent
    for connection in airflow.sandbox.connections.values():
        extra = (connection.get("extra") or {}).values()
        for secret in (connection.get("login"), connection.get("password"), *extra):
            if isinstance(secret, str) and len(secret) > 8:
                assert secret not in sent
    assert "@" not in sent
    assert "counted" not in sent
