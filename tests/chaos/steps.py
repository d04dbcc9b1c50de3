# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The steps of a launch, and how to make something happen at exactly one of them, in the process that takes it.

Everything hooks in below the provider: where Airflow's task state store, ``requests``, ``urllib3`` and ``http.client``
are called. The provider runs as it is.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn

SUBMISSIONS = (
    "/campaigns",
    "/campaigns/publish",
    "/media/upload",
    "/posts",
    "/posts/batch",
    "/reports/generate",
    "/segments",
    "/subscribers",
    "/subscribers/batch",
    "/sync",
    "/webhooks",
)
"""How the addresses of the requests end that start something."""
RECORD = "mkt.submission."


class Step(str, Enum):
    """Where a launch can be interrupted, in order."""

    BEFORE_INTENT = "before the intent"
    AFTER_INTENT = "after the intent"
    CONNECTED = "after connect"
    LEAVING = "after the record says that it leaves"
    SENT = "after the last byte of the request"
    PROCESSED = "after the vendor processed it"
    FIRST_BYTE = "after the first byte of the response"
    ANSWERED = "after the response"
    BEFORE_RECEIPT = "before the receipt"
    RECEIPT = "after the receipt"
    DEFERRING = "before the deferral"
    TRIGGER = "in the trigger"
    RESUMED = "on resume"


Act = Callable[[], None]

struck: list[str] = []
"""What happened in this process."""


def die() -> NoReturn:
    """End this process as the system's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Once:
    """Does something the first time it is called, and nothing later."""

    def __init__(self, act: Act) -> None:
        self._act: Act | None = act

    def __call__(self) -> None:
        act, self._act = self._act, None
        if act:
            struck.append("a step")
            act()


def around(owner: Any, name: str, *, before: Callable[..., None] | None = None, after: Any = None) -> None:
    """Have ``before`` and ``after`` called with the arguments of the method ``name`` of ``owner``."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            before(*args, **kwargs)
        result = real(*args, **kwargs)
        if after:
            after(*args, **kwargs)
        return result

    setattr(owner, name, wrapped)


def is_submission(request: Any) -> bool:
    """Whether a prepared request starts something at a vendor."""
    return bool(request.method == "POST" and request.path_url.partition("?")[0].endswith(SUBMISSIONS))


class Wire:
    """Tells the request that submits something from all the others of this process.

    :param fresh: that request finds no connection that is still open
    """

    def __init__(self, *, fresh: bool = False) -> None:
        import requests

        self.submitting, self._fresh = False, fresh
        around(requests.Session, "send", before=self._begin, after=self._end)

    def _begin(self, session: Any, request: Any, **_: Any) -> None:
        self.submitting = is_submission(request)
        if self.submitting and self._fresh:
            session.close()

    def _end(self, *_: Any, **__: Any) -> None:
        self.submitting = False

    def at(self, owner: Any, name: str, act: Callable[..., None], *, early: bool = False) -> None:
        """Call ``act`` with the arguments of a method that is used while submitting, after it or before it."""

        def seen(*args: Any, **_: Any) -> None:
            if self.submitting:
                act(*args)

        around(owner, name, **{"before" if early else "after": seen})


def step_of(value: dict[str, Any]) -> str:
    """Name the step of a submission that writes this record."""
    return "leaving" if value.get("state") == "intent" and value.get("sent") else str(value.get("state"))


def on_write(store: Any, step: str, act: Act, *, early: bool = False) -> None:
    """Act when a submission's record of this step is written to the task state store: before or after."""

    def seen(*args: Any, **_: Any) -> None:
        key, value = args[-2:]
        if str(key).startswith(RECORD) and isinstance(value, dict) and step_of(value) == step:
            act()

    around(store, "set", **{"before" if early else "after": seen})


def on_answer(act: Callable[[Any], None]) -> None:
    """Act when the whole answer to a submission was read, on the response."""
    import requests

    def seen(response: Any) -> None:
        if is_submission(response.request):
            act(response)

    around(requests.Response, "close", after=seen)


def arm(step: Step, act: Act, store: Any) -> None:
    """Have ``act`` called when this process takes ``step`` for the first time.

    :param store: the task state store, an object or its class
    """
    from http.client import HTTPResponse

    from airflow.sdk import BaseOperator
    from urllib3.connection import HTTPConnection

    once = Once(act)
    simple: dict[Step, Callable[[], None]] = {
        Step.BEFORE_INTENT: lambda: on_write(store, "intent", once, early=True),
        Step.AFTER_INTENT: lambda: on_write(store, "intent", once),
        Step.CONNECTED: lambda: Wire(fresh=True).at(HTTPConnection, "connect", lambda *_: once()),
        Step.LEAVING: lambda: on_write(store, "leaving", once),
        Step.SENT: lambda: Wire().at(HTTPConnection, "getresponse", lambda *_: once(), early=True),
        Step.FIRST_BYTE: lambda: Wire().at(HTTPResponse, "begin", lambda *_: once()),
        Step.ANSWERED: lambda: on_answer(lambda _: once()),
        Step.BEFORE_RECEIPT: lambda: on_write(store, "submitted", once, early=True),
        Step.RECEIPT: lambda: on_write(store, "submitted", once),
        Step.DEFERRING: lambda: around(BaseOperator, "defer", before=lambda *_, **__: once()),
        Step.RESUMED: lambda: around(store, "get", before=lambda *_, **__: once()),
    }
    simple[step]()


def lose_network(response: Any) -> None:
    """From now on this process reaches nobody, not even over the connection of ``response``."""
    struck.append("no network")
    response.connection.close()
    lose_names()


def lose_names() -> None:
    """From now on no name is resolved in this process."""

    def getaddrinfo(*_: Any, **__: Any) -> NoReturn:
        struck.append("no name")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    socket.getaddrinfo = getaddrinfo


def lead_astray(port: int) -> None:
    """From now on every new connection of this process goes to ``port``, where nobody listens."""

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    socket.getaddrinfo = getaddrinfo


def cut_after_connect() -> None:
    """Break the connection of the first submission right after it is made, before its first byte."""
    from urllib3.connection import HTTPConnection

    def cut(connection: Any) -> None:
        if not struck:
            struck.append("cut")
            connection.sock.shutdown(socket.SHUT_RDWR)

    Wire(fresh=True).at(HTTPConnection, "connect", cut)


def arm_plain(step: Step, act: Act) -> None:
    """Do the same to a task that keeps no records: what would be a step of the record is the moment beside it."""
    import requests

    if step in {Step.CONNECTED, Step.SENT, Step.FIRST_BYTE}:
        arm(step, act, None)
    elif step is Step.BEFORE_INTENT:
        act()
    else:
        early = step is Step.AFTER_INTENT

        def seen(_session: Any, request: Any, **_: Any) -> None:
            if is_submission(request):
                act()

        around(requests.Session, "send", **{"before" if early else "after": seen})
