# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The plan of a brief, a calendar or an audience: every request in order, and what stands in its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException as NotFound

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.plan import steps
from airflow_provider_mkt.plan.requests import Place, PlannedRequest, requests_of
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.planning.calendar import planned_posts
from airflow_provider_mkt.planning.kinds import AUDIENCE, BRIEF, CALENDAR
from airflow_provider_mkt.planning.times import zone
from airflow_provider_mkt.submission.digest import plan_digest

if TYPE_CHECKING:
    from airflow_provider_mkt.client.endpoint import Call
    from airflow_provider_mkt.hooks.account import Account
    from airflow_provider_mkt.operators import PreflightOperator

DAGS = {BRIEF: "mkt_campaign_launch", CALENDAR: "mkt_social_calendar", AUDIENCE: "mkt_audience"}
"""The DAG that a plan is for, when nobody names one."""
CALENDAR_TASK = "schedule_post"
SETTINGS = (*steps.CONNECTIONS, "segment_ids")
"""What may be set beside a file: connections in place of the default ones, and the segments of an audience."""


@dataclass
class Sending:
    """A task that sends something.

    :param operator: as it is when it runs
    :param map_index: of a mapped task
    :param zone: the time zone that people read its times in
    :param place: what messages call it
    """

    operator: Any
    map_index: int = -1
    zone: tzinfo = timezone.utc
    place: str = ""


@dataclass
class Tasks:
    """The tasks of a launch.

    :param sending: those that send something, in their order
    :param preflight: what asks the vendors before the first of them
    :param afterwards: what follows without effect
    """

    sending: list[Sending]
    preflight: PreflightOperator
    afterwards: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """What a file would launch.

    :param place: where it would run
    :param requests: in their order
    :param afterwards: what follows without effect
    :param problems: what has to be corrected before it can be launched
    :param preflight: what asks the vendors
    :param accounts: those that something is sent to, by the name that the register has for them
    """

    place: Place
    requests: list[PlannedRequest] = field(default_factory=list)
    afterwards: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    preflight: PreflightOperator | None = None
    accounts: dict[str, Account] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """The digest over the exact requests, in their order."""
        return plan_digest([each.digest for each in self.requests])

    @property
    def costs(self) -> Mapping[str, int]:
        """Thousandths of each currency that are known to be spent."""
        found: Counter[str] = Counter()
        for each in self.requests:
            if each.amount is not None:
                found[each.currency] += each.amount
        return found

    @property
    def unpriced(self) -> list[PlannedRequest]:
        """Requests that spend money, and nobody here knows how much."""
        return [each for each in self.requests if each.spends and each.amount is None]

    @property
    def people(self) -> int:
        """People that are taken in or put into segments."""
        return sum(each.people or 0 for each in self.requests)


def brief_tasks(file: str, launch: datetime, conf: Mapping[str, Any] | None = None) -> Tasks:
    """Return the tasks of a brief, as ``task_groups.launch`` has them.

    :param file: path of the brief
    :param launch: the moment of the launch, which is the run's ``run_after``
    :param conf: some of :data:`SETTINGS`
    :raises PlanError: telling all problems of the brief
    """
    brief = read_brief(file, launch)
    return tasks_of(steps.fields_of(brief), conf, tuple(steps.STEPS), zone(brief.timezone))


