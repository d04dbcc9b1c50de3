# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An account, what a vendor answers, and a store that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

LIMITS = {"default": Limit(10, 60.0), "posts": Limit(3, 60.0)}
ACCOUNT = ("flow_social", "https://api.flowsocial.app/v1", "login", "digest")
ONE = ("default",)
BOTH = ("default", "posts")
FINE = Outcome(Certainty.ANSWERED, 200)
SPAN = 60.0 + MARGIN

Make = Callable[..., SharedBudget]


def answer(remaining: int, limit: int = 10, **more: str) -> Outcome:
    headers = {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining)}
    return Outcome(
        Certainty.ANSWERED, 200, headers={**headers, **{f"x-ratelimit-{name}": text for name, text in more.items()}}
    )


def refused(retry_after: float | None = None, **headers: str) -> Outcome:
    return Outcome(Certainty.THROTTLED, 429, headers=headers, retry_after=retry_after)


class Failing:
    """A store with one kind of failure."""

    def __init__(self, failure: StoreFailure) -> None:
        self.failure: StoreFailure | None = failure
        self.calls = 0

    def failing(self, store: Store) -> Store:
        transact = store.transact

        def maybe(work: Any, **settings: Any) -> Any:
            self.calls += 1
            if self.failure:
                raise StoreError(self.failure, store.where)
            return transact(work, **settings)

        store.transact = maybe  # type: ignore[method-assign]
        return store
