# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Assumed vendor facts that matter, each with a switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Switch:
    """An assumption: its default and what it decides. None is always permitted when the default is None."""

    default: Any
    description: str
    kind: type = bool


class Switches:
    """Current values by name, such as ``flow_living.token_lifetime``."""

    def __init__(self, table: Mapping[str, Switch]) -> None:
        self.table = dict(table)
        self.reset()

    def reset(self) -> None:
        """Back to the defaults."""
        self._values = {name: switch.default for name, switch in self.table.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change switches, all or none.

        :raises ValueError: unknown name or a value of the wrong type
        """
        for name, value in changes.items():
            if name not in self.table:
                raise ValueError(f"unknown switch {name!r}; known: {', '.join(sorted(self.table))}")
            switch = self.table[name]
            if value is None and switch.default is None:
                continue
            accepted: tuple[type, ...] = (int, float) if switch.kind is float else (switch.kind,)
            if not isinstance(value, accepted) or (isinstance(value, bool) and switch.kind is not bool):
                raise ValueError(f"switch {name!r} takes a value of type {switch.kind.__name__}")
        self._values.update(changes)

    def describe(self) -> list[dict[str, Any]]:
        """Name, value, default and description of every switch."""
        return [
            {"name": name, "value": self._values[name], "default": switch.default, "description": switch.description}
            for name, switch in self.table.items()
        ]


def webhook_switches(attempts: int) -> dict[str, Switch]:
    """The switches of a vendor that sends webhooks.

    :param attempts: how often one is sent until somebody answers with 2xx
    """
    return {
        "webhook_attempts": Switch(attempts, "how often a webhook is sent until somebody answers with 2xx", int),
        "webhook_pause": Switch(5.0, "seconds (real time) before a webhook's second attempt; then they double", float),
    }
