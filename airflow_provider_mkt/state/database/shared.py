# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the store is, by Airflow's configuration."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

if TYPE_CHECKING:
    from airflow_provider_mkt.state.database.store import Store

log = logging.getLogger(__name__)

FILE = "mkt_state.db"
LOCAL_EXECUTORS = frozenset({"LocalExecutor", "SequentialExecutor", "DebugExecutor"})
OPTION = ("mkt", "state_url")
SOURCES = ("cmd", "secret")
"""Where else the option may come from: ``state_url_cmd``, a command, and ``state_url_secret``, a secrets backend."""


def configured_url() -> str | URL:
    """Return ``[mkt] state_url``, or the URL of the SQLite file in AIRFLOW_HOME when it is empty.

    A command or a secret that gives nothing does not mean the file: each host would quietly have a store of its own.

    :raises StoreError: when the command fails or prints nothing, or the secrets backend cannot be asked or has no such
        secret
    """
    from airflow.sdk.configuration import conf  # reads the configuration

    try:
        url = str(conf.get(*OPTION, fallback="") or "").strip()
    except Exception as error:  # noqa: BLE001 - whatever a secrets backend raises; its words may hold the secret
        raise StoreError(StoreFailure.NO_URL, said=f"{_source(conf) or 'state_url'}: {type(error).__name__}") from None
    if url:
        return url
    if source := _source(conf):
        raise StoreError(StoreFailure.NO_URL, said=f"{source} gave nothing")
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser()
    return URL.create("sqlite", database=str(home / FILE))


def _source(conf: Any) -> str | None:
    """Name what gives the URL in place of the option itself, if anything does."""
    section, option = OPTION
    for source in SOURCES:
        variable = f"AIRFLOW__{section}__{option}_{source}".upper()
        if variable in os.environ:
            return variable
        if conf.has_option(section, f"{option}_{source}"):
            return f"{option}_{source}"
    return None


def distributed_executors() -> list[str]:
    """Return the configured executors that run tasks on other hosts too."""
    from airflow.sdk.configuration import conf

    configured = str(conf.get("core", "executor", fallback="LocalExecutor")).split(",")
    names = [name.rsplit(":", 1)[-1].rsplit(".", 1)[-1].strip() for name in configured]
    return [name for name in names if name not in LOCAL_EXECUTORS]


def warn_if_not_shared(used: Store) -> None:
    """Say so when the executor spreads tasks over hosts but the store is a file on one of them."""
    if used.kind == "sqlite" and (distributed := distributed_executors()):
        log.warning(
            "Rate limits and tokens are shared through a file on this host (%s), but %s runs tasks on others too: each "
            "host uses the whole rate limit, and single-use refresh tokens can be lost. Set [mkt] state_url to a "
            "PostgreSQL database.",
            used.url.database,
            " and ".join(distributed),
        )


_stores: dict[int, Store] = {}
_host_stores: dict[int, Store] = {}
HOST_PATIENCE = 1.0
"""Seconds to wait for a lock of the host's own store: it only has to do while the other one fails."""


def host_store() -> Store:
    """Return the file by which the processes of this host pace themselves while the shared store fails.

    It lies in the system's folder for temporary files, as the usual place may be what fails, in a folder of this
    user's.

    :raises StoreError: when there is no such folder that only this user can write
    """
    mine = os.getpid()
    if mine not in _host_stores:
        folder = Path(tempfile.gettempdir()) / f"airflow-provider-mkt-{os.getuid()}"
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat() if folder.exists() else None
        if found is None or not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise StoreError(StoreFailure.NOT_ALLOWED, str(folder))
        _host_stores.setdefault(mine, Store(URL.create("sqlite", database=str(folder / FILE)), HOST_PATIENCE))
    return _host_stores[mine]


def store() -> Store:
    """Return this process's store. A forked child gets one of its own: connections must not be shared across a fork.

    See :mod:`.forking` for what else a fork means to SQLite.

    :raises StoreError: when ``[mkt] state_url`` cannot be used
    """
    mine = os.getpid()
    if mine not in _stores:
        made = Store(configured_url())
        if _stores.setdefault(mine, made) is made:
            warn_if_not_shared(made)
    return _stores[mine]


@contextmanager
def separate_store(url: str | URL) -> Iterator[Store]:
    """Have :func:`store` return a store of its own in this process, for as long as the ``with`` block lasts: for tests.

    :raises StoreError: when ``url`` cannot be used
    """
    mine, made = os.getpid(), Store(url)
    before = _stores.get(mine)
    _stores[mine] = made
    try:
        yield made
    finally:
        made.close()
        _stores.pop(mine)
        if before is not None:
            _stores[mine] = before
