# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Without the store requests go on, slowly, and never as if the others were not there."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.local import ALONE
from airflow_provider_mkt.state.budgets.shared import ASK_AGAIN, SharedBudget, snapshot
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.database import shared
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from tests.unit.state.budgets.vendor import ACCOUNT, BOTH, LIMITS, ONE, SPAN, Failing, Make, refused

pytestmark = pytest.mark.usefixtures("bursts_go_at_once")


@pytest.mark.parametrize("failure", [each for each in StoreFailure if each is not StoreFailure.BUSY])
class TestWithoutTheStore:
    """Whatever is wrong with it: requests go on, slowly, and this is said once."""

    def test_requests_are_paced_alone(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure, caplog: pytest.LogCaptureFixture
    ) -> None:
        budget = make(used=Failing(failure).failing(store))
        interval = 60.0 / (10 * ALONE) + MARGIN
        with caplog.at_level(logging.WARNING):
            waits = [budget.reserve(ONE) for _ in range(4)]
        assert waits == pytest.approx([0.0, interval, 2 * interval, 3 * interval], abs=0.01)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert failure.value in caplog.text
        assert "25%" in caplog.text

    def test_the_store_is_not_asked_each_time(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        failing = Failing(failure)
        budget = make(used=failing.failing(store))
        for _ in range(5):
            budget.reserve(ONE)
        assert failing.calls == 1
        clock.now += ASK_AGAIN
        budget.reserve(ONE)
        assert failing.calls == 2

    def test_what_was_sent_alone_is_entered_when_it_is_back(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        failing = Failing(failure)
        budget = make(used=failing.failing(store))
        budget.reserve(ONE)
        clock.now += ASK_AGAIN
        failing.failure = None
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [SPAN - ASK_AGAIN], abs=0.01)

    def test_a_429_is_obeyed_alone(self, make: Make, store: Store, clock: Any, failure: StoreFailure) -> None:
        budget = make(used=Failing(failure).failing(store))
        budget.observe(ONE, refused(90.0))
        assert budget.reserve(ONE) == pytest.approx(90.0, abs=0.01)


def test_a_store_that_is_locked_costs_its_patience_once(
    make: Make, make_store: Callable[..., Store], path: Path, clock: Any
) -> None:
    slow = make_store(0.05)
    clock.run_in(slow)
    budget = make(used=slow)
    budget.reserve(ONE)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    waits = [budget.reserve(ONE) for _ in range(3)]
    other.rollback()
    assert waits[1] > 0
    clock.now += ASK_AGAIN
    assert budget.reserve(ONE) == pytest.approx(0.0, abs=0.01)
    assert snapshot(slow)[0].used >= 2


class TestTheHost:
    """All processes of a host share a quarter of the limit; where they cannot even do that, each keeps to a quarter."""

    @pytest.fixture
    def lonely(self, store: Store, clock: Any) -> Make:
        """Makes what another process on this host would have, while the shared store fails."""

        def fail() -> Store:
            raise StoreError(StoreFailure.UNREACHABLE)

        def make(**more: Any) -> SharedBudget:
            return SharedBudget(ACCOUNT, LIMITS, 1.0, fail, clock, **{"get_host_store": lambda: store, **more})

        return make

    def test_many_processes_take_no_more_than_one(self, lonely: Make, clock: Any) -> None:
        interval = 60.0 / (10 * ALONE) + MARGIN
        waits = [lonely().reserve(ONE, longest=100.0) for _ in range(4)]
        assert waits == pytest.approx([number * interval for number in range(4)], abs=0.01)

    @pytest.mark.parametrize("processes", [1, 4, 60])
    def test_together_they_send_a_quarter(self, lonely: Make, clock: Any, processes: int) -> None:
        budgets = [lonely() for _ in range(processes)]
        began, sent = clock.now, set()
        while clock.now < began + 240.0:
            for budget in budgets:
                with suppress(RateLimitError):
                    sent.add(clock.now + budget.reserve(ONE, longest=0.5))
            clock.now += 1.0
        assert len(sent) == pytest.approx(240.0 / 60.0 * 10 * ALONE, abs=1)

    def test_without_a_file_each_keeps_to_a_quarter(self, lonely: Make) -> None:
        def fail() -> Store:
            raise StoreError(StoreFailure.FULL)

        budget = lonely(get_host_store=fail)
        assert budget.reserve(ONE) == 0.0
        assert budget.reserve(ONE) == pytest.approx(60.0 / (10 * ALONE) + MARGIN, abs=0.01)

    def test_polls_book_nothing_ahead_so_launches_go_first(self, lonely: Make) -> None:
        for _ in range(50):
            with suppress(RateLimitError):
                lonely().reserve(ONE, Priority.POLL)
        assert lonely().reserve(ONE) == pytest.approx(60.0 / (10 * ALONE) + MARGIN, abs=0.01)

    def test_the_file_is_of_this_user_only(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(shared.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(shared, "_host_stores", {})
        made = shared.host_store()
        made.run(lambda _: None)
        (folder,) = tmp_path.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
        made.close()

    @pytest.mark.parametrize("trap", ["link", "open folder", "file"])
    def test_a_folder_that_somebody_else_made_is_not_used(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trap: str
    ) -> None:
        monkeypatch.setattr(shared.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(shared, "_host_stores", {})
        folder = tmp_path / f"airflow-provider-mkt-{os.getuid()}"
        if trap == "link":
            (tmp_path / "elsewhere").mkdir()
            folder.symlink_to(tmp_path / "elsewhere")
        elif trap == "file":
            folder.touch()
        else:
            folder.mkdir()
            folder.chmod(0o777)
        with pytest.raises(StoreError):
            shared.host_store()


class TestAfterAHiccup:
    """Many threads fall back at once, and come back at once."""

    def test_what_each_sent_alone_is_entered_once(self, make: Make, store: Store, clock: Any) -> None:
        failing = Failing(StoreFailure.LOCKED)
        budget = make({"default": Limit(150, 60.0)}, used=failing.failing(store))
        for _ in range(32):
            budget.reserve(ONE)
        failing.failure = None
        clock.now += ASK_AGAIN
        transact, together = store.transact, threading.Barrier(8)

        def at_once(work: Any, **more: Any) -> Any:
            result = transact(work, **more)
            together.wait(10)  # so that none has noted yet that the store works again
            return result

        store.transact = at_once  # type: ignore[method-assign]
        threads = [threading.Thread(target=budget.reserve, args=(ONE,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (use,) = snapshot(store)
        assert use.used + use.queued == 32 + 8

    def test_a_launch_elsewhere_is_not_refused(self, make: Make, store: Store, clock: Any) -> None:
        failing = Failing(StoreFailure.LOCKED)
        budget, elsewhere = make(used=failing.failing(store)), make()
        for _ in range(32):
            with suppress(RateLimitError):
                budget.reserve(ONE, Priority.POLL)
        for _ in range(4):
            with suppress(RateLimitError):
                budget.reserve(ONE, longest=60.0)
        failing.failure = None
        clock.now += ASK_AGAIN
        for _ in range(8):
            with suppress(RateLimitError):
                budget.reserve(ONE, Priority.POLL)
        assert elsewhere.reserve(ONE, longest=60.0) < 1.0

    def test_budgets_that_nobody_asked_for_yet_are_not_forgotten(self, make: Make, store: Store, clock: Any) -> None:
        failing = Failing(StoreFailure.LOCKED)
        budget = make(used=failing.failing(store))
        budget.reserve(BOTH)
        failing.failure = None
        clock.now += ASK_AGAIN
        budget.reserve(ONE)
        budget.reserve(BOTH)
        assert {use.label.rsplit(" ", 1)[1]: use.used for use in snapshot(store)} == {"default": 3, "posts": 2}
