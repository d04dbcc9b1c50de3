# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The services of docker-compose.yaml under load, while each of them dies in turn: all of it happens once, and ends."""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from tests.distributed.cluster import CONNECTIONS, Cluster, connections, missing, running_cluster
from tests.distributed.faults import FAULTS, TRIED_AGAIN
from tests.distributed.load import NOT_OVER, Load, ends_well, in_whole_windows, posts, write_dags
from tests.integration.airflow import until
from tests.integration.state.crowd import Strict, consume, crowd, serve

log = logging.getLogger(__name__)
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
HELP = f"not here: {', '.join(missing())}"
pytestmark = [pytest.mark.skipif(bool(missing()) and not IN_CI, reason=HELP), pytest.mark.timeout(900)]
PER_MINUTE = 30
"""What the vendor takes for campaigns here: what two cores can start beside all else that runs on them."""
WINDOW = 60.0
LAUNCHES = 200
GOAL = 0.95
"""The part of what is permitted that is used at least."""
PROCESSES = 120
FEW = 0.01
"""The part of the requests that may be refused where 120 processes get no processor in time."""
FOR_THE_STORE = 20
"""Connections of the role of the tasks, out of 60."""
ACCOUNTS = {"cr_1": "account_a", "cr_2": "account_a_again", "cr_3": "account_b"}
"""Connections by the creator that is read through them. The first two hold the same credential."""
READS = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    assert not missing(), HELP
    dags = tmp_path_factory.mktemp("dags")
    write_dags(dags)
    begin = time.monotonic()
    with running_cluster(dags) as running:
        log.info("from nothing to healthy: %.0f s", time.monotonic() - begin)
        found = connections(running)
        social = {**found["flow_social_default"], "extra": {"requests_per_minute": 100_000}}
        alone = found["flow_living_default"]
        extra = {name: value for name, value in alone["extra"].items() if not name.startswith("analytics")}
        alone = {**alone, "extra": {**extra, "requests_per_minute": PER_MINUTE}}
        first = found["flinque_default"]
        second = {**first, "login": "sandbox-flinque-client-2", "password": "sandbox-flinque-secret-2"}
        own = {"living_alone": alone, "account_a": first, "account_a_again": first, "account_b": second}
        running.api.add_connections({**found, "flow_social_default": social, **own})
        limit = {"limit": PER_MINUTE, "window": WINDOW}
        running.sandbox.limits({"*": None, "flow_living.default": limit})
        yield running


def test_launches_share_one_budget_over_both_workers(cluster: Cluster) -> None:
    load = Load(cluster, "distributed_campaigns", launches=LAUNCHES)
    load.succeeds(1.3 * WINDOW * LAUNCHES / PER_MINUTE + 120.0)
    launched = load.launched("campaign.published")
    assert len(launched) == LAUNCHES
    assert set(launched.values()) == {1}
    refused = [row for row in cluster.sandbox.requests() if row["status"] == 429]
    assert refused == []
    moments = load.moments("campaign.published")
    made, permitted = in_whole_windows(moments, WINDOW, PER_MINUTE)
    log.info(
        "%s launches at %s a minute in %.0f s, no refusal; in the whole minutes %s of %s permitted: %.1f %%",
        LAUNCHES,
        PER_MINUTE,
        moments[-1] - moments[0],
        made,
        permitted,
        100 * made / permitted,
    )
    assert made >= GOAL * permitted
    workers = [cluster.containers[f"airflow-worker-{number}"] for number in range(2)]
    assert all("succeeded" in worker.log.read_text(encoding="utf-8") for worker in workers)


