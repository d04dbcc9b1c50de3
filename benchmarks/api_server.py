# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What this package costs Airflow's API server: its start, and its memory, beside a server that does not know it.

    python -m benchmarks.api_server [--runs 7] [--most 5]

Real servers with one worker start by turns, with the package and with it hidden. Each answers some of Airflow's own
routes, then the pages of the control room. The least CPU until the first answer is compared: other work on the machine
can only add to it. The least elapsed time is shown beside it. Memory is the median of what a process has for itself
(USS).

Exits with 1 when the start or the memory, with every page opened, grows by more than ``--most`` percent.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from scripts.demo import processes, services
from scripts.demo.http import HttpStatusError, UnreachableError, call
from scripts.demo.layout import PROJECT, Layout

OURS, NOBODYS = "airflow_provider_mkt-", "no such package"
HIDING = """
import sys
from importlib import import_module, util
for name in ("importlib.metadata", "importlib_metadata"):
    if util.find_spec(name):
        module = import_module(name)
        module.distributions = lambda there=module.distributions, hidden=sys.argv[1], **which: (
            each for each in there(**which) if hidden not in str(getattr(each, "_path", ""))
        )
"""
"""Has Airflow find no plugin and no provider of this package. Before Python 3.12 it reads metadata by the backport.

Both servers look for something to hide, so that looking for it costs both of them the same.
"""
SERVER = """
import sys
sys.argv = ["airflow", "api-server"]
from airflow.__main__ import main
main()
"""
AIRFLOW_ROUTES = ("/api/v2/dags", "/api/v2/dags/~/dagRuns", "/api/v2/plugins", "/ui/config")
PAGES = ("launches", "calendar", "budgets", "deliveries", "stop")
READY_WITHIN = 240.0
LOOK_EVERY = 0.02
MIB = 1024 * 1024


class Cost(NamedTuple):
    """What one server took.

    :param cpu: seconds of CPU until it answered
    :param elapsed: seconds until it answered
    :param started: MiB then, and after some of Airflow's own routes
    :param opened: MiB with every page of the control room opened; the same where there is none
    """

    cpu: float
    elapsed: float
    started: float
    opened: float


def measure(layout: Layout, base: str, *, hidden: bool) -> Cost:
    """Start a server, and return what it took."""
    with _server(layout, hidden=hidden) as server:
        begun = time.monotonic()
        _wait(server, f"{base}/api/v2/version")
        elapsed, cpu = time.monotonic() - begun, _cpu(server)
        token = call("GET", f"{base}/auth/token", timeout=READY_WITHIN)["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answers = {path: call("GET", f"{base}{path}", headers=headers, timeout=READY_WITHIN) for path in AIRFLOW_ROUTES}
        known = "mkt control room" in str(answers["/api/v2/plugins"])
        if known is hidden:
            raise RuntimeError(f"the package is {'not hidden' if known else 'not installed'}, so nothing is compared")
        started = _memory(server)
        for page in () if hidden else PAGES:
            _open(f"{base}/mkt-ui/{page}", token)
        return Cost(cpu, elapsed, started, _memory(server))


@contextmanager
def _server(layout: Layout, *, hidden: bool) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-c", HIDING + SERVER, OURS if hidden else NOBODYS]
    with processes.log_path(layout, "api-server").open("ab") as log:
        server = psutil.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=layout.airflow,
            env=services.environment(layout),
        )
    try:
        yield server
    finally:
        for each in [*server.children(recursive=True), server]:
            each.terminate()
        server.wait(READY_WITHIN)


def _wait(server: psutil.Popen, url: str) -> None:
    end = time.monotonic() + READY_WITHIN
    while True:
        try:
            call("GET", url)
        except (UnreachableError, HttpStatusError):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Airflow's API server does not answer ({server.poll()})") from None
            time.sleep(LOOK_EVERY)
        else:
            return


def _open(url: str, token: str) -> None:
    import requests

    answer = requests.get(url, cookies={"_token": token}, timeout=READY_WITHIN)
    answer.raise_for_status()


def _family(server: psutil.Popen) -> list[Any]:
    return [server, *server.children(recursive=True)]


def _cpu(server: psutil.Popen) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in _family(server))


def _memory(server: psutil.Popen) -> float:
    return sum(each.memory_full_info().uss for each in _family(server)) / MIB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--most", type=float, default=5.0, help="percent that are acceptable")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mkt-server-") as home:
        layout = Layout(PROJECT, Path(home) / "airflow", Path(home))
        addresses = services.Addresses(*processes.free_ports(2))
        layout.start_clean()
        services.write_settings(layout, addresses, deferrable=True)
        subprocess.run(services.MIGRATE, env=services.environment(layout), check=True, capture_output=True)
        for hidden in (True, False):  # compiles, and fills the system's cache of files
            measure(layout, addresses.airflow, hidden=hidden)
        costs: dict[bool, list[Cost]] = {True: [], False: []}
        for run in range(arguments.runs):
            for hidden in (True, False) if run % 2 else (False, True):
                costs[hidden].append(measure(layout, addresses.airflow, hidden=hidden))
    return report(costs[True], costs[False], arguments.most)


def report(hidden: list[Cost], there: list[Cost], most: float) -> int:
    """Print, and return the exit code."""
    without, with_it = _typical(hidden), _typical(there)
    print("Airflow's API server              without     with it    more")
    for name, unit in (("cpu", "s"), ("elapsed", "s"), ("started", "MiB"), ("opened", "MiB")):
        one, other = getattr(without, name), getattr(with_it, name)
        print(f"{LABELS[name]:31} {one:6.2f} {unit:3} {other:6.2f} {unit:3} {_more(one, other):5.1f} %")
    grown = max(_more(without.cpu, with_it.cpu), _more(without.opened, with_it.opened))
    return int(grown > most)


LABELS = {
    "cpu": "CPU until it answers",
    "elapsed": "time until it answers",
    "started": "memory, no page opened",
    "opened": "memory, every page opened",
}


def _typical(costs: list[Cost]) -> Cost:
    cpu, elapsed, started, opened = zip(*costs, strict=True)
    return Cost(min(cpu), min(elapsed), statistics.median(started), statistics.median(opened))


def _more(one: float, other: float) -> float:
    return (other / one - 1) * 100


if __name__ == "__main__":
    sys.exit(main())
