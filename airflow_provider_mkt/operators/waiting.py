# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that wait for what goes on at a vendor, and stop it there when a user gives the task up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout, TaskDeferralTimeout

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.exceptions import INCURABLE, ApiError
from airflow_provider_mkt.operators.base import Hook, MarketingOperator
from airflow_provider_mkt.tasks.user_stop import marked_failed
from airflow_provider_mkt.validation import positive

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.waiting.base import Verdict, Watch


LEAVE, STOP = "leave", "stop"
"""What ``on_timeout`` may be."""
CANCEL_TIMEOUT = 4.0
"""Seconds. Airflow kills a task five seconds after it has asked it to stop."""


class WaitingOperator(MarketingOperator[Hook]):
    """Waits on a worker or in the triggerer, and cancels when a user marks the waiting task as failed.

    A subclass starts something within :meth:`running`, calls :meth:`wait`, and says in :meth:`conclude` what a final
    verdict means.

    :param wait_for_completion: succeed only when the vendor is done; otherwise as soon as it has accepted the request
    :param deferrable: wait in the triggerer instead of on a worker; default ``[operators] default_deferrable``
    :param poll_interval: seconds between polls while waiting
    :param wait_timeout: seconds after which waiting is given up; what was started goes on, and a retry attaches to it
    :param cancel_on_kill: stop it at the vendor, where that is possible, when a user marks the waiting task as failed
    :param on_timeout: what becomes of it at the vendor when ``wait_timeout`` is over: ``leave`` it, or ``stop`` it
        there as a user's stop does; the task then fails without a retry
    """

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        poll_interval: float = 60.0,
        wait_timeout: float | timedelta = DAY,
        cancel_on_kill: bool = True,
        on_timeout: str = LEAVE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_timeout not in (LEAVE, STOP):
            raise ValueError(f"on_timeout must be '{LEAVE}' or '{STOP}', got {on_timeout!r}")
        self.on_timeout = on_timeout
        self.wait_for_completion = wait_for_completion
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )
        self.poll_interval = positive("poll_interval", poll_interval)
        self.wait_timeout = positive("wait_timeout", wait_timeout)
        self.cancel_on_kill = cancel_on_kill
        self._begun: Context | None = None
        self._waiting: Watch | None = None

    def conclude(self, context: Context, verdict: Verdict) -> Any:
        """Return the task's result, or raise, after a final verdict."""
        raise NotImplementedError

    def accepted(self, context: Context) -> Watch | None:
        """Return what the vendor has accepted and is not waited for yet, but will be; None when there is nothing."""
        raise NotImplementedError

    def following(self, context: Context) -> Watch | None:
        """Return what a task waits for that was deferred; None when that is not known any more."""
        return self.accepted(context)

    @contextmanager
    def running(self, context: Context) -> Iterator[None]:
        """Have a user's stop reach the vendor while the block runs. Running out of time is no wish to stop it there."""
        # A stop must never wait for an import that it has interrupted: what stopping needs is loaded before.
        import airflow_provider_mkt.submission.submit  # noqa: F401

        self._begun = context
        try:
            yield
        except AirflowTaskTimeout:
            self._done()
            raise
        self._done()

    def _done(self) -> None:
        self._begun = self._waiting = None

    def leave_to_the_original(self, record: Record) -> None:
        """Never cancel what another deployment has started: this one may run on a copy of its database."""
        from airflow_provider_mkt.submission.deployment import deployment

        if record.deployment not in ("", deployment()):
            self.log.warning(
                "The deployment %r submitted this. It is followed here, and not cancelled.", record.deployment
            )
            self.cancel_on_kill = False
            self.on_timeout = LEAVE

    def wait(self, watch: Watch) -> Verdict:
        """Wait until the verdict is final, or leave that to the triggerer.

        :raises ApiError: when it is hopeless to go on, or ``wait_timeout`` is over
        """
        from airflow_provider_mkt.client.retry import MAX_WAIT
        from airflow_provider_mkt.triggers.watch import WatchTrigger
        from airflow_provider_mkt.waiting.base import FailedPolls

        client = self.hook.client
        self._waiting = watch
        failed = FailedPolls()
        deadline = clock.monotonic() + self.wait_timeout
        while True:
            try:
                verdict = client.run(watch.poll(), longest=MAX_WAIT).redacted(client.redactor)
            except ApiError as error:
                if failed.give_up_on(error):
                    self._say_remedies(error)
                    raise
            else:
                failed.reset(verdict)
                if verdict.final:
                    return verdict
            if self.deferrable:
                trigger = WatchTrigger.of(watch, self.conn_id, self.poll_interval, cancel_on_kill=self.cancel_on_kill)
                self.defer(
                    trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.wait_timeout)
                )
            if clock.monotonic() + self.poll_interval > deadline:
                raise self._timed_out(watch)
            clock.sleep(self.poll_interval)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the trigger has something to tell."""
        from airflow_provider_mkt.waiting.base import Verdict

        if (error := ApiError.from_event(event)) is not None:
            if event.get("timed_out") and self.on_timeout == STOP:
                return self._stop_waiting(context)
            self._say_remedies(error)
            raise error
        return self.conclude(context, Verdict.of(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral, also when its time is over."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            if self.on_timeout != STOP:
                raise
        return self._stop_waiting(context)

    def _stop_waiting(self, context: Context) -> Any:
        """Stop at the vendor what a deferral waited for in vain, unless it has come to its end this very moment."""
        from airflow_provider_mkt.client.retry import MAX_WAIT

        with self.running(context):
            watch = self.following(context)
            if watch is not None:
                verdict = self.hook.client.run(watch.poll(), longest=MAX_WAIT).redacted(self.hook.client.redactor)
                if verdict.final:
                    return self.conclude(context, verdict)
            raise self._timed_out(watch)

    def _timed_out(self, watch: Watch | None) -> Exception:
        """Return the error that ends the wait, after stopping it at the vendor if that is wished for and possible."""
        name = self.hook.vendor.name
        over = f"{name} was not done after {self.wait_timeout:.0f} s."
        if self.on_timeout == STOP:
            cancelling = watch.cancel() if watch is not None else None
            if cancelling is None:
                return ApiError(f"{over} It cannot be stopped there from here, and goes on.", vendor=name)
            try:
                done = self.hook.client.run(cancelling)
            except ApiError as error:
                return ApiError(f"{over} It could not be stopped there, and may go on: {error}", vendor=name)
            from airflow_provider_mkt.submission import messages

            return AirflowFailException(f"{over} on_timeout is '{STOP}': {done}. {messages.resubmit_hint()}")
        return ApiError(
            f"{over} It goes on there; a retry of this task attaches to it and waits again. Raise wait_timeout if that "
            "is normal.",
            vendor=name,
        )

    def _say_remedies(self, error: ApiError) -> None:
        """Say what can be done about a wait that ended with an error, unless the next try goes on with it."""
        from airflow_provider_mkt.submission import messages

        if isinstance(error, INCURABLE):
            self.log.error(messages.resubmit_hint())

    def on_kill(self) -> None:
        """Send nothing any more, and stop at the vendor what a user has given up; see :mod:`.tasks.user_stop`.

        Airflow calls this in a signal handler, at any point of the main thread, so the work is done in a thread of its
        own: a lock that the main thread holds cannot block it for ever.
        """
        super().on_kill()
        if self._begun is None or not self.cancel_on_kill:
            return
        thread = threading.Thread(target=self._cancel, args=(self._begun,), name="mkt-cancel", daemon=True)
        thread.start()
        thread.join(CANCEL_TIMEOUT)
        if thread.is_alive():
            self.log.error("Stopping it at the vendor was not finished after %.0f s; check the vendor.", CANCEL_TIMEOUT)

    def _cancel(self, context: Context) -> None:
        from airflow_provider_mkt.submission import messages

        try:
            given_up = marked_failed(context["ti"])
        except Exception as error:  # noqa: BLE001 - the channel to Airflow may be in use or gone, in any way
            self.log.error("Airflow could not tell whether a user stopped this task; check the vendor: %r", error)  # noqa: TRY400
            return
        if not given_up:
            self.log.info("This try ends, but the task was not marked as failed: the vendor goes on.")
            return
        if (dag := self.get_dag()) is not None and dag.fail_fast:
            self.log.error(
                "The DAG fails fast, so it is unknown whether a user stopped this task or another task failed. It goes "
                "on at the vendor; check there."
            )
            return
        watch = self._waiting or self.accepted(context)
        cancelling = watch.cancel() if watch is not None else None
        if cancelling is not None:
            try:
                done = self.hook.client.run(cancelling)
                self.log.warning("The task was stopped by a user: %s. %s", done, messages.resubmit_hint())
            except ApiError as error:
                self.log.error("Could not stop it at the vendor; check there: %s", error)  # noqa: TRY400
