# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One token call for all, whoever asks, and whatever becomes of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import (
    AuthenticationError,
    NotSentError,
)
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.key_rotation import Reencrypted, reencrypt_all
from airflow_provider_mkt.state.tokens.cache import READ_AGAIN
from airflow_provider_mkt.state.tokens.shared import Tokens
from airflow_provider_mkt.state.tokens.table import TokenRow, change
from tests.unit.state.tokens.vendor import (
    DAY,
    KEY,
    LEASE,
    Fetching,
    Make,
    until,
)


class TestFetched:
    def test_one_call_serves_all(self, make: Make) -> None:
        vendor = Fetching()
        assert {make().get(KEY, vendor) for _ in range(20)} == {"token-1"}
        assert vendor.calls == 1

    def test_renewed_at_80_percent_of_its_life(self, make: Make, clock: Any) -> None:
        vendor, tokens = Fetching(), make()
        tokens.get(KEY, vendor)
        clock.now += 0.8 * DAY - 1
        assert tokens.get(KEY, vendor) == make().get(KEY, vendor) == "token-1"
        clock.now += 2
        assert tokens.get(KEY, vendor) == make().get(KEY, vendor) == "token-2"

    def test_a_refused_token_is_replaced_once(self, make: Make) -> None:
        vendor, processes = Fetching(), [make() for _ in range(16)]
        for tokens in processes:
            tokens.get(KEY, vendor)
        for tokens in processes:
            tokens.discard(KEY, "token-1")
            assert tokens.get(KEY, vendor) == "token-2"
        assert vendor.calls == 2

    def test_a_process_learns_of_a_new_token_after_a_while(self, make: Make, clock: Any) -> None:
        vendor, one, other = Fetching(), make(), make()
        one.get(KEY, vendor)
        other.get(KEY, vendor)
        one.discard(KEY, "token-1")
        one.get(KEY, vendor)
        clock.now += READ_AGAIN
        assert other.get(KEY, vendor) == "token-2"

    @pytest.mark.parametrize("broken", [False, True], ids=["shared", "without the store"])
    def test_a_vendor_that_gives_the_refused_token_again_is_not_asked_for_ever(
        self, make: Make, store: Store, clock: Any, broken: bool
    ) -> None:
        def get_store() -> Store:
            if broken:
                raise StoreError(StoreFailure.UNREACHABLE)
            return store

        calls: list[float] = []

        def same() -> Token:
            calls.append(clock.now)
            return Token("same", DAY)

        tokens = make(get_store=get_store)
        tokens.get(KEY, same)
        tokens.discard(KEY, "same")
        for _ in range(600):
            assert tokens.get(KEY, same) == "same"
            clock.now += 1
        assert len(calls) == 2

    def test_keys_are_kept_apart(self, make: Make) -> None:
        vendor = Fetching()
        assert make().get("a", vendor) != make().get("b", vendor)

    @pytest.mark.parametrize("error", [NotSentError("x"), AuthenticationError("x", status=401), KeyboardInterrupt()])
    def test_after_a_failure_the_next_caller_tries_again(self, make: Make, error: BaseException) -> None:
        vendor = Fetching()
        vendor.error = error
        with pytest.raises(type(error)):
            make().get(KEY, vendor)
        vendor.error = None
        assert make().get(KEY, vendor) == "token-2"

    def test_those_who_waited_share_a_refusal(self, make: Make) -> None:
        calling, answer = threading.Event(), threading.Event()
        calls, outcomes = [], []
        waiting: set[int] = set()

        def refuse() -> Token:
            calls.append(1)
            calling.set()
            assert answer.wait(10)
            raise AuthenticationError("Flow Living refused GET /token (HTTP 401)", status=401)

        def ask(tokens: Tokens) -> None:
            try:
                tokens.get(KEY, refuse)
            except AuthenticationError as error:
                outcomes.append(str(error))

        def wait(_: float) -> None:
            waiting.add(threading.get_ident())
            time.sleep(0.01)

        threads = [threading.Thread(target=ask, args=(make(sleep=wait),)) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert calling.wait(10)
        until(lambda: len(waiting) == 4)
        answer.set()
        for thread in threads:
            thread.join()
        assert outcomes == ["Flow Living refused GET /token (HTTP 401)"] * 5
        assert len(calls) == 1

    def test_the_old_token_serves_while_a_new_one_is_fetched(self, make: Make, clock: Any) -> None:
        vendor = Fetching()
        make().get(KEY, vendor)
        clock.now += 0.9 * DAY

        def slow() -> Token:
            assert make().get(KEY, vendor) == "token-1"
            return Token("new", DAY)

        assert make().get(KEY, slow) == "new"

    def test_a_lease_is_taken_over_when_its_owner_died(self, make: Make, store: Store, clock: Any) -> None:
        def died(row: TokenRow, now: float) -> None:
            row.lease, row.lease_until = "somebody", now + LEASE

        change(store, KEY, died)
        began = clock.now
        assert make().get(KEY, Fetching()) == "token-1"
        assert clock.now - began == pytest.approx(LEASE, abs=1.0)

    def test_secrets_are_stored_encrypted_under_digests(self, make: Make, path: Path, store: Store) -> None:
        make().get(KEY, lambda: Token("geheim-token", DAY))
        make().get_rotating("other key", "geheim-seed", lambda _: Token("geheim-access", DAY, "geheim-refresh"))
        store.close()
        stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"mkt_token" in stored
        for secret in (b"geheim", b"flodesk", b"other key"):
            assert secret not in stored

    def test_tokens_from_the_store_are_masked_once(self, make: Make) -> None:
        masked: list[str] = []
        tokens = make(mask=masked.append)
        make().get(KEY, Fetching())
        for _ in range(3):
            tokens._kept.drop(KEY)
            tokens.get(KEY, Fetching())
        assert masked == ["token-1"]

    def test_repr_shows_no_secret(self, make: Make) -> None:
        tokens = make()
        tokens.get(KEY, lambda: Token("geheim", DAY))
        assert "geheim" not in f"{tokens!r} {vars(tokens._kept)!r}"

    def test_a_new_fernet_key_costs_nothing(self, make: Make, store: Store) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        vendor = Fetching()
        make(get_encryptor=lambda: Encryptor(old)).get(KEY, vendor)
        both = Encryptor(f"{new},{old}")
        assert make(get_encryptor=lambda: both).get(KEY, vendor) == "token-1"
        assert reencrypt_all(store, both) == Reencrypted(1, 0)
        assert make(get_encryptor=lambda: Encryptor(new)).get(KEY, vendor) == "token-1"

    def test_a_lost_fernet_key_costs_one_call(self, make: Make, encryptor: Encryptor) -> None:
        vendor = Fetching()
        make(get_encryptor=lambda: Encryptor(Fernet.generate_key().decode())).get(KEY, vendor)
        assert [make().get(KEY, vendor) for _ in range(3)] == ["token-2"] * 3
