# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Starting the demo's processes, and finding and ending every one of them, grandchildren included."""

from __future__ import annotations

import os
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from scripts.demo.layout import Layout
from scripts.demo.record import Instance

MARK = "MKT_DEMO_HOME"
"""Environment variable that all descendants inherit, however far they moved away from their parents."""

GENTLE_SECONDS = 6.0
FORCED_SECONDS = 5.0


def marked_environment(layout: Layout, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the demo's processes.

    Settings of another Airflow of the user (``AIRFLOW…``) are left out, so that the demo neither reads nor writes what
    belongs to it. Bytecode is wanted: without it each process compiles Airflow again.
    """
    dropped = ("AIRFLOW", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    local = "127.0.0.1,localhost"
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = f"{env[name]},{local}" if env.get(name) else local
    # SPT_NOENV: processes that change their title must leave their environment readable, or the mark is lost.
    return env | {"SPT_NOENV": "1", "PYTHONUNBUFFERED": "1", MARK: str(layout.home)} | dict(extra)


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def start(
    name: str, command: Sequence[str], layout: Layout, env: Mapping[str, str], output: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, with what it prints in the log folder.

    A session of its own keeps a Ctrl-C in the terminal away from it: the runner decides when it ends.
    Call it with signals deferred, or a process may exist that nobody recorded.

    :param output: where its standard output goes instead of the log
    """
    log = log_path(layout, name)
    with log.open("ab") as errors, (output or log).open("ab") as text:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=text,
            stderr=errors,
            cwd=layout.airflow,
            env=env,
            start_new_session=True,
        )


def log_path(layout: Layout, name: str) -> Path:
    """Return the log file of a process."""
    return layout.logs / f"{name}.log"


def tail(path: Path, lines: int = 12) -> list[str]:
    """Return the last lines of a text file that may not exist yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        return [line.rstrip("\n") for line in deque(stream, maxlen=lines)]


def belonging(layout: Layout, instance: Instance | None) -> list[psutil.Process]:
    """Return every living process of this demo: recorded ones, their descendants, and all that carry the mark."""
    found: dict[int, psutil.Process] = {}
    roots = [process for one in (instance.services if instance else []) if (process := one.alive())]
    for process in roots + _marked(layout):
        found[process.pid] = process
        try:
            found.update({child.pid: child for child in process.children(recursive=True)})
        except psutil.NoSuchProcess:
            continue
    found.pop(os.getpid(), None)
    return [process for process in found.values() if _lives(process)]


def stop_all(layout: Layout, instance: Instance | None) -> int:
    """End every process of the demo and return how many there were.

    First politely, then by force, and looking again until nothing is found: a process may fork while it is stopped.

    :raises RuntimeError: a process survived SIGKILL
    """
    seen: set[int] = set()
    processes = belonging(layout, instance)
    seen.update(process.pid for process in processes)
    for process in processes:
        _signal(process, force=False)
    psutil.wait_procs(processes, timeout=GENTLE_SECONDS)
    for _ in range(5):
        processes = belonging(layout, instance)
        if not processes:
            return len(seen)
        seen.update(process.pid for process in processes)
        for process in processes:
            _signal(process, force=True)
        psutil.wait_procs(processes, timeout=FORCED_SECONDS)
    raise RuntimeError(f"could not end the processes {sorted(process.pid for process in processes)}")


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _marked(layout: Layout) -> list[psutil.Process]:
    wanted = str(layout.home)
    found = []
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and process.environ().get(MARK) == wanted:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue  # gone meanwhile, or not ours to look at
    return found
