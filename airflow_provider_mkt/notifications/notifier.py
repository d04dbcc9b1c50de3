# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A notifier that says what another one has to tell of a launch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_provider_mkt import validation

if TYPE_CHECKING:
    from airflow.sdk import Context

EVERY = ("live", "failed", "unsettled", "approval", "cap")


class LaunchNotifier(BaseNotifier):
    """Tells people of a launch through a notifier of Airflow, whose templates see the launch as ``{{ mkt }}``.

    For ``on_success_callback``, ``on_failure_callback`` and ``on_retry_callback`` of tasks, and for ``notifiers`` of
    approvals. ``{{ mkt.title }}``, ``{{ mkt.text }}``, ``{{ mkt.html }}`` and, for Slack, ``{{ mkt.slack }}`` are ready
    to be sent; the single facts are ``mkt.event``, ``vendor``, ``amount``, ``time``, ``reference``, ``ids``, ``link``,
    ``command`` and ``said``. What they hold is never rendered as a template.

    :param through: the notifier that sends, such as ``SmtpNotifier(to="…", subject="{{ mkt.title }}",
        html_content="{{ mkt.html }}")``
    :param events: what to tell of: ``live``, ``failed``, ``unsettled``, ``approval``, ``cap``; by default all. Who asks
        for ``failed`` is told of caps as well: such a launch has failed
    """

    def __init__(self, through: BaseNotifier, *, events: Sequence[str] | str = EVERY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.through = through
        self.events = validation.choices("events", [events] if isinstance(events, str) else events, EVERY)

    def notify(self, context: Context) -> None:
        """Have the other notifier send, if the event is one of those asked for. It is waited for a minute at most."""
        from airflow_provider_mkt.tasks.telling import tell

        if (told := self._told(context)) is not None:
            through = copy.copy(self.through)
            tell(lambda: through(told), type(through).__name__)

    async def async_notify(self, context: Context) -> None:
        """Do the same in the triggerer; a notifier that only sends synchronously does it in a thread."""
        from airflow_provider_mkt.tasks.telling import tell_async

        told = self._told(context)
        if told is None:
            return
        through = copy.copy(self.through)
        if type(through).async_notify is BaseNotifier.async_notify:
            await tell_async(lambda: through(told), type(through).__name__)
        else:
            through.context = told
            await tell_async(through, type(through).__name__)

    def _told(self, context: Context) -> Context | None:
        from airflow_provider_mkt.notifications.notice import notice_of

        notice = notice_of(context)
        if notice.event not in self.events and not (notice.event == "cap" and "failed" in self.events):
            return None
        return {**context, "mkt": notice}  # type: ignore[return-value]
