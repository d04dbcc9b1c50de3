# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Runs of DAGs on the cluster, what the vendors saw of them, and how much of a limit they used."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from scripts.demo.layout import PROJECT
from tests.distributed.cluster import Cluster
from tests.integration.airflow import FINISHED, until
from tests.integration.conftest import replaced

log = logging.getLogger(__name__)
UNDER_LOAD = 12
"""Posts of a load: more than both workers run at once, so that some wait, some run and some are deferred."""
DUE = 600.0
"""Seconds until the posts of a load go out: so soon that waits look at them all the time. When all of them wait, the
test moves the vendors' clock there."""
BEGUN = 240.0
"""Seconds within which a load has begun, after whatever the test before has done to the cluster."""
ALL_WAIT = 400.0
"""Seconds within which all of a load wait: those of a lost worker begin again after a minute or two."""
NOT_OVER = "SELECT count(*) FROM task_instance WHERE state IN ('queued', 'running', 'deferred', 'scheduled')"
numbers = count(1)


def write_dags(folder: Path) -> None:
    """Put the project's DAGs and ours together; the calendar is short, and all waits look every few seconds."""
    shutil.copytree(PROJECT / "dags", folder, dirs_exist_ok=True)
    shutil.copytree(Path(__file__).parent / "dags", folder, dirs_exist_ok=True)
    changes = {
        "mkt_social_calendar.py": {"poke_interval=timedelta(minutes=5)": "poke_interval=3"},
        "mkt_campaign_launch.py": {f'"{name}": 15': f'"{name}": 3' for name in ("poll_interval", "poke_interval")},
    }
    for name, words in changes.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in words.items():
            text = replaced(text, old, new)
        (folder / name).write_text(text, encoding="utf-8")
    rows = folder / "calendars" / "spring.csv"
    rows.write_text("".join(rows.read_text(encoding="utf-8").splitlines(keepends=True)[:5]), encoding="utf-8")


class Load:
    """A run of a DAG, and what the vendors saw of it.

    :param cluster: where it runs
    :param dag_id: the DAG
    :param conf: the run's conf
    """

    def __init__(self, cluster: Cluster, dag_id: str, **conf: Any) -> None:
        self.cluster, self.dag_id, self.run_id = cluster, dag_id, f"run{next(numbers):02}"
        until(f"the DAG {dag_id}", lambda: cluster.api.has_dag(dag_id))
        cluster.api.start(dag_id, self.run_id, conf)

    def rows(self, effect: str) -> list[dict[str, Any]]:
        """Return what the vendors did for this run."""
        return [row for row in self.cluster.sandbox.ledger(effect=effect) if self.run_id in str(row["reference"])]

    def launched(self, effect: str) -> Counter[str]:
        """Count the launches of this run by their reference."""
        return Counter(row["reference"] for row in self.rows(effect))

    def moments(self, effect: str) -> list[float]:
        """Return when the launches of this run happened, in Unix seconds, the first one first."""
        texts = (row["at"].replace("Z", "+00:00") for row in self.rows(effect))
        return sorted(datetime.fromisoformat(text).timestamp() for text in texts)

    def reached(self, effect: str, number: int) -> None:
        """Wait until some launches were made."""

        def there() -> bool:
            self.cluster.check()
            return self.launched(effect).total() >= number

        until(f"{number} launches", there, BEGUN)

    def waits(self, task_id: str, number: int) -> None:
        """Wait until so many instances of a task are deferred at the same time."""

        def there() -> bool:
            self.cluster.check()
            return self.states()[f"{task_id} deferred"] == number

        until(f"{number} waits of {task_id}", there, ALL_WAIT)

    def states(self) -> Counter[str]:
        """Count its tasks by their state."""
        return Counter(f"{one.task_id} {one.state}" for one in self.cluster.api.task_states(self.dag_id, self.run_id))

    def tried_again(self) -> int:
        """Count the tries of its tasks after the first."""
        return sum(max(0, one.tries - 1) for one in self.cluster.api.task_states(self.dag_id, self.run_id))

    def ended(self) -> str | None:
        """Return its final state, None while it runs."""
        self.cluster.check()
        state = self.cluster.api.run_state(self.dag_id, self.run_id)
        return state if state in FINISHED else None

    def succeeds(self, within: float = 400.0) -> None:
        """Wait for its end, after which nothing of it is left over."""
        assert until(f"the end of {self.dag_id}", self.ended, within) == "success", self.states()
        assert self.cluster.sql(f"{NOT_OVER} AND run_id = '{self.run_id}'") == "0", self.states()


def posts(cluster: Cluster) -> Load:
    """Begin a load of posts, each scheduled on a worker and waited for in a triggerer."""
    cluster.sandbox.switch(flow_social__early_posts=False)
    load = Load(cluster, "distributed_posts", launches=UNDER_LOAD, due=DUE)
    load.reached("post.created", 2)
    return load


def ends_well(load: Load) -> None:
    """Everything of the load is launched, each once, and waits in a triggerer; it happens, and nothing is left over."""
    load.waits("post", UNDER_LOAD)
    load.cluster.sandbox.advance(DUE)
    load.succeeds()
    launched = load.launched("post.created")
    assert len(launched) == UNDER_LOAD
    assert set(launched.values()) == {1}, launched.most_common(3)


def in_whole_windows(moments: Sequence[float], window: float, limit: int) -> tuple[int, int]:
    """Count the requests of the whole windows that follow each other from the first request on.

    A strict vendor takes ``limit`` in each of them at most, so the part that was used cannot pass 100 %. The window of
    the last request is left out, as it was not over.

    :param moments: when the requests were made, in seconds, the first one first
    :param window: seconds
    :return: how many were made, and how many were permitted
    """
    number = int((moments[-1] - moments[0]) // window)
    return sum(moment - moments[0] < number * window for moment in moments), number * limit
