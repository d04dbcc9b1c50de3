# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Running the sandbox: in this process until interrupted, or in the background of a test."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from types import FrameType, TracebackType
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import uvicorn

from airflow_provider_mkt.sandbox.address import listen, url_host
from airflow_provider_mkt.sandbox.connections import connections
from airflow_provider_mkt.sandbox.engine.vendor import Vendor
from airflow_provider_mkt.sandbox.http.app import build
from airflow_provider_mkt.sandbox.http.protocol import BreakableProtocol
from airflow_provider_mkt.sandbox.simulation import Simulation
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS

START_DEADLINE = 20.0
"""Seconds after which a start in the background is given up."""

_opener = build_opener(ProxyHandler({}))


class _Server(uvicorn.Server):
    """uvicorn's server, with a word when connections are accepted."""

    def __init__(self, config: uvicorn.Config, simulation: Simulation, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._simulation = simulation
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets=sockets)
        self._webhooks = asyncio.create_task(self._simulation.world.outbox.run(self._simulation.look))
        self._webhooks.add_done_callback(_ended)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. From Python 3.12 on asyncio waits for every connection, also for one that hangs on purpose."""
        self._webhooks.cancel()
        if self.force_exit:
            for connection in tuple(self.server_state.connections):
                connection.transport.abort()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and cut off requests that hang on purpose rather than wait for them."""
        super().handle_exit(sig, frame)
        self.force_exit = True


def _ended(webhooks: asyncio.Task[None]) -> None:
    if not webhooks.cancelled() and (error := webhooks.exception()) is not None:
        logging.getLogger(__name__).error("The sandbox sends no more webhooks.", exc_info=error)


