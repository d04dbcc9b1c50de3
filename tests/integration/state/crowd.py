# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Processes that share a store, and vendors that count strictly what reaches them."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from sqlalchemy.event import listen

from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import Auth, Token
from airflow_provider_mkt.client.endpoint import Call, Endpoint, Limit, Priority, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import AuthenticationError, OutcomeUnknownError, RateLimitError, ValidationError
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.tokens.shared import Tokens

ACCOUNT = ("strict", "http://vendor", "key")
ENDPOINT = Endpoint("GET", "/{who}", Safety.READ, answer=None)
# New processes are forked from one that has done the imports, so that sixteen of them start at once even on two cores.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["requests", "airflow_provider_mkt.client.api_client", "airflow_provider_mkt.state.tokens.shared"]
)


@dataclass
class Strict:
    """A vendor that permits ``limit.requests`` in any window of ``limit.window`` seconds, by arrival, per key.

    :param headers: whether answers carry ``X-RateLimit-*``
    :param late: by how many seconds a process woke up too late at worst, as they say themselves if they can
    """

    limit: Limit
    headers: bool = False
    late: float = 0.0
    accepted: list[tuple[float, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    _window: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, target: str) -> tuple[int, dict[str, str]]:
        parts = urlsplit(target)
        who = parts.path.lstrip("/")
        with self._lock:
            self.late = max(self.late, *map(float, parse_qs(parts.query).get("late", ["0"])))
            now = time.monotonic()
            while self._window and self._window[0] <= now - self.limit.window:
                self._window.popleft()
            fine = len(self._window) < self.limit.requests
            if fine:
                self._window.append(now)
                self.accepted.append((now, who))
            else:
                self.refused[who] += 1
            left = self.limit.requests - len(self._window)
            reset = self._window[0] + self.limit.window - now
        stated = {"X-RateLimit-Limit": self.limit.requests, "X-RateLimit-Remaining": left, "X-RateLimit-Reset": reset}
        headers = {name: str(value) for name, value in stated.items()} if self.headers else {}
        return (200, headers) if fine else (429, {**headers, "Retry-After": str(math.ceil(reset))})

    def counts(self, until: float, since: float = 0.0) -> Counter[str]:
        """How much of whom was accepted between these seconds after the first."""
        first = self.accepted[0][0]
        return Counter(who for moment, who in self.accepted if first + since <= moment < first + until)

    def permitted(self, seconds: float) -> int:
        """How much can be accepted at most in the seconds after the first: a burst whenever the window opens."""
        return self.limit.requests * math.ceil(seconds / self.limit.window)

    def told(self, seconds: float, names: Iterable[str]) -> str:
        """Say how it went for these in the seconds after the first request."""
        counts = self.counts(seconds)
        each = [counts[name] for name in names]
        best, steady = self.permitted(seconds), self.limit.requests * seconds / self.limit.window
        shares = f"{counts.total() / best:.1%} of the most that fits, {counts.total() / steady:.1%} of rate x time"
        served = f"served {min(each)} to {max(each)} each"
        refused = f"{sum(self.refused.values())} refused"
        return (
            f"{counts.total()} in {seconds:.0f} s: {shares}; {refused}; {served}; overslept {self.late * 1000:.0f} ms"
        )


@contextmanager
def serve(answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Serve GET requests: ``answer`` maps a path to status, headers and body; what it raises is raised in the end."""
    failures: list[BaseException] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            error = sys.exc_info()[1]
            # Clients are killed in these tests; their connections break.
            if error and not isinstance(error, ConnectionError):
                failures.append(error)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if failures:
            raise failures[0]


class Sleep:
    """``time.sleep`` that notes by how much it overslept at worst: that is the machine's doing, not the budget's."""

    def __init__(self) -> None:
        self._sleep, self.overslept = time.sleep, 0.0

    def __call__(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        self._sleep(seconds)
        self.overslept = max(self.overslept, time.monotonic() - due)


class NoAuth(Auth):
    def __call__(self, request: Any) -> Any:
        return request


def consume(  # noqa: PLR0917
    url: str, base: str, limit: Limit, share: float, who: str, skew: float, ahead: Any, start: Any
) -> None:
    """Send as much as the budget permits, until killed.

    :param skew: seconds that this process's clock is ahead
    :param ahead: seconds that the database's clock is ahead, as a shared number; for SQLite, whose clock is its host's
    """
    real = time.time
    time.time = lambda: real() + skew
    sleep = Sleep()
    time.sleep = sleep
    used = Store(url)
    if used.kind == "sqlite" and ahead is not None:
        set_sqlite_ahead(used, real, ahead)
    budget = SharedBudget(ACCOUNT, {"default": limit}, share, lambda: used)
    client = ApiClient(Settings("Strict", {"api": base}), NoAuth(), budget, Redactor())
    used.run(lambda _: None)
    start.wait()
    while True:
        client.send(Call(ENDPOINT, path={"who": who}, query={"late": f"{sleep.overslept:.6f}"}))


def set_sqlite_ahead(used: Store, real: Callable[[], float], ahead: Any) -> None:
    """Have SQLite read a host's clock that is ``ahead`` of this one's."""

    def julian_day(_: str) -> float:
        return (real() + ahead.value) / 86400.0 + 2440587.5

    listen(used._engine, "connect", lambda connection, _: connection.create_function("julianday", 1, julian_day))


def fill_queue(url: str, limit: Limit, number: int) -> None:
    """Ask for slots for reads that wait for news."""
    used = Store(url)
    budget = SharedBudget(ACCOUNT, {"default": limit}, 1.0, lambda: used)
    for _ in range(number):
        with contextlib.suppress(RateLimitError):
            budget.reserve(("default",), Priority.POLL)


@contextmanager
def crowd(target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> Iterator[list[BaseProcess]]:
    """Run one process per tuple of arguments. They start work together, and are killed in the end."""
    start = PROCESSES.Barrier(len(arguments) + 1)
    processes = [PROCESSES.Process(target=target, args=(*each, start), daemon=True) for each in arguments]
    for process in processes:
        process.start()
    try:
        start.wait(120)
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


@dataclass
class TokenVendor:
    """A vendor of tokens over HTTP. ``/token`` issues one; ``/refresh?token=…`` exchanges a single-use one.

    :param grace: whether the refresh token spent last is accepted once more
    """

    grace: bool = False
    valid: str = "refresh-0"
    former: str = ""
    issued: int = 0
    spent_again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        with self.lock:
            if parts.path == "/refresh":
                sent = parse_qs(parts.query)["token"][0]
                if sent != self.valid:
                    self.spent_again += 1
                    if not (self.grace and sent == self.former):
                        return 400, {}, b'{"error": "invalid_grant"}'
                self.issued += 1
                self.former, self.valid = sent, f"refresh-{self.issued}"
            else:
                self.issued += 1
            answer = {"access": f"access-{self.issued}", "refresh": self.valid}
        time.sleep(0.05)
        return 200, {}, json.dumps(answer).encode()


def fetch_from(base: str) -> Token:
    with urlopen(f"{base}/token") as response:
        return Token(json.load(response)["access"], 3600.0)


def refresh_at(base: str, refresh_token: str) -> Token:
    try:
        with urlopen(f"{base}/refresh?token={refresh_token}") as response:
            answer = json.load(response)
    except OSError as error:
        if getattr(error, "code", None) == 400:
            raise ValidationError("refused (HTTP 400)", status=400, code="invalid_grant") from None
        raise OutcomeUnknownError("the connection broke") from None
    return Token(answer["access"], 3600.0, answer["refresh"])


def tokens_over(url: str, keys: str, lease: float = 30.0) -> Tokens:
    used, encryptor = Store(url), Encryptor(keys)
    return Tokens(lambda: used, lambda: encryptor, lease=lease, mask=lambda _: None)


def get_token(url: str, keys: str, base: str, results: Any, start: Any) -> None:
    tokens = tokens_over(url, keys)
    start.wait()
    results.put(tokens.get("account", lambda: fetch_from(base)))


def force_rotation(url: str, keys: str, base: str, results: Any, start: Any) -> None:
    tokens = tokens_over(url, keys)
    before = tokens.get_rotating("account", "refresh-0", lambda token: refresh_at(base, token))
    start.wait()
    tokens.discard("account", before)
    results.put(tokens.get_rotating("account", "refresh-0", lambda token: refresh_at(base, token)))


STEPS = ["before the journal", "journal open", "answer under way", "successor in the transaction", "successor stored"]
LOSING = STEPS[2:4]


def die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def rotate_and_die(url: str, keys: str, base: str, step: str, start: Any) -> None:
    """Begin a rotation and be killed at a step of it."""
    from airflow_provider_mkt.state.tokens import rotation, table

    def refresh(refresh_token: str) -> Token:
        if step == "journal open":
            die()
        token = refresh_at(base, refresh_token)
        if step == "answer under way":
            die()
        return token

    def patch(owner: Any, name: str, *, after: bool) -> None:
        original = getattr(owner, name)

        def patched(*arguments: Any, **more: Any) -> Any:
            if after:
                original(*arguments, **more)
            return die()

        setattr(owner, name, patched)

    if step == "before the journal":
        patch(rotation.Rotation, "_begin", after=True)
    elif step == "successor in the transaction":
        patch(table.TokenRow, "set_access", after=True)
    elif step == "successor stored":
        patch(rotation.Rotation, "save_patiently", after=True)
    tokens = tokens_over(url, keys, lease=0.3)
    start.wait()
    tokens.get_rotating("account", "refresh-0", refresh)


def recover(url: str, keys: str, base: str, results: Any, start: Any) -> None:
    """Ask three times for a token, after somebody died."""
    tokens = tokens_over(url, keys, lease=0.3)
    start.wait()
    for _ in range(3):
        with contextlib.suppress(ValueError):
            try:
                results.put(tokens.get_rotating("account", "refresh-0", lambda token: refresh_at(base, token)))
            except AuthenticationError as error:
                results.put(str(error))
