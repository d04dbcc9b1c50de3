# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from scripts.demo.interrupts import SIGNALS, Interrupts
from scripts.demo.problems import Interrupted


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    made = Interrupts()
    made.install()
    yield made
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.usefixtures("interrupts")
def test_first_signal_ends_the_work_and_later_ones_do_not_disturb(signum: signal.Signals) -> None:
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(signum)
    assert caught.value.signum == signum
    for later in SIGNALS:
        signal.raise_signal(later)


def test_closed_interrupts_only_remark(interrupts: Interrupts, capsys: pytest.CaptureFixture[str]) -> None:
    interrupts.close()
    signal.raise_signal(signal.SIGINT)
    assert "cleaning up" in capsys.readouterr().err


def test_deferred_signal_waits_for_the_end_of_the_step(interrupts: Interrupts) -> None:
    steps = []

    def step() -> None:
        with interrupts.deferred():
            signal.raise_signal(signal.SIGTERM)
            steps.append("whole")

    with pytest.raises(Interrupted):
        step()
    assert steps == ["whole"]
