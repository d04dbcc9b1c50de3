# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A cap under many workers that are killed and whose clocks differ: never exceeded, and nearly all of it usable.

``MKT_CAP_LAUNCHES`` sets the number of launches, 480 by default; 5,000 is the long proof. ``MKT_CAP_URL`` names another
database than a new SQLite file.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import random
import time
from dataclasses import replace
from datetime import timezone
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.caps import Cap
from airflow_provider_mkt.state.launches.launch import ACCEPTED, REFUSED, UNKNOWN, Launch
from airflow_provider_mkt.state.launches.register import Register

log = logging.getLogger(__name__)

WORKERS = 16
LAUNCHES = int(os.environ.get("MKT_CAP_LAUNCHES", "480"))
USABLE = 0.99
KILLED, REFUSED_BY_VENDOR = 0.02, 0.2
"""Parts of the steps at which a worker dies, and of the requests that the vendor refuses."""
DIED = 9


def launch(number: int, amount: int, writer: str) -> Launch:
    place = {"dag_id": f"dag_{number % 7}", "run_id": f"run_{number}", "task_id": "publish", "map_index": -1}
    names = {"deployment": "production", "vendor": "Vendor", "account": f"account {number % 3}", "conn_id": "v"}
    return Launch(
        f"{number:036d}", **names, **place, number="0", generation=1, what="", writer=writer, amount=amount,
        currency="GBP",
    )  # fmt: skip


def work(url: str, folder: Path, worker: int, life: int, limit: int) -> None:
    """Launch this worker's part; each launch leaves marks, as the task state store would hold them."""
    luck = random.Random(f"{worker}/{life}")
    skew = random.Random(worker).uniform(-86_400, 86_400)
    now = time.time
    time.time = lambda: now() + skew
    store = Store(url, 60.0)
    register = Register(lambda: store)

    def may_die() -> None:
        if luck.random() < KILLED:
            os._exit(DIED)

    for number in range(worker, LAUNCHES, WORKERS):
        sent, over = folder / f"{number}.sent", folder / f"{number}.over"
        if over.exists():
            continue
        ours = launch(number, random.Random(number).randrange(1, 100), f"{worker}/{life}")
        former = f"{worker}/{life - 1}"
        if sent.exists():
            # The worker died after the record said that the request leaves.
            register.note(replace(ours, state=UNKNOWN), former)
            over.touch()
            continue
        try:
            admit(ours, lambda: store, caps=(Cap("day", limit, "GBP"),), zone=timezone.utc)
        except LaunchRefusedError:
            over.touch()
            continue
        may_die()
        sent.touch()
        may_die()
        refused = luck.random() < REFUSED_BY_VENDOR
        if not refused:
            with (folder / "ledger").open("a") as ledger:
                ledger.write(f"{ours.amount}\n")
        may_die()
        register.note(replace(ours, state=REFUSED if refused else ACCEPTED), former)
        over.touch()
    store.close()


def crowd(url: str, folder: Path, limit: int) -> int:
    """Let the workers run, and start each one again that was killed; return how often that was."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    lives = [0] * WORKERS
    running = {}
    for worker in range(WORKERS):
        running[worker] = context.Process(target=work, args=(url, folder, worker, 0, limit))
        running[worker].start()
    while running:
        multiprocessing.connection.wait([each.sentinel for each in running.values()])
        for worker, process in list(running.items()):
            if process.is_alive():
                continue
            process.join()
            del running[worker]
            assert process.exitcode in (0, DIED)
            if process.exitcode == DIED:
                lives[worker] += 1
                running[worker] = context.Process(target=work, args=(url, folder, worker, lives[worker], limit))
                running[worker].start()
    return sum(lives)


def test_never_above_and_nearly_all_of_it_usable(tmp_path: Path) -> None:
    sqlite = URL.create("sqlite", database=str(tmp_path / "state.db")).render_as_string()
    url = os.environ.get("MKT_CAP_URL", sqlite)
    store = Store(url, 60.0)
    store.run(lambda connection: connection.exec_driver_sql("DELETE FROM mkt_launch"))
    limit = LAUNCHES * 50 // 3
    killed = crowd(url, tmp_path, limit)
    spent = sum(int(line) for line in (tmp_path / "ledger").read_text().splitlines())
    counted = [each for each in Register(lambda: store).find(limit=LAUNCHES) if each.counted_at is not None]
    reserved = sum(each.amount or 0 for each in counted)
    unknown = sum(each.amount or 0 for each in counted if each.state == UNKNOWN)
    log.info("%s", f"{store.kind}: cap {limit}, ledger {spent}, reserved {reserved}, unknown {unknown}, {killed} kills")
    store.close()
    assert killed > 0
    assert spent <= reserved <= limit
    assert reserved >= USABLE * limit
    # All that is reserved was spent, or may have been.
    assert spent >= reserved - unknown
