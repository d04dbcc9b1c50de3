# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Launches under a real scheduler and triggerer: finished, killed, stopped, cleared."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from scripts.demo.http import call
from scripts.demo.vendors import SIGN_IN
from tests.integration.airflow import PATIENCE, Airflow, Run, until
from tests.integration.conftest import LAUNCH, POKING

pytestmark = pytest.mark.timeout(900)
LAUNCH_TIMEOUT = 300.0
NOT_LAUNCHES = {"token.issued", "campaign.status_updated"}
WAITING = ("sync_attribution", "wait_until_live", "wait_for_delivery", "wait_for_report")
EFFECTS = {
    ("flow_living", "campaign.published"): 2,
    ("flow_social", "post.created"): 6,
    ("flokit", "sync.started"): 2,
    ("flinque", "report.generated"): 2,
}
TIMEOUTS = {
    "publish_deferred_until_timeout": "TaskDeferralTimeout",
    "publish_poking_until_timeout": "AirflowTaskTimeout",
}
numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def launches(airflow: Airflow) -> dict[str, Run]:
    """What takes a minute, most of it waiting, begins with the first test: both launches, and waits without an end."""
    return {
        **{dag_id: airflow.run(dag_id, dag_id) for dag_id in TIMEOUTS},
        LAUNCH: airflow.run(LAUNCH, "launch-deferred"),
        POKING: airflow.run(POKING, "launch-poking", {"brief": "hill_homes.yaml"}),
    }


def published(run: Run) -> list[list[str]]:
    """Return the tracking ids of every time that this run's campaign was published."""
    return [entry["ids"] for entry in run.airflow.sandbox.ledger("flow_living", "campaign.published", run.run_id)]


def paused(run: Run) -> list[str]:
    """Return which of this run's tracking ids were paused."""
    updates = run.airflow.sandbox.ledger("flow_living", "campaign.status_updated")
    ours = {each for ids in published(run) for each in ids}
    return sorted(entry["ids"][0] for entry in updates if entry["ids"][0] in ours and entry["ids"][1] == "paused")


def wait_until_live(run: Run) -> list[str]:
    """Wait until the vendor shows the campaign as published: only then it can be paused."""
    ids = until("the publishing", lambda: published(run))[0]
    connection = run.airflow.sandbox.connections["flow_living_default"]
    headers = SIGN_IN["flow_living"](connection)

    def live() -> bool:
        urls = [f"{connection['host']}/campaigns/status/{each}" for each in ids]
        return all(call("GET", url, headers=headers, timeout=PATIENCE)["status"] == "published" for url in urls)

    until("the campaign to be live", live)
    return sorted(ids)


def start(airflow: Airflow, dag_id: str, **conf: object) -> Run:
    return airflow.run(dag_id, f"{dag_id}-{next(numbers)}", conf)


def test_marking_a_deferred_publish_as_failed_pauses_the_campaign(airflow: Airflow) -> None:
    run = start(airflow, "publish_and_stay_deferred")
    run.wait_for("publish", {"deferred"})
    until("the trigger", lambda: ") starting" in run.log("publish"))
    ids = wait_until_live(run)
    airflow.api.fail(run, "publish")
    until("the campaign to be paused", lambda: paused(run) == ids)
    assert run.tasks()["publish"].state == "failed"
    assert len(published(run)) == 1


def test_marking_a_poking_publish_as_failed_pauses_the_campaign(airflow: Airflow) -> None:
    run = start(airflow, "publish_and_stay_poking")
    run.wait_for("publish", {"running"})
    ids = wait_until_live(run)
    until("the receipt", lambda: run.record("publish")["state"] == "submitted")
    airflow.api.fail(run, "publish")
    until("the campaign to be paused", lambda: paused(run) == ids)
    assert run.tasks()["publish"].state == "failed"
    assert len(published(run)) == 1


def test_clearing_a_finished_publish_attaches_to_it(airflow: Airflow) -> None:
    run = start(airflow, "publish_only")
    assert run.finished(PATIENCE) == "success"
    first = airflow.api.xcom(run, "publish", "campaign_tracking_ids")
    airflow.api.clear(run, "publish")
    run.wait_for("publish", {"success"}, more_than=1)
    assert airflow.api.xcom(run, "publish", "campaign_tracking_ids") == first
    assert published(run) == [first]
    assert "attaching to" in run.log("publish")


def test_clearing_publishes_anew_when_the_run_says_so(airflow: Airflow) -> None:
    run = start(airflow, "publish_only", mkt_resubmit=True)
    assert run.finished(PATIENCE) == "success"
    first = published(run)
    assert len(first) == 1, "the first time there is nothing to publish anew"
    airflow.api.clear(run, "publish")
    run.wait_for("publish", {"success"}, more_than=1)
    assert len(published(run)) == 2
    assert airflow.api.xcom(run, "publish", "campaign_tracking_ids") == published(run)[1]
    assert run.record("publish")["generation"] == 2


@pytest.mark.parametrize("dag_id", [LAUNCH, POKING])
def test_launch_succeeds(dag_id: str, launches: dict[str, Run]) -> None:
    run = launches[dag_id]
    assert run.finished(LAUNCH_TIMEOUT) == "success", run.tasks()
    deferred = {task_id for task_id in WAITING if "Pausing task as DEFERRED" in run.log(task_id)}
    # The sync is looked at right after it was triggered; what the other waits find depends on how long their task took
    # to start.
    assert deferred >= {"sync_attribution"} if dag_id == LAUNCH else not deferred


def test_launches_happened_exactly_once(airflow: Airflow, launches: dict[str, Run]) -> None:
    for dag_id in (LAUNCH, POKING):
        launches[dag_id].finished(LAUNCH_TIMEOUT)
    ours = [
        entry
        for entry in airflow.sandbox.ledger()
        if entry["effect"] not in NOT_LAUNCHES and not str(entry["reference"]).startswith("publish_")
    ]
    times = Counter((entry["vendor"], entry["effect"], entry["reference"]) for entry in ours)
    assert set(times.values()) == {1}, times.most_common(3)
    found = Counter((entry["vendor"], entry["effect"]) for entry in ours)
    assert {key: found[key] for key in EFFECTS} == EFFECTS
    assert found["flodesk", "subscriber.created"] == 64 + 3


@pytest.mark.proof
def test_a_dead_triggerer_neither_cancels_nor_repeats(airflow: Airflow) -> None:
    run = start(airflow, "publish_deferred")
    run.wait_for("publish", {"deferred"})
    until("the trigger", lambda: ") starting" in run.log("publish"))
    airflow.kill_triggerer()
    assert run.tasks()["publish"].state == "deferred"
    airflow.start_triggerer()
    assert run.finished(PATIENCE) == "success"
    assert run.tasks()["publish"].tries == 1
    assert len(published(run)) == 1
    assert paused(run) == []


@pytest.mark.parametrize("dag_id", TIMEOUTS)
def test_a_timeout_does_not_cancel(dag_id: str, launches: dict[str, Run]) -> None:
    run = launches[dag_id]
    assert run.finished(PATIENCE) == "failed"
    assert TIMEOUTS[dag_id] in run.log("publish")
    wait_until_live(run)
    assert len(published(run)) == 1
    assert paused(run) == []
