# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the fence costs a launch, and how much time is left between its answer and the request.

    python -m benchmarks.fence [--launches 300]

A task of a running Airflow launches campaigns at the simulated vendor, one after the other. The fence asks Airflow's
API server through the task's supervisor, as in production. Only a process that freezes between the last look at the
clock and the last byte could still send a request whose place another try has taken. Where the clock stands still as
well, as on some paused virtual machines, it is the time since Airflow's last answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.subjects import ANALYTICS
from tests.integration.airflow import running_airflow

DAGS = Path(__file__).parent / "dags"
ROWS = {
    "launch": "the whole launch",
    "fence": "of which: the fence",
    "confirmed": "from Airflow's last answer to the last byte",
    "looked": "from the last look at the clock to the last byte",
}
WARM_UP = 5
"""Launches that come first and do not count."""
PER_LAUNCH = 2.0
"""Seconds for one launch after which the benchmark is given up."""


def measure(launches: int) -> list[dict[str, float]]:
    """Launch in a task of a running Airflow, and return the seconds of each launch."""
    with running_airflow(DAGS, speed=60.0, lacking=ANALYTICS) as airflow:
        run = airflow.run("fence_launches", "fence", {"launches": launches + WARM_UP})
        state = run.finished(launches * PER_LAUNCH + 120)
        assert state == "success", run.log("launches")[-2_000:]
        found: list[dict[str, float]] = airflow.api.xcom(run, "launches")
        happened = len(airflow.sandbox.ledger("flow_living", "campaign.published"))
        assert happened == launches + WARM_UP, happened
    return found[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=300)
    found = measure(parser.parse_args().launches)
    table = Table("milliseconds", "p50", "p95", "max")
    for name, label in ROWS.items():
        times = sorted(each[name] * 1000 for each in found)
        table.add_row(label, *(f"{times[int(len(times) * share)]:.3f}" for share in (0.5, 0.95)), f"{times[-1]:.3f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