def tasks_of(read: Mapping[str, Any], conf: Mapping[str, Any] | None, wanted: tuple[str, ...], zone_: tzinfo) -> Tasks:
    """Return the tasks of a brief that was read.

    :param read: as :func:`steps.fields_of` returns it
    :param conf: some of :data:`SETTINGS`
    :param wanted: the steps that the launch has tasks for
    :param zone_: the brief's time zone
    """
    given = conf or {}
    single: dict[str, Callable[[], Any]] = {
        "sync": lambda: steps.sync(read, **_of("flokit", given)),
        "audience": lambda: steps.audience(read, **_of("flodesk", given)),
        "campaign": lambda: steps.campaign(read, **_of("flow_living", given)),
        "report": lambda: steps.report(read, **_of("flinque", given)),
    }
    there = [step for step, name in steps.STEPS.items() if step in wanted and read[name] is not None]
    sending: list[Sending] = []
    for step in there:
        if step == "posts":
            sending += [
                Sending(steps.post(post, **_of("flow_social", given)), index, zone_, f"post {index + 1}")
                for index, post in enumerate(read["posts"])
            ]
        else:
            sending.append(Sending(single[step](), zone=zone_, place=step))
    return Tasks(
        sending,
        steps.preflight(read, there, **_connections(given)),
        [steps.AFTERWARDS[step] for step in there if step in steps.AFTERWARDS],
    )


def calendar_tasks(file: str, launch: datetime, conf: Mapping[str, Any] | None = None) -> Tasks:
    """Return the tasks of a calendar, as the DAG ``mkt_social_calendar`` has them.

    :param file: path of the calendar
    :param launch: the moment of the launch, which is the run's ``run_after``
    :param conf: some of :data:`SETTINGS`
    :raises PlanError: telling all problems of the calendar
    """
    given = conf or {}
    planned = planned_posts(file, launch)
    own = {"task_id": CALENDAR_TASK, **_of("flow_social", given)}
    sending = [
        Sending(steps.post(each.post, **own), index, each.zone, f"line {each.line}")
        for index, each in enumerate(planned)
    ]
    read = {"posts": [each.post for each in planned]}
    after = steps.AFTERWARDS["posts"].replace(steps.POSTS_TASK, CALENDAR_TASK)
    return Tasks(sending, steps.preflight(read, ("posts",), **_connections(given)), [after])


def audience_tasks(file: str, _: datetime, conf: Mapping[str, Any] | None = None) -> Tasks:
    """Return the task that takes an audience in. People join the segments of ``conf``, since the file names none.

    :param file: path of the audience
    :param conf: some of :data:`SETTINGS`
    """
    given = conf or {}
    read = {"audience": file, "segments": given.get("segment_ids", [])}
    sending = [Sending(steps.audience(read, **_of("flodesk", given)), place="audience")]
    return Tasks(sending, steps.preflight(read, ("audience",), **_connections(given)))


TASKS: Mapping[str, Callable[[str, datetime, Mapping[str, Any] | None], Tasks]] = {
    BRIEF: brief_tasks,
    CALENDAR: calendar_tasks,
    AUDIENCE: audience_tasks,
}
"""How the tasks of a file are found, by its kind."""


def plan_of(tasks: Tasks, place: Place) -> Plan:
    """Return what tasks would send. Nothing is sent, and nothing is written down.

    :param tasks: of the launch
    :param place: where it runs
    """
    plan = Plan(place, afterwards=tasks.afterwards, preflight=tasks.preflight)
    for each in tasks.sending:
        try:
            plan.requests += [request for request, _ in requests_of(each.operator, place, each.map_index, each.zone)]
            account = each.operator.hook.account
            plan.accounts[account_name(account)] = account
        except NotFound as error:
            plan.problems.append(f"{each.place}: {str(error).rstrip('.')}. Create the connection.")
        except ApiError as error:
            plan.problems.append(f"{each.place}: {error}")
    plan.problems = list(dict.fromkeys(plan.problems))
    return plan


def calls_of(tasks: Tasks, place: Place) -> Iterator[tuple[Sending, Call]]:
    """Yield the exact calls of a launch. They hold people where an audience is taken in: show them to nobody.

    :param tasks: of the launch
    :param place: where it runs
    """
    for each in tasks.sending:
        for _, call in requests_of(each.operator, place, each.map_index, each.zone):
            yield each, call


def _of(vendor: str, conf: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{vendor}_conn_id"
    return {name: conf[name]} if name in conf else {}


def _connections(conf: Mapping[str, Any]) -> dict[str, Any]:
    return {name: conf[name] for name in steps.CONNECTIONS if name in conf}
