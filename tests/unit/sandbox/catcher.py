# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An address that webhooks are sent to, and what came there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 10.0


@dataclass(frozen=True)
class Caught:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Catcher:
    """Keeps what comes, and answers with the statuses that it is told, then with 200."""

    def __init__(self) -> None:
        self.caught: list[Caught] = []
        self.answers: list[int] = []
        self.location = ""
        self.hang = threading.Event()
        self.hang.set()
        self._news = threading.Condition()
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                catcher.hang.wait(PATIENCE)
                with catcher._news:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    catcher.caught.append(Caught(self.path, headers, body, time.monotonic()))
                    status = catcher.answers.pop(0) if catcher.answers else 200
                    catcher._news.notify_all()
                self.send_response(status)
                if catcher.location:
                    self.send_header("Location", catcher.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Catcher:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self, count: int) -> list[Caught]:
        """Return what came, as soon as there is so much."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.caught) >= count, PATIENCE), f"only {len(self.caught)} came"
            return list(self.caught)


def until(answer: Callable[[], Any]) -> Any:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
