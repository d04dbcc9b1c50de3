# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What all vendors of one sandbox share: time, ledger, request log, faults, limits, switches. It knows no vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_mkt.sandbox.engine.clock import Clock
from airflow_provider_mkt.sandbox.engine.faults import Faults
from airflow_provider_mkt.sandbox.engine.forced_outcomes import ForcedOutcomes
from airflow_provider_mkt.sandbox.engine.idempotency import Replays
from airflow_provider_mkt.sandbox.engine.ledger import Ledger
from airflow_provider_mkt.sandbox.engine.limits import Limit, RateLimits
from airflow_provider_mkt.sandbox.engine.outbox import Outbox
from airflow_provider_mkt.sandbox.engine.request_log import RequestLog
from airflow_provider_mkt.sandbox.engine.switches import Switch, Switches


class World:
    """The shared state of one sandbox.

    :param speed: vendor seconds in one real second
    :param limits: rate limits by full name, such as ``flow_social.post_creation``
    :param switches: assumed facts by full name, such as ``flow_living.token_lifetime``
    :param real: what gives real time (Unix seconds); by default this machine's clock
    """

    def __init__(
        self,
        speed: float,
        limits: Mapping[str, Limit],
        switches: Mapping[str, Switch],
        real: Callable[[], float] | None = None,
    ) -> None:
        self.clock = Clock(speed, real)
        self.ledger = Ledger()
        self.request_log = RequestLog()
        self.faults = Faults()
        self.forced_outcomes = ForcedOutcomes()
        self.replays = Replays(self.clock.shelf)
        self.switches = Switches(switches)
        self.limits = RateLimits(limits, self.clock.now)
        self.outbox = Outbox(self.clock.now)

    def reset(self) -> None:
        """Back to the first moment: no faults, default switches and limits, empty ledger and log."""
        self.clock.reset()
        for part in (self.ledger, self.request_log, self.faults, self.forced_outcomes, self.replays, self.outbox):
            part.clear()
        self.switches.reset()
        self.limits.reset()
