# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One approval for a whole launch: a task asks about all that would be sent, before the first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.approving import AsksPeople
from airflow_provider_mkt.tasks.authored_templates import AuthoredTemplates

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mkt.hooks.account import Account
    from airflow_provider_mkt.plan.plan import Plan
    from airflow_provider_mkt.plan.requests import PlannedRequest
    from airflow_provider_mkt.state.launches.approvals import Asked

ASKING = "approve_plan"


class ApprovePlanOperator(AuthoredTemplates, AsksPeople):
    """Asks a person once about all that a brief would send. Each request may then leave once, if nothing of it changes.

    Returns ``digest``, ``approved_by`` and ``requests`` (how many).

    :param read: what ``read_brief`` returns
    :param steps: the steps that the launch has tasks for
    :param connections: names of the connections, by parameter
    """

    template_fields: Sequence[str] = ("read", "connections")

    def __init__(self, *, read: Any, steps: Sequence[str], connections: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read, self.steps, self.connections = read, steps, connections

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, and ask about it unless exactly that is approved."""
        from airflow_provider_mkt.state.launches.approvals import RUN, Approvals
        from airflow_provider_mkt.state.launches.launch import Launch

        plan = self._plan(context)
        ti = context["ti"]
        task = Launch(
            launch="",
            deployment=plan.place.deployment,
            vendor="",
            account="",
            conn_id="",
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1,
            number="",
            generation=1,
            what="",
        )
        by = Approvals().approver_of(task, plan.digest) if plan.requests else ""
        if by is None:
            who = str(getattr(context["dag_run"], "triggering_user_name", None) or "")
            asked = [_asked(each, task, who, plan.accounts[each.account]) for each in plan.requests]
            self.ask(context, asked, RUN, task)
            # The answer was known at once.
            by = Approvals().approver_of(task, plan.digest)
        return {"digest": plan.digest, "approved_by": by, "requests": len(plan.requests)}

    def _plan(self, context: Context) -> Plan:
        """Return the plan.

        :raises ValidationError: when something of it cannot be sent
        """
        from airflow_provider_mkt.plan.plan import plan_of, tasks_of
        from airflow_provider_mkt.plan.requests import Place
        from airflow_provider_mkt.planning.times import zone
        from airflow_provider_mkt.submission.deployment import deployment

        ti = context["ti"]
        place = Place(ti.dag_id, ti.run_id, deployment(), ti.task_id.removesuffix(self.task_id.rpartition(".")[2]))
        plan = plan_of(tasks_of(self.read, self.connections, tuple(self.steps), zone(self.read["timezone"])), place)
        if plan.problems:
            raise ValidationError(f"Nobody is asked, since this cannot be launched: {' '.join(plan.problems)}")
        return plan


def _asked(request: PlannedRequest, task: Any, triggered_by: str, account: Account) -> Asked:
    """Return what a person is asked about one request. People are shown by their number."""
    from dataclasses import replace

    from airflow_provider_mkt.state.launches.approvals import Asked
    from airflow_provider_mkt.submission.approval import shown_request

    names = ("vendor", "account", "conn_id", "task_id", "map_index", "what", "amount", "currency", "goes_live")
    own = {name: getattr(request, name) for name in names}
    reached = request.people if request.people is not None else request.posts or None
    launch = replace(task, **own, audience=reached, triggered_by=triggered_by)
    shown = {"method": request.method, "url": request.url, "query": dict(request.query), "body": request.body}
    if request.body is None:
        shown["people"] = request.people
    return Asked(launch, request.digest, shown_request(account, shown))
