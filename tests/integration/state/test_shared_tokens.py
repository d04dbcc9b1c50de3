# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: however many processes start, are refused or are killed, tokens are fetched once and none is lost that the
vendor still honours; when one is lost, that is told once and clearly, and the spent token is not sent again."""

from __future__ import annotations

import threading

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from airflow_provider_mkt.exceptions import AuthenticationError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens.shared import Tokens
from airflow_provider_mkt.state.tokens.table import check_writable
from tests.integration.state.crowd import (
    LOSING,
    PROCESSES,
    STEPS,
    TokenVendor,
    crowd,
    force_rotation,
    get_token,
    recover,
    refresh_at,
    rotate_and_die,
    serve,
)

KEYS = Fernet.generate_key().decode()


def test_twenty_processes_start_at_once(url: str) -> None:
    vendor, results = TokenVendor(), PROCESSES.Queue()
    with serve(vendor.answer) as base, crowd(get_token, [(url, KEYS, base, results)] * 20):
        assert {results.get(timeout=120) for _ in range(20)} == {"access-1"}
    assert vendor.issued == 1


def test_sixteen_processes_force_a_rotation_at_once(url: str) -> None:
    vendor, results = TokenVendor(), PROCESSES.Queue()
    with serve(vendor.answer) as base, crowd(force_rotation, [(url, KEYS, base, results)] * 16):
        assert {results.get(timeout=120) for _ in range(16)} == {"access-2"}
    assert vendor.issued == 2
    assert vendor.spent_again == 0


def test_two_connections_with_one_refresh_token_at_once(url: str) -> None:
    vendor, encryptor = TokenVendor(), Encryptor(KEYS)
    used, outcomes = Store(url), []
    used.run(lambda _: None)
    start = threading.Barrier(8)

    def get(key: str) -> None:
        tokens = Tokens(lambda: used, lambda: encryptor, mask=lambda _: None)
        start.wait()
        try:
            outcomes.append(tokens.get_rotating(key, "refresh-0", lambda token: refresh_at(base, token)))
        except AuthenticationError as error:
            outcomes.append(str(error))

    with serve(vendor.answer) as base:
        threads = [threading.Thread(target=get, args=(f"connection {number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    used.close()
    assert len(outcomes) == 8
    assert vendor.issued == 1
    assert vendor.spent_again == 0
    assert sum("given to another connection" in outcome for outcome in outcomes) == 7


def test_a_server_that_takes_no_writes_is_found_out_beforehand(clean_postgres: str) -> None:
    Store(clean_postgres).run(lambda _: None)
    check_writable(Store(clean_postgres))
    read_only = make_url(clean_postgres).update_query_dict({"options": "-c default_transaction_read_only=on"})
    standby = Store(read_only)
    standby.run(lambda _: None)
    with pytest.raises(StoreError) as caught:
        check_writable(standby)
    assert caught.value.failure is StoreFailure.READ_ONLY


@pytest.mark.proof
@pytest.mark.parametrize("grace", [True, False], ids=["grace", "no grace"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_the_middle_of_a_rotation(url: str, step: str, grace: bool) -> None:
    vendor, results = TokenVendor(grace), PROCESSES.Queue()
    Store(url).run(lambda _: None)
    with serve(vendor.answer) as base:
        with crowd(rotate_and_die, [(url, KEYS, base, step)]) as (victim,):
            victim.join(120)
            assert victim.exitcode == -9
        with crowd(recover, [(url, KEYS, base, results)]):
            got = [results.get(timeout=120) for _ in range(3)]
    if step in LOSING and not grace:
        assert "its answer was lost" in got[0]
        assert "airflow mkt authorize" in got[0]
        assert len(set(got)) == 1
        assert vendor.spent_again == 1
    else:
        assert set(got) == {f"access-{vendor.issued}"}
        assert vendor.issued == (2 if step in LOSING else 1)
        assert vendor.spent_again == (1 if step in LOSING else 0)
