# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.tokens.shared import Tokens
from airflow_provider_mkt.state.tokens.table import TokenRow, change
from tests.unit.state.tokens.vendor import KEY, Make


@pytest.fixture
def make(store: Store, encryptor: Encryptor, clock: Any) -> Make:
    """Makes what another process would have: its own memory, the same store."""

    def make(**more: Any) -> Tokens:
        settings = {
            "get_store": lambda: store,
            "get_encryptor": lambda: encryptor,
            "clock": clock,
            "sleep": clock.sleep,
        }
        return Tokens(**{**settings, "mask": lambda _: None, **more})

    return make


@pytest.fixture
def row(store: Store) -> Callable[[], TokenRow]:
    return lambda: change(store, KEY, lambda row, _: row)
