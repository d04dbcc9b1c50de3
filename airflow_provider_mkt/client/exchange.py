# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One exchange with a vendor: a prepared request goes out, what its answer teaches comes back. Nothing is repeated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_mkt.client.adapter import Adapter, Fence, FenceClosedError, fenced
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.client.outcome import Certainty, Outcome, judge_exception, judge_response
from airflow_provider_mkt.client.redaction import guard_urllib3_logs

MAX_ANSWER = 16 * 1024 * 1024
CHUNK = 64 * 1024
CONNECTIONS = 32
"""Connections to one host that are kept for the next request."""
BROKEN = (requests.RequestException, HTTPError, OSError)
"""What reading from a connection may raise."""


@dataclass(frozen=True)
class Settings:
    """How to reach a vendor.

    :param vendor: the vendor's name, for messages
    :param bases: base URLs by name; ``api`` is the main one
    :param headers: sent with every request
    :param connect_timeout: seconds to establish a connection
    :param read_timeout: seconds of silence after which an attempt is given up
    :param whole_timeout: seconds after which an answer that only trickles in is given up
    :param verify: check certificates: True, False, or the path of a CA bundle
    """

    vendor: str
    bases: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    whole_timeout: float = 120.0
    verify: bool | str = True


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
        guard_urllib3_logs()
        session = requests.Session()
        session.headers.update(self._headers)
        adapter = Adapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
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
    ) -> tuple[Outcome, requests.Response | None]:
        """Send ``request`` and judge its answer, or what came instead of one.

        :param call: what ``request`` was made from
        :param request: signed and checked
        :param settings: timeouts, and how certificates are checked
        :param stream: leave the body of an answer that is a success to the caller
        :param fence: called when connected, right before the first byte
        :raises Exception: what ``fence`` raises; nothing was sent then
        :return: the outcome, and the response whose body is still to be read, if it is
        """
        if call.safety is Safety.ONCE:
            # A launch never rides on an idle connection, not even on that of its own token call: the vendor may be
            # closing it this very moment.
            self.session.close()
        surroundings = self._surroundings(str(request.url), settings.verify)
        try:
            with fenced(fence):
                response = self.session.send(
                    request,
                    timeout=(settings.connect_timeout, settings.read_timeout),
                    allow_redirects=_follows(call),
                    **surroundings,
                )
            if stream and _executed(call, response):
                return Outcome(Certainty.ANSWERED, response.status_code), response
            with response:
                return _judge(call, response, settings.whole_timeout), None
        except FenceClosedError as error:
            closed = error.__cause__ or error
        except (*BROKEN, ValueError) as error:
            # A ValueError is a Location that makes no sense: the request itself was checked before.
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


def _judge(call: Call, response: requests.Response, patience: float) -> Outcome:
    headers = dict(response.headers.lower_items())
    body = bytearray()
    deadline = time.monotonic() + patience
    reason = ""
    try:
        # read1 returns what has arrived, so that the deadline also ends a body that comes byte by byte.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > MAX_ANSWER:
                reason = f"the body is larger than {MAX_ANSWER // 1024**2} MB"
            elif time.monotonic() > deadline:
                reason = f"the body took longer than {patience:.0f} s"
            if reason:
                break
    except BROKEN as error:
        reason = broke_off(error)
    if reason:
        known = Certainty.UNREADABLE if _executed(call, response) else Certainty.UNKNOWN
        return Outcome(known, response.status_code, reason, None, headers)
    return judge_response(call.endpoint, response.status_code, headers, bytes(body), time.time())


def broke_off(error: BaseException) -> str:
    """Say why a body ended early."""
    return f"the body broke off: {judge_exception(error).reason}"


def _executed(call: Call, response: requests.Response) -> bool:
    return 200 <= response.status_code < 300 and response.status_code not in call.endpoint.not_yet


def _follows(call: Call) -> bool:
    """Say whether redirects are followed: never with a body, nor with credentials in the query."""
    endpoint = call.endpoint
    return endpoint.method == "GET" and not endpoint.redirect and (endpoint.authenticated or call.link is not None)
