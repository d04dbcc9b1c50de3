# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is idle is given back once, by a thread that is there only while something is in use."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from airflow_provider_mkt.state.idle import Idle

NAME = "mkt-idle-of-test"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def running() -> bool:
    return any(thread.name == NAME for thread in threading.enumerate())


def test_once_after_the_last_use() -> None:
    done: list[float] = []
    idle = Idle(0.1, lambda: done.append(time.monotonic()), NAME)
    for _ in range(5):
        idle.touch()
        last = time.monotonic()
        time.sleep(0.02)
    until(lambda: bool(done))
    assert done[0] >= last + 0.1
    until(lambda: not running())
    assert len(done) == 1


def test_again_after_the_next_use() -> None:
    done: list[int] = []
    idle = Idle(0.01, lambda: done.append(1), NAME)
    for number in range(1, 4):
        idle.touch()
        until(lambda number=number: len(done) == number and not running())  # type: ignore[misc]


def test_what_cannot_be_done_yet_is_tried_again() -> None:
    answers = iter([True, True, False])
    asked: list[bool] = []

    def work() -> bool:
        asked.append(next(answers))
        return asked[-1]

    Idle(0.01, work, NAME).touch()
    until(lambda: len(asked) == 3 and not running())


def test_no_touch_is_missed_however_they_fall() -> None:
    done = threading.Event()
    idle = Idle(0.0, done.set, NAME)  # type: ignore[arg-type]
    for _ in range(300):
        done.clear()
        idle.touch()
        assert done.wait(10)


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    read, write = os.pipe()
    idle = Idle(0.05, lambda: os.write(write, str(os.getpid()).encode() + b" ") and None, NAME)
    idle.touch()
    child = os.fork()
    if child == 0:
        idle.after_fork()
        idle.touch()
        until(lambda: not running())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    until(lambda: not running())
    told = os.read(read, 1000).split()
    assert sorted(told) == sorted(str(each).encode() for each in (os.getpid(), child))
    for descriptor in (read, write):
        os.close(descriptor)
