# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Telling people, for a time that ends: a notifier that hangs holds up no launch, no worker and no triggerer."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait

PATIENCE = 60.0
"""Seconds for which a notifier is waited for."""

log = logging.getLogger(__name__)


def tell(send: Callable[[], None], name: str) -> None:
    """Send a message, and wait for that no longer than :data:`PATIENCE`; a warning says that it was too slow.

    :param send: sends it
    :param name: of the notifier, for the warning
    :raises Exception: what ``send`` raises in time
    """
    sending = _on_a_thread(send)
    if wait([sending], PATIENCE).done:
        sending.result()
    else:
        _too_slow(name)


async def tell_async(send: Callable[[], None] | Awaitable[None], name: str) -> None:
    """Do the same in an event loop, which it holds up for no moment.

    :param send: a function, for which there is a thread of its own, or what can be awaited, which is cancelled when it
        is too slow
    """
    # A notifier can be called as well.
    sending = asyncio.ensure_future(send) if isinstance(send, Awaitable) else asyncio.wrap_future(_on_a_thread(send))
    # Nobody asks any more what one raises that was too slow; asyncio would log that.
    sending.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        # Unlike wait_for it does not wait for one that takes no notice of being cancelled.
        await asyncio.wait({sending}, timeout=PATIENCE)
    finally:
        late = sending.cancel()
    if late:
        _too_slow(name)
    else:
        sending.result()


def _on_a_thread(send: Callable[[], None]) -> Future[None]:
    """Run a function on a thread that keeps no process from ending, unlike those of Python's pools."""
    sending: Future[None] = Future()
    sending.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            context.run(send)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            sending.set_exception(error)
        else:
            sending.set_result(None)

    threading.Thread(target=run, name="mkt-telling", daemon=True).start()
    return sending


def _too_slow(name: str) -> None:
    log.warning("%s has not told people within %.0f s, and is waited for no longer.", name, PATIENCE)
