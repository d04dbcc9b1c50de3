# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a register of 100,000 launches reads for an answer: each row once at most, and few where there is an index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches import listing
from airflow_provider_mkt.state.launches.register import NAMES, Register
from tests.integration.state.work import counted

pytestmark = pytest.mark.proof

ROWS = 100_000
MOST_ROWS, MOST_INSTRUCTIONS = 1.1 * ROWS, 60 * ROWS
BY_INDEX = {"in doubt", "the pages' list", "which DAGs", "one"}
"""What reads the rows that it needs, or so many as to find a hundred in a hundredth of all."""
FEW_ROWS, FEW_INSTRUCTIONS = ROWS / 8, ROWS
_FILL = """
    WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :rows)
    INSERT INTO mkt_launch ({names})
    SELECT {hex}, 'production', 'Vendor ' || (n % 5), 'account ' || (n % 7), 'conn_' || (n % 9), 'dag_' || (n % 50),
        'run_' || (n / 20), 'publish', -1, '0', 1, 'campaign for 3 homes', 1450500, 'GBP', '', NULL, 'reference',
        'content_' || n, 'ana', '', '', CASE n % 100 WHEN 0 THEN 'unknown' ELSE 'accepted' END, 'writer',
        {clock} - n, {clock} - n, {clock} - n, 'ch_' || (n % 3)
    FROM counted
"""
HEX = {"sqlite": "printf('%036x', n)", "postgresql": "lpad(to_hex(n), 36, '0')"}


def fill(store: Store) -> None:
    statement = _FILL.format(names=", ".join(NAMES), hex=HEX[store.kind], clock=store.clock)
    store.run(lambda connection: connection.execute(text(statement), {"rows": ROWS}))
    if store.kind == "postgresql":
        # What autovacuum does at some moment: PostgreSQL chooses its way by that.
        store.run(lambda connection: connection.execute(text("ANALYZE mkt_launch")))


def test_no_question_reads_a_row_twice(url: str) -> None:
    store = Store(url, 60.0)
    fill(store)
    register = Register(lambda: store)
    wanted = listing.Wanted([f"dag_{number}" for number in range(50)], "production")
    nowhere = replace(wanted, contains="nowhere")
    last = listing.Key(False, store.now() - ROWS + 200, "")
    questions: dict[str, Callable[[], int]] = {
        "the latest": lambda: len(register.find()),
        "of one vendor": lambda: len(register.find(vendor="Vendor 3")),
        "of nobody": lambda: len(register.find(conn_id="nobody")) + 100,
        "of a run, without its DAG": lambda: len(register.find(run_id="run_77")) + 80,
        "in doubt": lambda: len(register.find(states=["unknown"])),
        "the pages' list": lambda: len(store.run(lambda c: listing.page(c, wanted, 100))),
        "its last page": lambda: len(store.run(lambda c: listing.page(c, wanted, 100, last))),
        "a text that is nowhere": lambda: len(store.run(lambda c: listing.page(c, nowhere, 100))) + 100,
        "how many": lambda: sum(store.run(lambda c: listing.counts(c, wanted)).values()) - ROWS + 100,
        "which DAGs": lambda: 2 * len(store.run(lambda c: listing.dags(c, "production"))),
        "one": lambda: len(register.starting_with(f"{77:036x}")) + 99,
    }
    done = {}
    for name, ask in questions.items():
        with counted(store) as work:
            assert ask() == 100, name
        done[name] = (work.rows, work.instructions)
    store.close()
    assert [each for each, (rows, steps) in done.items() if rows > MOST_ROWS or steps > MOST_INSTRUCTIONS] == [], done
    few = {each for each, (rows, steps) in done.items() if rows <= FEW_ROWS and steps <= FEW_INSTRUCTIONS}
    assert few >= BY_INDEX, done
    assert max(map(max, done.values())) > ROWS / 2, "nothing was counted"
