# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The thread of an API server that hands deliveries over. Of all API servers one does it at a time, to keep the order.

With two of them at work, say after one stood still, each delivery is still handed over once.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.exclusive import ExclusiveLease
from airflow_provider_mkt.state.inbox import Inbox
from airflow_provider_mkt.webhooks.handover import hand_over

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between looks into the inbox."""
UNUSED = 5.0
"""Seconds between them while nothing was ever delivered: most deployments have no webhooks."""
MIN_PAUSE, MAX_PAUSE = 1.0, 30.0
"""Seconds after a failure; they double from one to the next."""
LEASE = 10.0
"""Seconds after which another API server goes on, when this one died."""
NAME = "webhooks: hand over"


class HandOverWorker:
    """Hands deliveries over for as long as the ``with`` block lasts.

    :param inbox: the inbox
    """

    def __init__(self, inbox: Inbox | None = None) -> None:
        self._inbox = inbox or Inbox()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mkt-webhooks", daemon=True)

    def __enter__(self) -> HandOverWorker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # It may be waiting for its turn, which need not hold up the server.
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        pause = MIN_PAUSE
        while not self._stop.is_set():
            try:
                if not self._inbox.latest():
                    self._stop.wait(UNUSED)
                    continue
                with ExclusiveLease(store(), NAME, LEASE) as lease, self._inbox.doorbell() as bell:
                    while not self._stop.is_set():
                        bell.wait(INTERVAL)
                        if self._inbox.due(limit=1):
                            lease.ensure_owner()
                            hand_over(self._inbox)
                        pause = MIN_PAUSE
            except StoreError as error:
                log.log(logging.WARNING if pause == MIN_PAUSE else logging.DEBUG, "Deliveries wait: %s", error)
            except Exception:
                # A thread that ends is missed by nobody, so it goes on whatever happens.
                log.exception("Handing over deliveries failed; it is tried again in %.0f s.", pause)
            self._stop.wait(pause)
            pause = min(2 * pause, MAX_PAUSE)
