# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the triggerer writes into a task's log when a wait ends, and what the task is given."""

from __future__ import annotations

from airflow.jobs.triggerer_job_runner import TriggerEventEntry, messages
from airflow.triggers.base import TriggerEvent

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.triggers.event import WaitEvent
from airflow_provider_mkt.waiting.base import Verdict, WaitState

DONE = Verdict(WaitState.DONE, "published", "Flow Living campaign queue_1 is published", {"queue_1": "published"})


def test_the_log_says_a_sentence() -> None:
    assert repr(WaitEvent(DONE.event())) == str(WaitEvent(DONE.event())) == DONE.message
    assert "TriggerEvent" not in repr(WaitEvent(ApiError("no such report", status=404).to_event()))
    assert "no such report" in repr(WaitEvent(ApiError("no such report", status=404).to_event()))
    assert repr(WaitEvent({})) == "the wait is over"


def test_the_task_is_given_the_same_as_by_airflow_s_own_event() -> None:
    """The triggerer's process hands events to its parent as JSON."""

    def sent(event: TriggerEvent) -> TriggerEvent:
        entry = TriggerEventEntry(trigger_id=1, event=event, persist_seq=None)
        text = messages.TriggerStateChanges(events=[entry]).model_dump_json()
        (received,) = messages.TriggerStateChanges.model_validate_json(text).events or []
        return received.event

    assert sent(WaitEvent(DONE.event())) == sent(TriggerEvent(DONE.event()))
    assert Verdict.of(sent(WaitEvent(DONE.event())).payload) == DONE
