# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a timeout or a signal interrupts is stored all the same."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.tokens import rotation, shielded
from airflow_provider_mkt.state.tokens.live import Claimed
from airflow_provider_mkt.state.tokens.table import TokenRow, change, update_row_and_claim
from tests.unit.state.tokens.vendor import (
    DAY,
    KEY,
    LEASE,
    Make,
    Rotating,
    until,
)


class Timeout(BaseException):
    """Raised in the main thread, as Airflow's ``execution_timeout`` is."""


class TestInterrupted:
    """What interrupts the main thread neither loses a refresh token nor has a spent one sent again."""

    @pytest.fixture(autouse=True)
    def _handler(self) -> Iterator[None]:
        def interrupt(*_: Any) -> None:
            raise Timeout

        before = signal.signal(signal.SIGUSR1, interrupt)
        yield
        signal.signal(signal.SIGUSR1, before)

    @staticmethod
    def interrupt() -> None:
        """Have the main thread raise, and give it the time to do so."""
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.2)

    def test_while_the_answer_is_under_way(self, make: Make, row: Callable[[], TokenRow]) -> None:
        vendor, tokens = Rotating(), make()

        def refresh(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            self.interrupt()
            return token

        with pytest.raises(Timeout):
            tokens.get_rotating(KEY, "refresh-0", refresh)
        assert row().begun_at is None
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_while_the_successor_is_stored(
        self, make: Make, store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vendor, tokens = Rotating(), make()
        save = rotation.Rotation.save

        def slow(*arguments: Any) -> Any:
            self.interrupt()
            return save(*arguments)

        monkeypatch.setattr(rotation.Rotation, "save", slow)
        with pytest.raises(Timeout):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        clock.now += 0.9 * DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "refresh-1"]

    def test_an_answer_that_comes_after_the_grace_is_stored_all_the_same(
        self, make: Make, row: Callable[[], TokenRow], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shielded, "GRACE", 0.05)
        vendor, answer = Rotating(), threading.Event()

        def refresh(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            self.interrupt()
            assert answer.wait(10)
            return token

        with pytest.raises(Timeout):
            make().get_rotating(KEY, "refresh-0", refresh)
        assert row().begun_at is not None
        answer.set()
        until(lambda: row().begun_at is None)
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_successor_is_noted_before_it_is_stored(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever ends the attempt to store it, this process stores it before it spends anything."""
        vendor, tokens = Rotating(), make()

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(rotation.Rotation, "save", die)
        with pytest.raises(KeyboardInterrupt):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_successor_that_is_stored_twice_closes_no_journal_of_its_own(
        self, make: Make, store: Store, encryptor: Encryptor, row: Callable[[], TokenRow]
    ) -> None:
        """The answer to a commit may be lost; by the time it is repeated, somebody may be spending the successor."""
        one = rotation.Rotation(store, encryptor, KEY, "refresh-0", lease=LEASE)
        claimed = update_row_and_claim(store, KEY, lambda row, now, take: one.claim(row, now, None, take))
        assert isinstance(claimed, Claimed)
        token = Token("access-1", DAY, "refresh-1")
        assert one.save(claimed, token) is not None

        def begun(row: TokenRow, now: float) -> None:
            row.begun_at, row.tries = now, 1

        change(store, KEY, begun)
        assert one.save(claimed, token) is not None
        assert row().begun_at is not None
