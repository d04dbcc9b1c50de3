# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the sensors share: one watch, with the same outcome when poking, rescheduling or deferring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.exceptions import ApiError, RateLimitError
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sensors.start_from_trigger import StartArgs
from airflow_provider_mkt.tasks.authored_templates import AuthoredTemplates

if TYPE_CHECKING:
    from typing import NoReturn

    from airflow.sdk import Context, RetryPolicy

    from airflow_provider_mkt.triggers.watch import WatchTrigger
    from airflow_provider_mkt.vendors.base import Vendor
    from airflow_provider_mkt.waiting.base import Verdict, Watch


class WatchSensor(AuthoredTemplates, BaseSensorOperator):
    """Base of all sensors; a subclass names its ``vendor`` and says what to watch.

    ``timeout``, ``soft_fail``, ``never_fail``, ``silent_fail``, ``exponential_backoff`` and ``max_wait`` mean the same
    in all three modes. A final failure at the vendor fails the sensor for good: looking again would not change it.

    A launch whose answer was lost may have been found without its ids. There is nothing to follow it by then, so the
    sensor succeeds at once, and says so in the log.

    :param conn_id: id of the connection
    :param deferrable: wait in the triggerer instead of on a worker; default ``[operators] default_deferrable``
    :param start_from_trigger: begin in the triggerer, without a worker that polls first. All that the sensor is given
        must be written out in the DAG file: no templates, no outputs of other tasks, no mapping
    :param retry_policy: which errors are worth a retry, and when
    """

    vendor: ClassVar[Vendor]
    start_trigger_args = StartArgs()

    no_ids = "no ids were handed over"
    """Why there may be nothing to follow."""

    _read: dict[str, list[str]] | None = None
    """The ids that a try has read so far. Each one of a mapped task is a request to Airflow's API."""

    def __init__(
        self,
        *,
        conn_id: str,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        retry_policy: RetryPolicy | None = DEFAULT,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.start_from_trigger = start_from_trigger
        self.conn_id = conn_id
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )

    def watch(self) -> Watch | None:
        """Return what to wait for; None when the operator before it could not tell what to follow.

        :raises ValidationError: naming the parameter that is wrong
        """
        raise NotImplementedError

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        from airflow_provider_mkt.client.retry import MAX_WAIT
        from airflow_provider_mkt.waiting.base import FailedPolls

        watch = self.watch()
        if watch is None:
            self.log.warning("There is nothing to follow: %s. The sensor succeeds without waiting.", self.no_ids)
            return PokeReturnValue(is_done=True)
        client = watch.hook(self.conn_id).client
        try:
            verdict = client.run(watch.poll(), longest=MAX_WAIT).redacted(client.redactor)
        except RateLimitError as error:
            self.log.info("Not polled this time: %s", error)
            return PokeReturnValue(is_done=False)
        FailedPolls().reset(verdict)
        return PokeReturnValue(is_done=verdict.final, xcom_value=_result(verdict) if verdict.final else None)

    def execute(self, context: Context) -> Any:
        """Poke, or poll once and leave the rest to the triggerer."""
        self._read = {}
        if not self.deferrable:
            return super().execute(context)
        # One round of Airflow's own loop, so that every option means what it means when poking.
        self.mode = "reschedule"
        try:
            return super().execute(context)
        except AirflowRescheduleException as planned:
            return self.defer_or(planned, clock.now() + self.timeout)

    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Go on when the trigger has something to tell."""
        from airflow_provider_mkt.triggers.watch import FIRST_LOOK
        from airflow_provider_mkt.waiting.base import Verdict

        error = ApiError.from_event(event)
        if error is None:
            return _result(Verdict.of(event))
        if not self.silent_fail:
            raise error
        self.log.error("Sensor poke failed: %s", error)
        later = AirflowRescheduleException(clock.utcnow() + timedelta(seconds=self.poke_interval))
        pause = max(FIRST_LOOK, self.poke_interval)
        return self.defer_or(later, deadline or clock.now() + self.timeout, pause)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Keep ``soft_fail`` and ``never_fail`` to what they cover when poking.

        That is for ``soft_fail`` timeouts and final failures, not a vendor out of reach; for ``never_fail`` all but
        timeouts.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skip:
            error = skip.__cause__
            if not isinstance(error, AirflowSensorTimeout if self.never_fail else ApiError):
                raise
        raise error

    def defer_or(
        self,
        planned: AirflowRescheduleException,
        deadline: float,
        first_look: float | None = None,
    ) -> NoReturn:
        """Leave the rest to the triggerer.

        :param planned: when to look again from a worker instead, as Airflow's own loop has worked it out
        :param deadline: when the sensor times out, in Unix time
        :param first_look: seconds before the triggerer's first poll
        """
        watch = self.watch()
        if watch is None:
            raise AirflowFailException("There is nothing to follow any more; the sensor's ids have changed.")
        self.defer(
            trigger=self.trigger(watch, first_look),
            method_name="execute_complete",
            kwargs={"deadline": deadline},
            timeout=timedelta(seconds=max(1.0, deadline - clock.now())),
        )

    def known_ids(self, field: str) -> list[str]:
        """Return the ids that an operator's result holds, without those that it does not know. There may be none.

        They are read once in a try.

        :param field: the parameter: one id as text, or a list of ids, in which None stands for one that there is not
        :raises ValidationError: when it is neither
        """
        read = {} if self._read is None else self._read
        if field not in read:
            read[field] = _known(field, getattr(self, field))
        return read[field]

    def trigger(self, watch: Watch, first_look: float | None = None) -> WatchTrigger:
        """Return the trigger that waits for ``watch``."""
        from airflow_provider_mkt.triggers.watch import WatchTrigger

        longest = None
        if self.exponential_backoff:
            longest = self.max_wait.total_seconds() if self.max_wait else float(self.timeout)
        return WatchTrigger.of(watch, self.conn_id, self.poke_interval, longest_interval=longest, first_look=first_look)


def _known(field: str, values: Any) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        return validation.ids(field, values)
    known = [each for each in values if each is not None]
    return validation.ids(field, known) if known else []


def _result(verdict: Verdict) -> Any:
    from airflow_provider_mkt.waiting.base import WaitState

    if verdict.state is WaitState.FAILED:
        raise AirflowFailException(verdict.message)
    return verdict.answer
