# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Flow Social holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_mkt.sandbox.engine.clock import Clock
from airflow_provider_mkt.sandbox.engine.timeline import Stage, Timeline


@dataclass
class Key:
    """An API key."""

    id: str
    name: str
    secret: str
    permissions: list[str]
    created_at: float
    last_used_at: float | None = None


@dataclass
class Channel:
    """A group of platform connections."""

    id: str
    name: str
    color: str | None
    created_at: float
    connections: list[str] = field(default_factory=list)


@dataclass
class Post:
    """A post.

    :param stages: its states after it is due
    :param due: when it goes out, by the clock that a client shares (see ``shelf``), or in vendor time when ``early``
    :param early: it goes out ``speed`` times sooner than its ``scheduledFor`` says
    :param blocked: it was blocked from outside, whatever its stages say
    """

    id: str
    channel_id: str
    content: str
    media_keys: list[str]
    scheduled_for: float
    created_at: float
    stages: tuple[Stage, ...]
    due: float
    early: bool
    blocked: bool = False

    def status(self, clock: Clock) -> str:
        """Where the post stands now."""
        if self.blocked:
            return "blocked"
        born = self.due if self.early else clock.ticks_at(self.due)
        return Timeline(born, self.stages).at(clock.ticks()).state


@dataclass
class Connection:
    """An account at a platform."""

    id: str
    platform: str
    username: str
    status: str = "active"
    expires_at: float | None = None
