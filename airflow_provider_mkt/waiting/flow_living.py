# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a Flow Living campaign. Vendor document: "API Scripts", 'Get campaign status'."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.exceptions import ApiError, NotFoundError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.vendors import flow_living
from airflow_provider_mkt.waiting.base import Verdict, WaitState, Watch, overall, state_of

QUEUE_DELAY = 120.0
"""Seconds for which a new tracking id may still be unknown to the status route (assumed)."""
STOP_REASON = "The Airflow task was stopped by a user."
STOPPED = flow_living.FAILED | {"paused", "completed"}
"""Statuses in which a campaign spends nothing."""


@dataclass(frozen=True)
class CampaignWatch(Watch):
    """All parts of one order: publishing returns several tracking ids, each is judged on its own.

    :param tracking_ids: what publishing returned
    :param targets: statuses that mean success
    :param published_at: Unix time of the publishing, when known; a new id may not be found for two minutes
    """

    tracking_ids: list[str]
    targets: list[str]
    published_at: float | None = None

    hook = FlowLivingHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read every tracking id."""
        answers: dict[str, dict[str, Any]] = {}
        states: dict[str, WaitState] = {}
        failed = (flow_living.FAILED | {"completed"}) - set(self.targets)
        pending = flow_living.PENDING | {"published", "paused"}
        for tracking_id in self.tracking_ids:
            try:
                answer = yield flow_living.STATUS(path={"campaign_tracking_id": tracking_id}, priority=Priority.POLL)
            except NotFoundError:
                if self.published_at is None or clock.now() - self.published_at > QUEUE_DELAY:
                    raise
                answer = {"status": "queued", "message": "not known to the status route yet"}
            answers[tracking_id] = answer
            states[tracking_id] = state_of(answer["status"], self.targets, pending, failed)
        told = ", ".join(f"{key}: {answer['status']}" for key, answer in answers.items())
        reasons = {
            str(answers[key]["message"])
            for key, state in states.items()
            if state is WaitState.FAILED and answers[key].get("message")
        }
        message = f"Flow Living campaign {told}" + (f" ({'; '.join(sorted(reasons))})" if reasons else "")
        untouched = all(answer["status"] == "failed" and not answer.get("campaign_id") for answer in answers.values())
        statuses = ", ".join(sorted({answer["status"] for answer in answers.values()}))
        return Verdict(overall(states.values()), statuses, message, answers, untouched)

    def cancel(self) -> Generator[Call, Any, str]:
        """Pause every part, or call it off where it cannot be paused yet, and confirm that by reading the status.

        :raises ApiError: naming what may still run, and spend
        """
        stopped: list[str] = []
        running: list[str] = []
        for tracking_id in self.tracking_ids:
            try:
                now = yield from _stop(tracking_id)
            except ApiError as error:
                running.append(f"{tracking_id} ({error})")
            else:
                (stopped if now in STOPPED else running).append(f"{tracking_id} ({now})")
        if running:
            rest = f"Stopped: {', '.join(stopped) or 'none'}. Pause the rest at Flow Living."
            raise ApiError(f"Not stopped: {', '.join(running)}. {rest}", vendor=flow_living.VENDOR.name)
        return f"stopped {', '.join(stopped)}"


def _stop(tracking_id: str) -> Generator[Call, Any, str]:
    """Return the status after asking for a pause, the one change that is documented, or else for a cancellation.

    :raises ApiError: when the last request was refused, and the status shows that it would have been needed
    """
    path, now = {"campaign_tracking_id": tracking_id}, ""
    refusal: ApiError | None = None
    for status in ("paused", "cancelled"):
        try:
            yield flow_living.UPDATE_STATUS(path=path, body={"status": status, "reason": STOP_REASON})
        except ApiError as error:
            refusal = error
        else:
            refusal = None
        answer = yield flow_living.STATUS(path=path)
        now = str(answer["status"])
        if now in STOPPED:
            return now
    if refusal is not None:
        raise refusal
    return now


def to_stop(receipt: dict[str, Any]) -> CampaignWatch | None:
    """Return what stops a launch with these ids; None when nothing does."""
    ids = receipt.get("campaign_tracking_ids")
    return CampaignWatch(list(ids), sorted(STOPPED)) if ids else None
