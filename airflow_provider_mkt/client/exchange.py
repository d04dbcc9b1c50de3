# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One exchange with a vendor: a prepared request goes out, what its answer teaches comes back. Nothing is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.adapter import Adapter, Fence, FenceClosedError, fenced
from airflow_provider_mkt.client.deadline import DEADLINES, Deadline
from airflow_provider_mkt.client.download import BROKEN, CHUNK, MIN_RATE, Download, broke_off
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.client.outcome import Certainty, Outcome, judge_exception, judge_response
from airflow_provider_mkt.client.redaction import guard_urllib3_logs
from airflow_provider_mkt.client.redirect import location_of

MAX_ANSWER = 16 * 1024 * 1024
CONNECTIONS = 32
"""Connections to one host that are kept for the next request."""


@dataclass(frozen=True)
class Settings:
    """How to reach a vendor.

    :param vendor: the vendor's name, for messages
    :param bases: base URLs by name; ``api`` is the main one
    :param headers: sent with every request
    :param connect_timeout: seconds to establish a connection
    :param read_timeout: seconds of silence after which an attempt is given up
    :param whole_timeout: seconds for a whole exchange, from connecting to the last byte; those of a file get more
    :param account: whose threads calls from an event loop run on; by default those of the main base URL
    :param verify: check certificates: True, False, or the path of a CA bundle
    """

    vendor: str
    bases: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    whole_timeout: float = 120.0
    verify: bool | str = True
    account: str = field(default="", repr=False)


class DirectSession(requests.Session):
    """A session that follows no redirect and reads the body of none, and of which no debug output shows anything."""

    def __init__(self) -> None:
        guard_urllib3_logs()
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, Adapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: :mod:`.redirect` decides."""


class Wire:
    """The pooled connections of one client.

    :param headers: sent with every request
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._environment: dict[tuple[str, str, bool | str], Mapping[str, Any]] = {}

    @cached_property
    def session(self) -> requests.Session:
        """The one session of this client."""
        session = DirectSession()
        session.headers.update(self._headers)
        return session

    def close(self) -> None:
        """Close pooled connections."""
        if "session" in self.__dict__:
            self.session.close()

    def exchange(
        self,
        call: Call,
        request: requests.PreparedRequest,
        settings: Settings,
        *,
        stream: bool = False,
        fence: Fence | None = None,
        seconds: float | None = None,
    ) -> tuple[Outcome, Download | None]:
        """Send ``request`` and judge its answer, or what came instead of one.

        :param call: what ``request`` was made from
        :param request: signed and checked
        :param settings: timeouts, and how certificates are checked
        :param stream: leave the body of an answer that is a success to the caller
        :param fence: called when connected, right before the first byte
        :param seconds: what is left of the time for the whole exchange, when a redirect has taken some of it
        :raises Exception: what ``fence`` raises; nothing was sent then
        :return: the outcome, and the body that is still to be read, if it is
        """
        if call.safety is Safety.ONCE:
            # A launch never rides on an idle connection, not even on that of its own token call: the vendor may be
            # closing it this very moment.
            self.session.close()
        usual = settings.whole_timeout if seconds is None else seconds
        patience = usual + _length(request) / MIN_RATE
        with DEADLINES.within(patience) as deadline:
            outcome, response = self._exchange(call, request, settings, deadline, stream=stream, fence=fence)
            if deadline.passed and outcome.known is not Certainty.ANSWERED:
                outcome = replace(outcome, reason=f"it took longer than {patience:.0f} s")
            if response is None:
                return outcome, None
            deadline.keep()
        return outcome, Download(response, deadline, usual)

    def _exchange(
        self,
        call: Call,
        request: requests.PreparedRequest,
        settings: Settings,
        deadline: Deadline,
        *,
        stream: bool,
        fence: Fence | None,
    ) -> tuple[Outcome, requests.Response | None]:
        try:
            with fenced(fence, only_public=call.only_public):
                surroundings = self._surroundings(str(request.url), settings.verify)
                timeout = settings.connect_timeout, settings.read_timeout
                response = self.session.send(request, timeout=timeout, **surroundings)
            if not deadline.passed and location_of(response.status_code, response.headers) is not None:
                # Its body is of no use, and may have no end.
                response.close()
                return _judge_redirect(call, response, following=stream and call.endpoint.download), None
            if stream and _executed(call, response) and not deadline.passed:
                return Outcome(Certainty.ANSWERED, response.status_code), response
            with response:
                return _judge(call, response, deadline), None
        except FenceClosedError as error:
            closed = error.__cause__ or error
        except BROKEN as error:
            return judge_exception(error), None
        raise closed

    def _surroundings(self, url: str, verify: bool | str) -> Mapping[str, Any]:
        """Return the proxies, CA bundle and so on that the environment names for the host of ``url``.

        ``requests`` looks through all variables with every request, which takes longer than the rate budget does. They
        do not change while a process runs, so each host is looked up once.
        """
        parts = urlsplit(url)
        host = parts.scheme, parts.netloc, verify
        if (known := self._environment.get(host)) is None:
            known = self._environment[host] = self.session.merge_environment_settings(url, {}, True, verify, None)
        return known


def _length(request: requests.PreparedRequest) -> int:
    length = str(request.headers.get("Content-Length", ""))
    return int(length) if length.isdecimal() else 0


def _judge(call: Call, response: requests.Response, deadline: Deadline) -> Outcome:
    headers = dict(response.headers.lower_items())
    body = bytearray()
    reason = ""
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > MAX_ANSWER:
                reason = f"the body is larger than {MAX_ANSWER // 1024**2} MB"
                break
    except BROKEN as error:
        reason = broke_off(error)
    if deadline.passed:
        # A body without a length ends with the connection, and this one was ended from here.
        reason = "the body took too long"
    if reason:
        known = Certainty.UNREADABLE if _executed(call, response) else Certainty.UNKNOWN
        return Outcome(known, response.status_code, reason, None, headers)
    return judge_response(call.endpoint, response.status_code, headers, bytes(body), clock.now())


def _judge_redirect(call: Call, response: requests.Response, *, following: bool) -> Outcome:
    headers = dict(response.headers.lower_items())
    if following:
        return Outcome(Certainty.ANSWERED, response.status_code, "", {"location": headers["location"]}, headers)
    return judge_response(call.endpoint, response.status_code, headers, b"", clock.now())


def _executed(call: Call, response: requests.Response) -> bool:
    return 200 <= response.status_code < 300 and response.status_code not in call.endpoint.not_yet
