# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets import sliding_window
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.store import Store
from tests.unit.state.budgets.vendor import ACCOUNT, LIMITS


@pytest.fixture
def bursts_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a wait of nothing is nothing."""
    monkeypatch.setattr(sliding_window, "SPREAD", 0.0)


@pytest.fixture
def make(store: Store, clock: Any) -> Callable[..., SharedBudget]:
    def make(limits: dict[str, Limit] | None = None, share: float = 1.0, used: Store | None = None) -> SharedBudget:
        return SharedBudget(ACCOUNT, limits or LIMITS, share, lambda: used or store, clock, get_host_store=None)

    return make
