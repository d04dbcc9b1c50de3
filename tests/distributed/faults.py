# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is done to the cluster while it works. Each leaves it whole: what died runs again, what froze is thawed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from tests.distributed.cluster import Cluster
from tests.distributed.containers import send
from tests.integration.airflow import until

WITHOUT_VENDORS = 60.0
"""Seconds."""
BUSIEST = """
    SELECT job.hostname FROM trigger JOIN job ON job.id = trigger.triggerer_id
    GROUP BY job.hostname ORDER BY count(*) DESC LIMIT 1
"""


def kill(cluster: Cluster, name: str) -> None:
    """End a container at once, and start it again."""
    cluster.containers[name].kill()
    cluster.restart(name)


def restart_redis(cluster: Cluster) -> None:
    """Stop the broker as ``docker stop`` does, and start it again with what it has on disk."""
    cluster.containers["redis"].stop()
    cluster.restart("redis")


def restart_postgres(cluster: Cluster) -> None:
    """A fast shutdown: every connection is cut."""
    server = cluster.containers["postgres"]
    first = next(each for each in server.processes() if each.ppid() == os.getpid())
    send(signal.SIGINT, [first])
    until("PostgreSQL's end", lambda: server.ended() is not None)
    cluster.restart("postgres")


def without_vendors(cluster: Cluster) -> None:
    """Every request is cut off before the vendor has read it."""
    cluster.sandbox.fault("* /flow-social/*", "drop_before", count=None)
    time.sleep(WITHOUT_VENDORS)  # what is attacked is the time itself
    cluster.sandbox.clear_faults()


def kill_a_worker(cluster: Cluster) -> None:
    """End one that is at work."""
    at_work(cluster, "airflow-worker-1")
    kill(cluster, "airflow-worker-1")


def kill_a_triggerer(cluster: Cluster) -> None:
    """End the one that holds more of the waits."""
    kill(cluster, until("waits in a triggerer", lambda: cluster.sql(BUSIEST)))


def freeze_a_worker(cluster: Cluster) -> None:
    """Stop a worker that is at work until Airflow has given its tasks up, and let it go on beside their next tries."""
    name = "airflow-worker-0"
    at_work(cluster, name)
    cluster.containers[name].freeze()
    until("its tasks to be given up", lambda: running_on(cluster, name) == 0)
    cluster.containers[name].thaw()


def at_work(cluster: Cluster, worker: str) -> None:
    """Wait until several tasks run on a worker."""
    until(f"tasks on {worker}", lambda: running_on(cluster, worker) > 1)


def running_on(cluster: Cluster, worker: str) -> int:
    """Count the tasks that run on a worker, as far as Airflow knows."""
    return int(cluster.sql(f"SELECT count(*) FROM task_instance WHERE state = 'running' AND hostname = '{worker}'"))


FAULTS: dict[str, Callable[[Cluster], None]] = {
    "worker killed": kill_a_worker,
    "triggerer killed": kill_a_triggerer,
    "scheduler killed": lambda cluster: kill(cluster, "airflow-scheduler"),
    "API server killed": lambda cluster: kill(cluster, "airflow-apiserver"),
    "Redis restarted": restart_redis,
    "PostgreSQL restarted": restart_postgres,
    "vendors gone for 60 s": without_vendors,
    "worker frozen beyond its heartbeat": freeze_a_worker,
}
TRIED_AGAIN = frozenset({"worker killed", "worker frozen beyond its heartbeat"})
"""Faults after which Airflow has to give tasks up: with them, others of the same launches begin."""
