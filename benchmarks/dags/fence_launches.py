# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One task that launches many campaigns and measures the time around the fence of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import dag, get_current_context, task

from tests.chaos.steps import around, on_write


@dataclass
class Moments:
    """When things happened in the launch that is going on, in seconds."""

    asked: float = 0.0
    answered: float = 0.0
    confirmed: float = 0.0
    looked: float = 0.0
    last: float = 0.0
    found: list[dict[str, float]] = field(default_factory=list)

    def watch(self, store: Any) -> None:
        """Note when the fence is asked and answers, and when the request's bytes are handed to the system.

        :param store: the class of the task state store
        """
        from http.client import HTTPConnection

        from airflow_provider_mkt.client import adapter
        from airflow_provider_mkt.submission.fence import Fence

        around(adapter, "elapsed", before=self._looking)
        around(Fence, "__call__", before=self._fence_asked, after=self._fence_answered)
        on_write(store, "leaving", self._confirmed)
        around(HTTPConnection, "send", after=self._sent)

    def _fence_asked(self, *_: Any) -> None:
        self.asked = time.perf_counter()

    def _fence_answered(self, *_: Any) -> None:
        self.answered = time.perf_counter()

    def _looking(self) -> None:
        self.looked = time.perf_counter()

    def _confirmed(self) -> None:
        self.confirmed = time.perf_counter()

    def _sent(self, *_: Any) -> None:
        self.last = time.perf_counter()

    def launch(self, submit: Any) -> None:
        """Launch, and keep what was noted."""
        began = time.perf_counter()
        submit()
        self.found.append(
            {
                "launch": time.perf_counter() - began,
                "fence": self.answered - self.asked,
                "confirmed": self.last - self.confirmed,
                "looked": self.last - self.looked,
            }
        )


@dag(schedule=None)
def fence_launches() -> None:
    @task
    def launches() -> list[dict[str, float]]:
        from airflow_provider_mkt.client.endpoint import Limit
        from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
        from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
        from airflow_provider_mkt.submission.submit import Submission
        from airflow_provider_mkt.submission.task_key import TaskKey

        context = get_current_context()
        FlowLivingHook.limits = lambda self, account: {  # type: ignore[method-assign]
            name: Limit(1_000_000, 1.0) for name in self.vendor_limits(account)
        }
        operator = FlowLivingPublishCampaignOperator(
            task_id="publish",
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
        )
        task_key = TaskKey.of(context, operator.conn_id)
        request, client = operator.submission_request(task_key), operator.hook.client
        moments = Moments()
        moments.watch(type(context["task_state_store"]))
        for number in range(context["dag_run"].conf["launches"]):
            submission = Submission(
                context["task_state_store"], task_key, number, guard=operator.guard(context)
            )  # fmt: skip
            moments.launch(lambda submission=submission: submission.submit(request, client.send, client.run))
        return moments.found

    launches()


fence_launches()
