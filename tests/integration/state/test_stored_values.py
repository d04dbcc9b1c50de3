# Licensed under the Apache License, Version 2.0; see LICENSE.
"""No text and no number that anybody writes is refused by either database, and what is stored is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from airflow_provider_mkt.client.storable import UNREADABLE
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.inbox import Inbox, Row
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import ACCEPTED, Launch
from airflow_provider_mkt.state.launches.listing import Wanted, page
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets
from airflow_provider_mkt.webhooks.handover import extra_of

ODD = ["a\0b", "half \ud83d of a pair", "\udc00\0"]
HUGE = 10**30
ONE = Launch("1" * 36, "here", "Vendor", "vendor/a", "vendor_default", "spring", "r1", "publish", -1, "0", 1, "what")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url)
    yield made
    made.close()


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_launch_with_an_odd_text_is_admitted_noted_and_found(odd: str, store: Store) -> None:
    register, launch = Register(lambda: store), replace(ONE, what=odd, triggered_by=odd, reference=odd)
    admit(launch, lambda: store)
    register.note(replace(launch, state=ACCEPTED, vendor_ids=odd))
    [found] = register.find()
    assert found.state == ACCEPTED
    assert UNREADABLE in found.what
    wanted = Wanted(["spring", odd], "here", contains=odd)
    assert store.run(lambda connection: page(connection, wanted, 10)) == [found]
    assert register.starting_with(odd) == register.find(run_id=odd) == []


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_stop_and_a_secret_are_found_by_the_name_that_they_were_given(odd: str, store: Store) -> None:
    Stops(lambda: store).add({"run_id": odd}, odd, odd)
    with pytest.raises(Exception, match="stopped"):
        admit(replace(ONE, run_id=odd), lambda: store)
    secrets = WebhookSecrets("a", lambda: store, lambda: Encryptor(Fernet.generate_key().decode()))
    secrets.keep(odd, "https://x.example", ["e"], "geheim", made_by="k")
    secrets.retire([odd])
    assert [each.retired for each in secrets.rows()] == [True]


def test_numbers_beyond_what_a_database_counts(store: Store) -> None:
    inbox = Inbox(lambda: store)
    assert inbox.find(before=HUGE, limit=HUGE) == inbox.find(before=-HUGE) == []
    assert inbox.get(HUGE) is None
    assert store.transact(lambda execute: execute("SELECT ? + 0", (HUGE,)))[0][0] > 2**62


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_plain_statements_as_well(odd: str, store: Store) -> None:
    found: Any = store.transact(lambda execute: execute("SELECT CAST(? AS VARCHAR(40))", (odd,)))
    assert UNREADABLE in found[0][0]


@pytest.mark.parametrize("odd", [*ODD, float("inf")], ids=ascii)
def test_an_event_can_be_looked_into(odd: Any, clean_postgres: str) -> None:
    """As Airflow's table has it. One event in it that cannot be read fails every question about the asset."""
    made = Store(clean_postgres)
    extra = json.dumps(extra_of(Row(1, "flinque", "report.ready", "one", "", 0.0, "pending", 0), {"note": odd}))

    def work(connection: Any) -> Any:
        connection.execute(text("CREATE TEMPORARY TABLE events (extra JSON) ON COMMIT DROP"))
        connection.execute(text("INSERT INTO events VALUES (:extra)"), {"extra": extra})
        return connection.execute(text("SELECT extra ->> 'delivery_id' FROM events")).scalar_one()

    assert made.run(work) == "one"
    made.close()