def test_connections_share_a_budget_and_a_token_exactly_when_they_are_the_same_credential(cluster: Cluster) -> None:
    seen = max((row["seq"] for row in cluster.sandbox.requests()), default=0)
    accounts = [{"conn_id": conn_id, "creator": creator} for creator, conn_id in ACCOUNTS.items()]
    Load(cluster, "distributed_accounts", accounts=accounts * READS).succeeds()
    requests = cluster.sandbox.requests(vendor="flinque", since=seen)
    tokens: dict[str, list[str]] = defaultdict(list)
    for row in requests:
        if (creator := row["path"].rpartition("/")[2]) in ACCOUNTS:
            tokens[creator].append(row["headers"]["authorization"])
    assert {creator: len(used) for creator, used in tokens.items()} == dict.fromkeys(ACCOUNTS, READS)
    assert set(tokens["cr_1"]) == set(tokens["cr_2"])
    assert len(set(tokens["cr_1"])) == len(set(tokens["cr_3"])) == 1
    assert set(tokens["cr_1"]) != set(tokens["cr_3"])
    assert sum(row["path"].endswith("/oauth/token") for row in requests) == 2
    assert cluster.sql("SELECT count(*) FROM mkt_budget WHERE label LIKE 'flinque %'", "mkt") == "2"


def test_the_example_dags_succeed(cluster: Cluster) -> None:
    calendar, launch = Load(cluster, "mkt_social_calendar"), Load(cluster, "mkt_campaign_launch")
    until("the calendar", lambda: calendar.states()["wait_for_delivery deferred"] or calendar.ended())
    cluster.sandbox.advance(90 * 86_400.0)
    launch.succeeds()
    calendar.succeeds()


@pytest.mark.parametrize("fault", FAULTS)
def test_everything_happens_once_whatever_dies(cluster: Cluster, fault: str) -> None:
    begin = time.monotonic()
    load = posts(cluster)
    FAULTS[fault](cluster)
    ends_well(load)
    again = load.tried_again()
    log.info("%s: each once, in %.0f s, %s tries again", fault, time.monotonic() - begin, again)
    assert again or fault not in TRIED_AGAIN


def test_a_hundred_and_twenty_processes_leave_airflow_its_connections(cluster: Cluster) -> None:
    """The server has 60 connections for all of Airflow, Celery and the store."""
    assert cluster.sql("SHOW max_connections") == str(CONNECTIONS)
    cluster.sql(f"ALTER ROLE mkt CONNECTION LIMIT {FOR_THE_STORE}")
    url = (cluster.here.secrets / "mkt-url").read_text(encoding="utf-8")
    # More than there are processes: nobody gets a slot of the next window before this one's requests have arrived.
    strict = Strict(Limit(150, 20.0))
    load = posts(cluster)
    with serve(lambda path: (*strict.arrive(path), b"{}")) as base:
        arguments = [(url, base, strict.limit, 1.0, f"p{number}", 0.0, None) for number in range(PROCESSES)]
        with crowd(consume, arguments):
            until("three windows", lambda: len(strict.accepted) >= 3 * strict.limit.requests)
            busy = int(cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'mkt'"))
            ends_well(load)
    log.info("%s processes: %s", PROCESSES, strict.told(60.0, {who for _, who in strict.accepted}))
    assert 0 < busy <= FOR_THE_STORE
    # As documented: where a machine wakes processes later than the margin covers, a few may arrive in the next window.
    refused, accepted, late = strict.refused.total(), len(strict.accepted), strict.late
    assert refused == 0 or late > MARGIN
    assert refused <= FEW * accepted
    assert strict.counts(60.0).total() <= strict.permitted(60.0)


def test_nothing_is_left_and_workers_hold_no_rights(cluster: Cluster) -> None:
    assert cluster.sql(NOT_OVER) == "0"
    worker = cluster.containers["airflow-worker-0"].environment
    assert not [name for name in worker if "SQL_ALCHEMY_CONN" in name]
    for role in ("mkt", "mkt_owner", "celery"):
        allowed = cluster.sql(f"SELECT has_database_privilege('{role}', 'airflow', 'CONNECT')")
        assert allowed == "f", f"{role} may connect to Airflow's database"
    assert cluster.sql("SELECT has_schema_privilege('mkt', 'public', 'CREATE')", "mkt") == "f"
    until("idle connections to be closed", lambda: cluster.sql(IDLE) == "0")


IDLE = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mkt'"


@pytest.mark.parametrize("name", ["airflow-dag-processor", "airflow-triggerer-1", "airflow-worker-1"])
def test_health_checks_pass(cluster: Cluster, name: str) -> None:
    cluster.healthy(name)
