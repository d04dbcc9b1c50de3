# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which state an object is in, as a pure function of vendor time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STUCK = "stuck"
"""The outcome that keeps an object in its first state for good."""


@dataclass(frozen=True)
class Stage:
    """A state and the vendor seconds after birth at which it begins."""

    after: float
    state: str


@dataclass(frozen=True)
class Timeline:
    """The stages of one object, in order; the first begins at 0.

    :param born: vendor time of birth
    """

    born: float
    stages: tuple[Stage, ...]

    def at(self, ticks: float) -> Stage:
        """The stage at vendor time ``ticks``."""
        age = ticks - self.born
        current = self.stages[0]
        for stage in self.stages[1:]:
            if age < stage.after:
                break
            current = stage
        return current

    def began(self, stage: Stage) -> float:
        """Vendor time at which ``stage`` begins."""
        return self.born + stage.after


def plan(born: float, steps: Sequence[tuple[float, str]], outcome: str | None = None) -> Timeline:
    """A timeline of ``steps`` (vendor seconds after birth, state), whose last state ``outcome`` replaces.

    :param outcome: a forced last state, :data:`STUCK` for none but the first, or None for the normal course
    """
    stages = [Stage(after, state) for after, state in steps]
    if outcome == STUCK:
        stages = stages[:1]
    elif outcome is not None:
        stages[-1] = Stage(stages[-1].after, outcome)
    return Timeline(born, tuple(stages))
