# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's task state store, as far as it is used here."""

from __future__ import annotations

from typing import Any, Protocol


class Store(Protocol):
    """Values by key, for one task of one run. They outlive its tries and its clearing."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``."""


def keep(store: Store, key: str, value: Any) -> None:
    """Write a value that Airflow never deletes by itself.

    :param value: plain JSON
    """
    from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]  # missing in the stub

    store.set(key, value, retention=NEVER_EXPIRE)
