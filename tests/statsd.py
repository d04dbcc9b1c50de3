# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A StatsD server for tests: a UDP socket that remembers what arrives."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class StatsdServer:
    """Listens on a free port of this machine for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> StatsdServer:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        port = self._socket.getsockname()[1]
        self._socket.sendto(b"", ("127.0.0.1", port))
        self._thread.join(5)
        self._socket.close()

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which Airflow sends its metrics here, with tags in the names as InfluxDB has them."""
        section = "AIRFLOW__METRICS__"
        return {
            f"{section}STATSD_ON": "True",
            f"{section}STATSD_HOST": "127.0.0.1",
            f"{section}STATSD_PORT": str(self._socket.getsockname()[1]),
            f"{section}STATSD_INFLUXDB_ENABLED": "True",
        }

    def lines(self, prefix: str = "airflow.mkt.") -> list[str]:
        """Return what has arrived, in order: ``name,tag=value:number|kind``."""
        with self._lock:
            return [line for line in self._lines if line.startswith(prefix)]

    def _receive(self) -> None:
        while data := self._socket.recv(65_536):
            with self._lock:
                self._lines += data.decode().splitlines()
