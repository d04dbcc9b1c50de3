# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether a plan fits into the caps on money, as the fence would judge it now. Nothing is reserved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.plan.plan import Plan
from airflow_provider_mkt.plan.requests import PlannedRequest
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.caps import Cap, Use, amount_of, use_of
from airflow_provider_mkt.state.launches.register import now
from airflow_provider_mkt.submission.spending import account_caps, configured_caps, day_zone

Numbered = tuple[int, PlannedRequest]


def cap_findings(plan: Plan, get_store: Callable[[], Store] = store) -> tuple[list[str], list[str]]:
    """Return what a cap refuses whenever it is launched, and what it would refuse if it was launched now.

    :param plan: the plan
    :param get_store: returns the store in which money is counted
    """
    spending = [(number, each) for number, each in enumerate(plan.requests, 1) if each.spends]
    if not spending:
        return [], []
    try:
        caps = [*configured_caps(), *(cap for account in plan.accounts.values() for cap in account_caps(account))]
    except ValidationError as error:
        return [str(error)], []
    problems = [
        f"request {number}: there are caps on money, and the currency of {each.conn_id} is not known; enter it into "
        "the extra 'currency'"
        for number, each in spending
        if caps and not each.currency
    ]
    covered = [(cap, [one for one in spending if _covers(cap, one[1])]) for cap in caps]
    problems += [text for cap, mine in covered for text in _never(cap, mine)]
    periodic = [(cap, mine) for cap, mine in covered if mine and cap.period in ("day", "month")]
    if not periodic:
        return problems, []
    zone = day_zone()
    try:
        used = get_store()
        uses = used.run(
            lambda connection: [use_of(connection, cap, now(connection, used.clock), zone) for cap, _ in periodic]
        )
    except StoreError as error:
        return problems, [f"how far the caps on money are used is not known: {error}"]
    found = [_not_now(use, _total(mine)) for use, (_, mine) in zip(uses, periodic, strict=True)]
    return problems, [text for text in found if text]


def _covers(cap: Cap, each: PlannedRequest) -> bool:
    return cap.currency == each.currency and cap.account in ("", each.account)


def _total(mine: Sequence[Numbered]) -> int:
    return sum(each.amount or 0 for _, each in mine)


def _never(cap: Cap, mine: Sequence[Numbered]) -> Iterator[str]:
    """Yield what a cap refuses at any time."""
    for number, each in mine:
        if each.amount is None:
            yield f"request {number}: there is a cap of {cap}, and what it costs is not known here"
        elif cap.period == "launch" and each.amount > cap.limit:
            yield f"request {number} costs {amount_of(each.amount)} {each.currency}, and the cap is {cap}"
    if cap.period != "launch" and _total(mine) > cap.limit:
        yield f"the plan costs {amount_of(_total(mine))} {cap.currency}, and the cap is {cap}"


def _not_now(use: Use, total: int) -> str:
    """Say what a cap would refuse now; "" when there is room, or never will be."""
    cap = use.cap
    if total > cap.limit or total <= use.left:
        return ""
    resets = "" if use.resets is None else datetime.fromtimestamp(use.resets, day_zone()).isoformat(" ", "minutes")
    users = ", ".join(f"{dag_id} {amount_of(spent)}" for dag_id, spent in use.by)
    return (
        f"the plan costs {amount_of(total)} {cap.currency}, and of the cap of {cap} {amount_of(use.left)} is left; it "
        f"resets at {resets}, and was used by {users}"
    )
