# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A connection that PostgreSQL tells of a channel: ``LISTEN`` and ``NOTIFY``."""

from __future__ import annotations

import contextlib
import select
from typing import Any

from sqlalchemy import Engine


class Listening:
    """Listens until it is closed. Belongs to one thread.

    :param engine: the engine; its pool forgets the connection
    :param channel: name of the channel
    """

    def __init__(self, engine: Engine, channel: str) -> None:
        self._error: type[Exception] = engine.dialect.loaded_dbapi.Error
        owner: Any = engine.raw_connection()
        owner.detach()
        self._owner, self._connection = owner, owner.dbapi_connection
        self._connection.autocommit = True
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(f"LISTEN {channel}")
        self.ended = False

    def wait(self, seconds: float) -> bool:
        """Return after ``seconds``, or as soon as something is told, or the server has ended the connection.

        :return: whether it was not the time
        """
        ready, _, _ = select.select([self], [], [], seconds)
        if ready:
            self.take()
        return bool(ready)

    def fileno(self) -> int:
        """Return what can be waited for."""
        return int(self._connection.fileno())

    def take(self) -> None:
        """Take what was told, so that the next is heard; does not wait."""
        try:
            self._take()
        except self._error:
            self.ended = True

    def _take(self) -> None:
        if hasattr(self._connection, "pgconn"):
            self._connection.pgconn.consume_input()
            while self._connection.pgconn.notifies() is not None:
                pass
        else:
            self._connection.poll()
            self._connection.notifies.clear()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(self._error):
            self._owner.close()