def _server(
    simulation: Simulation,
    *,
    host: str,
    public_url: str | None,
    log_requests: bool,
    ready: Callable[[], None],
) -> _Server:
    application = build(simulation, host=host, public_url=public_url, log_requests=log_requests)
    config = uvicorn.Config(
        application,
        http=BreakableProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
    # Complaints about requests carry paths; only crashes of the sandbox itself are worth a line.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return _Server(config, simulation, ready)


def serve(
    listener: socket.socket,
    *,
    host: str,
    simulation: Simulation,
    public_url: str | None = None,
    log_requests: bool = False,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    :param simulation: the vendors
    :param host: name or address that ``listener`` was bound to
    :param ready: called once connections are accepted
    """
    server = _server(simulation, host=host, public_url=public_url, log_requests=log_requests, ready=ready)
    # uvicorn raises the signal again after its orderly shutdown; both of them end here instead of killing the process.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, previous)
        listener.close()


class Sandbox:
    """A sandbox in a background thread, for tests and demos.

    .. code-block:: python

        with Sandbox(speed=60) as sandbox:
            requests.get(sandbox.url + "/flokit/v1/integrations", ...)
            assert sandbox.ledger(effect="sync.started") == []

    :param speed: vendor seconds in one real second
    :param host: address to listen on
    :param port: 0 for a free one
    :param vendor_types: the simulated vendors
    :param switches: assumed facts that differ from the start, also after a reset
    :param webhooks_to: scheme, host and port to which all webhooks go; None: only webhooks for this machine are sent
    :param real: what gives real time (Unix seconds); by default this machine's clock
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        vendor_types: Sequence[type[Vendor]] = VENDORS,
        switches: Mapping[str, Any] | None = None,
        webhooks_to: str | None = None,
        real: Callable[[], float] | None = None,
    ) -> None:
        self.speed = speed
        self._webhooks_to = webhooks_to
        self._real = real
        self._switches = switches
        self.vendor_types = vendor_types
        self._host = host
        self._port = port
        self.url = ""

    def __enter__(self) -> Sandbox:
        self._listener = listen(self._host, self._port)
        self.url = f"http://{url_host(self._host)}:{self._listener.getsockname()[1]}"
        ready = threading.Event()
        simulation = Simulation(
            self.speed,
            vendor_types=self.vendor_types,
            switches=self._switches,
            webhooks_to=self._webhooks_to,
            real=self._real,
        )
        self._world = simulation.world
        self._server = _server(simulation, host=self._host, public_url=self.url, log_requests=False, ready=ready.set)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(START_DEADLINE):
            raise RuntimeError("the sandbox did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        # Requests that hang on purpose are cut off rather than waited for.
        self._server.force_exit = True
        self._thread.join(START_DEADLINE)
        self._listener.close()

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """The Airflow connections to this sandbox, by id."""
        return connections(self.url, self.vendor_types)

    def reset(self) -> None:
        """Back to the first moment."""
        self.order("POST", "reset")

    def seed(self, **kinds: Mapping[str, Any]) -> None:
        """Add data in bulk: ``seed(flinque={"attribution_orders": 1000})``."""
        self.order("POST", "seed", kinds)

    def ledger(
        self,
        vendor: str | None = None,
        effect: str | None = None,
        reference: str | None = None,
        since: int | None = None,
    ) -> list[dict[str, Any]]:
        """Side effects, newest last; ``since`` leaves out the first ones."""
        return self._list("ledger", vendor=vendor, effect=effect, reference=reference, since=since)

    def requests(self, vendor: str | None = None, since: int | None = None) -> list[dict[str, Any]]:
        """The request log."""
        return self._list("requests", vendor=vendor, since=since)

    def latest(self) -> tuple[int, int]:
        """How many side effects there are, and the ``seq`` of the latest request: what ``since`` takes."""
        return len(self._world.ledger), self._world.request_log.latest

    def fault(self, route: str, kind: str, **parameters: Any) -> int:
        """Order a fault; returns its number."""
        return int(self.order("POST", "faults", {"route": route, "kind": kind, **parameters})["id"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.order("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        """Move vendor time ahead."""
        self.order("POST", "clock", {"advance": seconds})

    def switch(self, changes: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Change assumed facts by full name; in keywords the first ``__`` stands for the dot."""
        self.order("POST", "switches", _names(changes, more))

    def limits(self, changes: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Override rate limits by bucket; in keywords the first ``__`` stands for the dot."""
        self.order("POST", "limits", _names(changes, more))

    def outcome(
        self,
        vendor: str,
        outcome: str,
        *,
        match: str | None = None,
        count: int | None = 1,
        limit: int | None = None,
    ) -> None:
        """Force how the next matching object ends."""
        order = {"vendor": vendor, "outcome": outcome, "match": match, "count": count, "limit": limit}
        self.order("POST", "outcomes", order)

    def webhooks(self, **order: Any) -> None:
        """Say where webhooks go: ``target`` for all of them, ``callbacks`` by vendor."""
        self.order("POST", "webhooks", order)

    def emit(self, vendor: str, event: str, data: Mapping[str, Any]) -> None:
        """Have a vendor tell of an event."""
        self.order("POST", "events", {"vendor": vendor, "event": event, "data": data})

    def deliveries(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """Webhooks that were sent, or wait for that, the oldest first."""
        return self._list("deliveries", vendor=vendor)

    def credentials(self) -> dict[str, Any]:
        """Everything that is accepted as a credential at the moment."""
        found: dict[str, Any] = self.order("GET", "credentials")
        return found

    def order(self, method: str, path: str, content: Any = None) -> Any:
        """Call the control API.

        :raises urllib.error.HTTPError: the order was refused; its text says why
        """
        body = None if content is None else json.dumps(content).encode()
        request = Request(f"{self.url}/__sandbox__/{path}", data=body, method=method)  # noqa: S310 - own address
        try:
            with _opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            said = error.read()
            raise HTTPError(error.url, error.code, _problem(said), error.headers, BytesIO(said)) from None

    def _list(self, path: str, **filters: Any) -> list[dict[str, Any]]:
        query = urlencode({key: value for key, value in filters.items() if value is not None})
        found: list[dict[str, Any]] = self.order("GET", f"{path}?{query}")
        return found


def _problem(said: bytes) -> str:
    return str(json.loads(said).get("error") or said.decode())


def _names(changes: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    return {**(changes or {}), **{name.replace("__", ".", 1): value for name, value in more.items()}}
