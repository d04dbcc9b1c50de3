# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The body of an answer that is read piece by piece, for files of any size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_mkt.client.deadline import DEADLINES, Deadline
from airflow_provider_mkt.client.outcome import judge_exception

CHUNK = 64 * 1024
MIN_RATE = 16 * 1024
"""Bytes a second. What is sent or downloaded gets the time that it takes at this rate, besides the usual one."""
BROKEN = (requests.RequestException, HTTPError, OSError)
"""What reading from a connection may raise."""


class Download:
    """A body that is read while it arrives. The time that the reader takes does not count.

    :param response: the answer, whose head was read
    :param deadline: ends the connection
    :param seconds: how long the body may take beyond what its size takes at 16 KiB a second
    """

    def __init__(self, response: requests.Response, deadline: Deadline, seconds: float) -> None:
        self._response, self._deadline, self._seconds = response, deadline, seconds
        self.status = response.status_code

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._deadline.release()

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._response.iter_content(CHUNK)
        left = self._seconds
        while True:
            begun = time.monotonic()
            try:
                with DEADLINES.running(self._deadline, left):
                    chunk = next(chunks, None)
            finally:
                if self._deadline.passed:
                    # A body without a length ends with the connection, and this one was ended from here.
                    raise TimeoutError(f"it came slower than {MIN_RATE // 1024} KiB/s for {self._seconds:.0f} s")
            if chunk is None:
                return
            left = min(self._seconds, left - (time.monotonic() - begun) + len(chunk) / MIN_RATE)
            yield chunk


def broke_off(error: BaseException) -> str:
    """Say why a body ended early."""
    return f"the body broke off: {judge_exception(error).reason}"
