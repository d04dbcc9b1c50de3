# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Those who wait for a token get what became of the call, and wait no longer than they must."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
)
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.tokens.cache import READ_AGAIN
from airflow_provider_mkt.state.tokens.live import say_that_keys_differ
from airflow_provider_mkt.state.tokens.table import MAX_LEASE, TokenRow, change
from tests.unit.state.tokens.vendor import (
    DAY,
    KEY,
    Fetching,
    Make,
    Rotating,
    until,
)

ERRORS = [
    NotSentError("no route", vendor="Flow Living"),
    OutcomeUnknownError("timed out"),
    ServerError("failed", status=502),
    RateLimitError("slow down", status=429, retry_after=7.0),
    AuthenticationError("no", status=401),
    MalformedResponseError("HTML", executed=True, status=200),
]


class TestOneFailureAnswersAll:
    """A vendor whose token endpoint is silent costs one series of tries, not one for each who waits."""

    def failures(
        self, ask: list[Callable[[], str]], calling: threading.Event, answer: threading.Event
    ) -> list[ApiError]:
        failed: list[ApiError] = []

        def one(work: Callable[[], str]) -> None:
            try:
                work()
            except ApiError as error:
                failed.append(error)

        threads = [threading.Thread(target=one, args=(work,)) for work in ask]
        threads[0].start()
        assert calling.wait(10)
        for thread in threads[1:]:
            thread.start()
        until(lambda: self.waiting >= len(ask) - 1)
        answer.set()
        for thread in threads:
            thread.join()
        return failed

    @pytest.fixture(autouse=True)
    def nobody_waits_yet(self) -> None:
        self.waiting = 0

    @pytest.mark.parametrize("rotating", [False, True], ids=["fetched", "rotating"])
    @pytest.mark.parametrize("error", ERRORS[:4:3], ids=lambda error: type(error).__name__)
    def test_in_one_process(self, make: Make, error: ApiError, rotating: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[int] = []
        calling, answer = threading.Event(), threading.Event()

        def fail(*_: Any) -> Token:
            calls.append(1)
            calling.set()
            assert answer.wait(10)
            raise error

        tokens = make()
        alive = tokens._kept.alive

        def counted(*arguments: Any) -> str | None:
            self.waiting += 1
            return alive(*arguments)

        monkeypatch.setattr(tokens._kept, "alive", counted)
        ask = (lambda: tokens.get_rotating(KEY, "seed", fail)) if rotating else (lambda: tokens.get(KEY, fail))
        failed = self.failures([ask] * 8, calling, answer)
        assert [(type(one), one.message, one.retry_after) for one in failed] == [
            (type(error), error.message, error.retry_after)
        ] * 8
        assert len(calls) == 1
        assert len({id(one) for one in failed}) == 8

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    def test_in_other_processes(self, make: Make, error: ApiError) -> None:
        calls: list[int] = []
        calling, answer = threading.Event(), threading.Event()

        def fail() -> Token:
            calls.append(1)
            calling.set()
            assert answer.wait(10)
            raise error

        seen: set[int] = set()

        def wait(_: float) -> None:
            seen.add(threading.get_ident())
            self.waiting = len(seen)
            time.sleep(0.01)

        ask = [partial(make(sleep=wait).get, KEY, fail) for _ in range(5)]
        failed = self.failures(ask, calling, answer)
        assert [(type(one), one.message, one.retry_after) for one in failed] == [
            (type(error), error.message, error.retry_after)
        ] * 5
        assert len(calls) == 1

    def test_who_comes_later_tries_again(self, make: Make) -> None:
        vendor, tokens = Fetching(), make()
        vendor.error = NotSentError("no route")
        for _ in range(2):
            with pytest.raises(NotSentError):
                tokens.get(KEY, vendor)
        assert vendor.calls == 2

    def test_the_old_token_serves_the_other_threads_meanwhile(self, make: Make, clock: Any) -> None:
        vendor, tokens = Fetching(), make()
        tokens.get(KEY, vendor)
        clock.now += 0.9 * DAY

        def slow() -> Token:
            served: list[str] = []
            other = threading.Thread(target=lambda: served.append(tokens.get(KEY, vendor)))
            other.start()
            other.join(10)
            assert served == ["token-1"]
            return Token("new", DAY)

        assert tokens.get(KEY, slow) == "new"

    def test_one_that_is_interrupted_is_no_answer_for_the_others(self, make: Make) -> None:
        tokens, calling = make(), threading.Event()
        got: list[str] = []

        def interrupted() -> Token:
            other = threading.Thread(target=lambda: got.append(tokens.get(KEY, Fetching())), daemon=True)
            other.start()
            calling.set()
            self.other = other
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tokens.get(KEY, interrupted)
        self.other.join(10)
        assert got == ["token-1"]


class TestTheClockIsSet:
    """By a day, forward or back: nobody is kept waiting for longer than a dead process would keep them."""

    def test_a_lease_from_before_is_cut_short(self, make: Make, store: Store, clock: Any) -> None:
        change(store, KEY, lambda row, now: _lease(row, now + DAY))
        began = clock.now
        assert make().get(KEY, Fetching()) == "token-1"
        assert clock.now - began <= MAX_LEASE + 1.0

    def test_a_rotation_that_was_cut_off_is_tried_again(self, make: Make, store: Store, clock: Any) -> None:
        vendor = Rotating(("before", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            make().get_rotating(KEY, "refresh-0", vendor)
        clock.now -= DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_a_failure_from_the_future_is_nobody_s_answer(self, make: Make, store: Store, clock: Any) -> None:
        vendor = Fetching()
        vendor.error = AuthenticationError("of tomorrow", status=401)
        clock.now += DAY
        with pytest.raises(AuthenticationError):
            make().get(KEY, vendor)
        clock.now -= DAY
        vendor.error = None
        change(store, KEY, lambda row, now: _lease(row, now + 5.0))
        assert make().get(KEY, vendor) == "token-2"

    @pytest.mark.parametrize("by", [DAY, -DAY])
    def test_a_token_is_got_whatever_the_clock_shows(self, make: Make, clock: Any, by: float) -> None:
        vendor = Fetching()
        make().get(KEY, vendor)
        clock.now += by
        before = clock.now
        make().get(KEY, vendor)
        assert clock.now - before <= MAX_LEASE


def _lease(row: TokenRow, until: float) -> None:
    row.lease, row.lease_until = "somebody", until


def test_different_fernet_keys_on_one_store_are_told_once(
    make: Make, encryptor: Encryptor, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Two deployments replace each other's token for ever."""
    say_that_keys_differ.cache_clear()
    vendor, theirs = Fetching(), Encryptor(Fernet.generate_key().decode())
    deployments = [make(), make(get_encryptor=lambda: theirs)]
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            for tokens in deployments:
                tokens.get(KEY, vendor)
                clock.now += READ_AGAIN
    (told,) = caplog.records
    assert told.levelname == "ERROR"
    for words in ("fernet_key", "share one store", "[mkt] state_url"):
        assert words in told.message
