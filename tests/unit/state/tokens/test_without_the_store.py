# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tokens that can be fetched again are; a refresh token is not spent."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens import rotation
from airflow_provider_mkt.state.tokens.cache import READ_AGAIN
from tests.unit.state.tokens.vendor import (
    DAY,
    KEY,
    Fetching,
    Make,
    Rotating,
)


@pytest.mark.parametrize("failure", [*StoreFailure])
class TestWithoutTheStore:
    """Tokens that can be fetched again are; a refresh token is not spent. Whatever is wrong with the store."""

    @pytest.fixture
    def broken(self, failure: StoreFailure) -> dict[str, Any]:
        def fail() -> Store:
            raise StoreError(failure)

        return {"get_store": fail}

    def test_fetched_for_this_process_alone(
        self, make: Make, broken: Any, clock: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        vendor, tokens = Fetching(), make(**broken)
        with caplog.at_level(logging.WARNING):
            assert [tokens.get(KEY, vendor) for _ in range(3)] == ["token-1"] * 3
            clock.now += READ_AGAIN
            assert tokens.get(KEY, vendor) == "token-1"
        assert len(caplog.records) == 1
        tokens.discard(KEY, "token-1")
        assert tokens.get(KEY, vendor) == "token-2"
        clock.now += DAY
        assert tokens.get(KEY, vendor) == "token-3"

    def test_no_refresh_token_is_spent(self, make: Make, broken: Any, failure: StoreFailure) -> None:
        vendor = Rotating()
        with pytest.raises(StoreError) as caught:
            make(**broken).get_rotating(KEY, "refresh-0", vendor)
        assert caught.value.failure is failure
        assert vendor.sent == []

    def test_an_access_token_is_used_while_it_lives(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        state: dict[str, Any] = {"failure": None}

        def get_store() -> Store:
            if state["failure"]:
                raise StoreError(state["failure"])
            return store

        vendor, tokens = Rotating(), make(get_store=get_store)
        tokens.get_rotating(KEY, "refresh-0", vendor)
        state["failure"] = failure
        clock.now += 0.99 * DAY
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        clock.now += 0.02 * DAY
        with pytest.raises(StoreError):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        state["failure"] = None
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-2"

    def test_a_successor_that_cannot_be_stored_is_kept_and_stored_later(
        self,
        make: Make,
        store: Store,
        failure: StoreFailure,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(rotation, "SAVE_PATIENCE", 0.0)
        vendor, tokens = Rotating(), make()

        def fail(*_: Any, **__: Any) -> None:
            raise StoreError(failure)

        def refresh(refresh_token: str) -> Token:
            monkeypatch.setattr(store, "run", fail)
            return vendor(refresh_token)

        with pytest.raises(StoreError):
            tokens.get_rotating(KEY, "refresh-0", refresh)
        assert "exists only in the memory of this process" in caplog.text
        assert "refresh-1" not in caplog.text
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]
