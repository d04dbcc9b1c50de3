# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A single-use refresh token is never spent unless its successor can be stored, and a spent one never again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import (
    AuthenticationError,
)
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens.table import TokenRow, change
from tests.unit.state.tokens.vendor import (
    DAY,
    INVALID_GRANT,
    KEY,
    LEASE,
    Make,
    Rotating,
)


class TestRotating:
    def test_the_successor_is_spent_next(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        for number in range(1, 6):
            assert make().get_rotating(KEY, "refresh-0", vendor) == f"access-{number}"
            assert make().get_rotating(KEY, "refresh-0", vendor) == f"access-{number}"
            clock.now += 0.9 * DAY
        assert vendor.sent == [f"refresh-{number}" for number in range(5)]

    def test_without_a_seed_somebody_has_to_consent_first(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        with pytest.raises(AuthenticationError, match="has not been authorised yet"):
            make().get_rotating(KEY, "", vendor)
        make().adopt(KEY, "", Token("consented", DAY, "refresh-0"))
        assert make().get_rotating(KEY, "", vendor) == "consented"
        assert vendor.sent == []
        clock.now += 0.9 * DAY
        assert make().get_rotating(KEY, "", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_seed_that_is_taken_away_changes_nothing(self, make: Make) -> None:
        vendor = Rotating()
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert make().get_rotating(KEY, "", vendor) == "access-1"

    def test_sixteen_refusals_one_refresh(self, make: Make) -> None:
        vendor, processes = Rotating(), [make() for _ in range(16)]
        for tokens in processes:
            tokens.get_rotating(KEY, "refresh-0", vendor)
        for tokens in processes:
            tokens.discard(KEY, "access-1")
            assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-2"
        assert len(vendor.sent) == 2

    def test_begun_is_committed_before_the_call(self, make: Make, row: Callable[[], TokenRow]) -> None:
        seen: list[TokenRow] = []

        def refresh(refresh_token: str) -> Token:
            seen.append(row())
            return Token("access", DAY, "next")

        make().get_rotating(KEY, "refresh-0", refresh)
        assert seen[0].begun_at is not None
        assert seen[0].lease is not None
        assert row().begun_at is None
        assert row().lease is None

    def test_a_changed_seed_wins(self, make: Make) -> None:
        vendor, tokens = Rotating(), make()
        tokens.get_rotating(KEY, "refresh-0", vendor)
        vendor.valid = "consent"
        assert tokens.get_rotating(KEY, "consent", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "consent"]

    def test_a_process_with_a_former_seed_uses_what_the_new_one_got(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        make().get_rotating(KEY, "refresh-0", vendor)
        vendor.valid = "consent"
        make().get_rotating(KEY, "consent", vendor)
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-3"
        assert vendor.sent == ["refresh-0", "consent", "refresh-2"]

    def test_a_vendor_that_does_not_rotate_after_all(self, make: Make, clock: Any) -> None:
        sent = []

        def refresh(refresh_token: str) -> Token:
            sent.append(refresh_token)
            return Token(f"access-{len(sent)}", DAY)

        make().get_rotating(KEY, "seed", refresh)
        clock.now += DAY
        assert make().get_rotating(KEY, "seed", refresh) == "access-2"
        assert sent == ["seed", "seed"]

    def test_a_refused_seed_is_reported_and_never_sent_again(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        vendor.valid = "another"
        for _ in range(5):
            with pytest.raises(AuthenticationError, match=r"airflow mkt authorize.*refresh_token") as caught:
                make().get_rotating(KEY, "refresh-0", vendor)
            clock.now += DAY
        assert "used or revoked elsewhere" in str(caught.value)
        assert vendor.sent == ["refresh-0"]
        vendor.valid = "consent"
        assert make().get_rotating(KEY, "consent", vendor) == "access-1"

    def test_authorising_again_revives_with_the_same_seed(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        vendor.valid = "another"
        with pytest.raises(AuthenticationError):
            make().get_rotating(KEY, "refresh-0", vendor)
        make().adopt(KEY, "refresh-0", Token("adopted", DAY, "another"))
        assert make().get_rotating(KEY, "refresh-0", vendor) == "adopted"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_a_successor_stored_by_somebody_else_is_used(self, make: Make, store: Store, encryptor: Encryptor) -> None:
        def refresh(refresh_token: str) -> Token:
            def replaced(row: TokenRow, now: float) -> None:
                row.set_refresh(encryptor, "theirs")
                row.set_access(encryptor, "their access", DAY, 0.8, now)

            change(store, KEY, replaced)
            raise INVALID_GRANT

        assert make().get_rotating(KEY, "refresh-0", refresh) == "their access"

    def test_who_was_taken_for_dead_saves_what_it_got(self, make: Make, clock: Any) -> None:
        vendor = Rotating()

        def paused(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            clock.now += 3 * LEASE
            with pytest.raises(AuthenticationError, match="its answer was lost"):
                make().get_rotating(KEY, "refresh-0", vendor)
            return token

        assert make().get_rotating(KEY, "refresh-0", paused) == "access-1"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"

    def test_a_lost_fernet_key_is_told_and_nothing_is_spent(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        make(get_encryptor=lambda: Encryptor(Fernet.generate_key().decode())).get_rotating(KEY, "refresh-0", vendor)
        with pytest.raises(StoreError, match="add the former key"):
            make().get_rotating(KEY, "refresh-0", vendor)
        assert vendor.sent == ["refresh-0"]
        vendor.valid = "consent"
        assert make().get_rotating(KEY, "consent", vendor) == "access-2"


class TestOneSeedTwoConnections:
    """A refresh token works once, whoever has it: with the second use vendors revoke what came of the first."""

    def test_nothing_is_spent_by_the_second(self, make: Make, clock: Any) -> None:
        vendor, tokens = Rotating(), make()
        tokens.get_rotating("first", "refresh-0", vendor)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match=r"another connection before.*airflow mkt authorize"):
                make().get_rotating("second", "refresh-0", vendor)
            clock.now += DAY
        assert tokens.get_rotating("first", "refresh-0", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "refresh-1"]

    def test_what_another_vendor_issued_is_another_token(self, make: Make) -> None:
        """Two sandboxes begin with the same one."""
        vendors = [Rotating(), Rotating()]
        for number, vendor in enumerate(vendors):
            assert make().get_rotating(f"key {number}", "refresh-0", vendor, f"http://{number}") == "access-1"

    def test_authorising_the_second_helps(self, make: Make) -> None:
        vendor = Rotating()
        make().get_rotating("first", "refresh-0", vendor)
        make().adopt("second", "refresh-0", Token("consented", DAY, "another"))
        assert make().get_rotating("second", "refresh-0", vendor) == "consented"
        assert make().get_rotating("first", "refresh-0", vendor) == "access-1"

    def test_a_login_that_is_corrected_takes_its_unspent_token_along(self, make: Make) -> None:
        vendor = Rotating(("before", AuthenticationError("bad client", status=401, code="invalid_client")))
        with pytest.raises(AuthenticationError, match="bad client"):
            make().get_rotating("wrong login", "refresh-0", vendor)
        assert make().get_rotating("right login", "refresh-0", vendor) == "access-1"
        with pytest.raises(AuthenticationError, match="another connection before"):
            make().get_rotating("wrong login", "refresh-0", vendor)
        assert vendor.sent == ["refresh-0", "refresh-0"]

    def test_one_whose_fate_is_unknown_stays_where_it_is(self, make: Make) -> None:
        vendor = Rotating(("after", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            make().get_rotating("first", "refresh-0", vendor)
        with pytest.raises(AuthenticationError, match="another connection before"):
            make().get_rotating("second", "refresh-0", vendor)
        assert vendor.sent == ["refresh-0"]
