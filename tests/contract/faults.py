# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What may go wrong on the way to a vendor and back: each fault prepares a stage, and spoils attempts when told to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.contract.wire import VENDOR_HOST, Proxy, Raw, Relay, Resolver, closed_port, deaf_port, server_context

PATIENCE = 0.5
"""Seconds of read timeout where one attempt has to time out and the next one to succeed."""
IMPATIENCE = 0.05


@dataclasses.dataclass
class Stage:
    """Where one case plays: the sandbox, the way to it, and what is broken on that way."""

    sandbox: Sandbox
    certificates: dict[str, Path]
    stack: ExitStack
    base: str = ""
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    warm: bool = False
    break_it: Callable[[int], None] = lambda times: None
    """Called with the number of attempts to spoil once everything else is prepared."""

    @property
    def port(self) -> int:
        return int(self.sandbox.url.rsplit(":", 1)[1])

    def enter(self, manager: Any) -> Any:
        return self.stack.enter_context(manager)


Arm = Callable[[Stage, str], None]


def sandbox_fault(kind: str, **parameters: Any) -> Arm:
    """The sandbox itself misbehaves on the route."""

    def arm(stage: Stage, route: str) -> None:
        stage.base = stage.sandbox.url
        pattern = route + ("*" if route.endswith("/") else "")
        stage.break_it = lambda times: stage.sandbox.fault(pattern, kind, count=times, **parameters) and None

    return arm


def timeout(when: str) -> Arm:
    """The answer comes too late."""

    def arm(stage: Stage, route: str) -> None:
        stage.base = stage.sandbox.url
        pattern = route + ("*" if route.endswith("/") else "")

        def break_it(times: int) -> None:
            patience = PATIENCE if times == 1 else IMPATIENCE
            stage.settings["read_timeout"] = patience
            stage.sandbox.fault(pattern, "delay", seconds=patience * 2, when=when, count=times)

        stage.break_it = break_it

    return arm


def slow(stage: Stage, route: str) -> None:
    """The answer trickles in, for longer than anyone waits."""
    sandbox_fault("slow_body", seconds=0.9, pieces=40)(stage, route)
    order = stage.break_it

    def break_it(times: int) -> None:
        stage.settings["whole_timeout"] = PATIENCE if times == 1 else IMPATIENCE
        order(times)

    stage.break_it = break_it


def cut(kind: str, **parameters: Any) -> Arm:
    """An error answer that ends in the middle of its body."""

    def arm(stage: Stage, route: str) -> None:
        relay = stage.enter(Relay(stage.port))
        stage.base = relay.url
        pattern = route + ("*" if route.endswith("/") else "")

        def break_it(times: int) -> None:
            stage.sandbox.fault(pattern, kind, count=times, **parameters)
            relay.cut = 5
            if times == 1:
                # The second connection is sound again.
                serve, served = relay.serve, itertools.count()

                def once(client: Any) -> None:
                    relay.cut = 5 if next(served) == 0 else None
                    serve(client)

                relay.serve = once  # type: ignore[method-assign]

        stage.break_it = break_it

    return arm


def stale(stage: Stage, route: str) -> None:
    """The kept-alive connection is closed by the server just when the request arrives on it."""
    relay = stage.enter(Relay(stage.port))
    relay.stale = True
    stage.base, stage.warm = relay.url, True


def _resolved(stage: Stage, bad: int | None, good: int) -> None:
    resolver = stage.enter(Resolver(good).installed())
    stage.break_it = lambda times: resolver.failures.extend([bad] * times)


def no_name(stage: Stage, route: str) -> None:
    stage.base = f"http://{VENDOR_HOST}:1"
    _resolved(stage, None, stage.port)


def refused(stage: Stage, route: str) -> None:
    stage.base = f"http://{VENDOR_HOST}:2"
    _resolved(stage, stage.enter(closed_port()), stage.port)


def connect_timeout(stage: Stage, route: str) -> None:
    stage.base = f"http://{VENDOR_HOST}:3"
    stage.settings["connect_timeout"] = 0.06
    _resolved(stage, stage.enter(deaf_port()), stage.port)


def _behind_tls(stage: Stage, number: int) -> int:
    stage.base = f"https://{VENDOR_HOST}:{number}"
    stage.extra["verify"] = str(stage.certificates["trusted"])
    relay: Relay = stage.enter(Relay(stage.port, server_context(stage.certificates["trusted"])))
    return relay.port


def untrusted(stage: Stage, route: str) -> None:
    good = _behind_tls(stage, 4)
    _resolved(stage, stage.enter(Relay(stage.port, server_context(stage.certificates["untrusted"]))).port, good)


def no_tls(stage: Stage, route: str) -> None:
    good = _behind_tls(stage, 5)
    _resolved(stage, stage.port, good)


def handshake_cut(stage: Stage, route: str) -> None:
    good = _behind_tls(stage, 6)
    listener = Raw(b"")
    listener.serve = lambda client: None  # type: ignore[method-assign]
    _resolved(stage, stage.enter(listener).port, good)


def proxy(refusal: bytes) -> Arm:
    """A proxy that is asked for a tunnel, and does not give it."""

    def arm(stage: Stage, route: str) -> None:
        target = _behind_tls(stage, 7)
        gate = stage.enter(Proxy(target, refusal, 0))
        stage.environment["HTTPS_PROXY"] = gate.url
        stage.break_it = lambda times: setattr(gate, "refusals", times)

    return arm


def proxy_away(stage: Stage, route: str) -> None:
    target = _behind_tls(stage, 8)
    stage.environment["HTTPS_PROXY"] = f"http://{VENDOR_HOST}:8"
    _resolved(stage, stage.enter(closed_port()), stage.enter(Proxy(target, b"", 0)).port)
