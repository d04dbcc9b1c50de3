# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From the operators of a launch to the requests that they would send. Nothing is sent, and nothing is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.operators.submitting import SubmitOnce
from airflow_provider_mkt.planning.times import local
from airflow_provider_mkt.state.budgets.sliding_window import part_of
from airflow_provider_mkt.submission.digest import request_digest
from airflow_provider_mkt.submission.record import content_of
from airflow_provider_mkt.submission.spending import cost_of, currency_of
from airflow_provider_mkt.submission.task_key import TaskKey

if TYPE_CHECKING:
    from airflow_provider_mkt.client.endpoint import Call, Limit
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.state.launches.launch import Effect

KEY = "planned"
"""In place of the idempotency key, which belongs to the try. It is no part of what is compared or approved."""


@dataclass(frozen=True)
class Place:
    """Where in Airflow the launch runs: orders and reports are named by it.

    :param dag_id: the DAG
    :param run_id: the run; a placeholder where there is none yet
    :param deployment: name of the Airflow
    :param prefix: of the tasks' names: the task group's, with a dot
    """

    dag_id: str
    run_id: str
    deployment: str
    prefix: str = ""

    def key(self, operator: Any, map_index: int = -1) -> TaskKey:
        """Return the key of a task."""
        task_id = f"{self.prefix}{operator.task_id}"
        return TaskKey(operator.conn_id, self.dag_id, self.run_id, task_id, map_index, self.deployment)


@dataclass(frozen=True)
class PlannedRequest:
    """One request that a launch would send. It holds no personal data.

    :param task_id: the task that sends it
    :param map_index: of a mapped task, -1 for others
    :param vendor: the vendor's name
    :param conn_id: the connection
    :param account: the account, as the register names it
    :param method: HTTP method
    :param url: the address without the query
    :param query: the query
    :param body: the exact body; None where it holds people
    :param what: one line that a marketer understands
    :param spends: whether it spends money
    :param amount: thousandths of the currency; None where that is not known or nothing is spent
    :param currency: of the amount
    :param goes_live: when, in ISO 8601; "" as soon as it is sent
    :param zone: the time zone that people read times in
    :param people: how many people it is about
    :param posts: how many posts it makes
    :param reference: what to look for at the vendor, "" where there is nothing
    :param own_name: whether that is made of DAG, run and task
    :param digest: of the exact request
    :param content: by which the register finds it in another run; "" for what is not in the register
    :param limits: the rate limits that it counts in, by account and name
    """

    task_id: str
    map_index: int
    vendor: str
    conn_id: str
    account: str
    method: str
    url: str
    query: Mapping[str, Any]
    body: Any = field(repr=False)
    what: str
    spends: bool
    amount: int | None
    currency: str
    goes_live: str
    zone: tzinfo
    people: int | None
    posts: int
    reference: str
    own_name: bool
    digest: str
    content: str
    limits: Mapping[tuple[str, ...], Limit] = field(repr=False)

    @property
    def when(self) -> str:
        """When it goes live, for people: with the day of the week, in the plan's time zone."""
        if not self.goes_live:
            return "as soon as it is sent"
        return local(validation.parsed("goes_live", self.goes_live), self.zone)

    @property
    def names_run(self) -> bool:
        """Whether the request holds the reference that is made of DAG, run and task."""
        return self.own_name and isinstance(self.body, Mapping) and self.reference in self.body.values()


def requests_of(
    operator: Any, place: Place, map_index: int = -1, zone: tzinfo = timezone.utc
) -> Iterator[tuple[PlannedRequest, Call]]:
    """Yield what a task would send, with the exact call.

    :param operator: the task, its fields as they are when it runs
    :param place: where it runs
    :param map_index: of a mapped task
    :param zone: the time zone that people read times in
    :raises ApiError: as the task would, when it cannot send
    """
    key, hook = place.key(operator, map_index), operator.hook
    if not isinstance(operator, SubmitOnce):
        # Where people come from is all that a context is needed for, and a file needs none.
        for call, effect in operator.planned({}):
            yield _planned(hook, key, call, effect, zone, people=effect.audience), call
        return
    request = operator.submission_request(key)
    call = request.call(request.body, KEY)
    effect = request.effect
    planned = _planned(
        hook,
        key,
        call,
        effect,
        zone,
        what=effect.summary or request.what,
        reference=request.reference,
        content=content_of(request.body, request.reference),
        posts=effect.audience or 0,
        body=call.body,
    )
    yield planned, call


def _planned(
    hook: MarketingHook, key: TaskKey, call: Call, effect: Effect, zone: tzinfo, **more: Any
) -> PlannedRequest:
    account = hook.account
    limits, share = hook.limits(account), float(account.extras["budget_share"])
    names = {(*account.identity, name): limits[name] for name in call.endpoint.budgets}
    used = {name: type(limit)(part_of(limit.requests, share), limit.window) for name, limit in names.items()}
    given = {"what": effect.summary, "reference": "", "content": "", "people": None, "posts": 0, "body": None, **more}
    given["own_name"] = given["reference"] == key.reference
    return PlannedRequest(
        task_id=key.task_id,
        map_index=key.map_index,
        vendor=hook.vendor.name,
        conn_id=key.conn_id,
        account=account_name(account),
        method=call.endpoint.method,
        url=call.url(hook.bases(account)[call.endpoint.base]),
        query={name: value for name, value in call.query.items() if value is not None},
        spends=effect.spends,
        amount=cost_of(account, effect),
        currency=currency_of(account, effect) if effect.spends else "",
        goes_live=effect.goes_live,
        zone=zone,
        digest=request_digest(account, call),
        limits=used,
        **given,
    )
