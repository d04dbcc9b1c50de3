# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets and caps on money: what is used, and what is left."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from airflow_provider_mkt.control.used_caps import used_caps
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.pages.visit import Shown, Visit
from airflow_provider_mkt.state.budgets.table import BudgetUse, snapshot

REFRESH = 2
"""Seconds after which the page asks again."""


class AccountBudgets(NamedTuple):
    """The rate budgets of one account.

    :param vendor: the vendor's name
    :param address: of its API
    :param account: what tells it from other accounts
    :param uses: by the budget's name
    """

    vendor: str
    address: str
    account: str
    uses: list[tuple[str, BudgetUse]]


def show(visit: Visit) -> Shown:
    """Show every budget and cap."""
    accounts: dict[tuple[str, str, str], list[tuple[str, BudgetUse]]] = defaultdict(list)
    for use in snapshot():
        vendor, address, account, *name = use.label.split(" ")
        accounts[vendor, address, account].append((" ".join(name), use))
    caps, problem = _caps(visit)
    return Shown(
        "budgets.html",
        {
            "accounts": [AccountBudgets(*key, uses) for key, uses in sorted(accounts.items())],
            "caps": caps,
            "problem": problem,
            "refresh": REFRESH,
        },
    )


def _caps(visit: Visit) -> tuple[list[dict[str, Any]], str]:
    """Return the caps, and why they cannot be shown. DAGs that a person may not see are not named."""
    try:
        found = used_caps()
    except ValidationError as error:
        return [], str(error)
    readable = visit.may.readable({dag_id for _, use in found for dag_id, _ in use.by})
    return [
        {
            "whose": whose,
            "use": use,
            "counted": use.cap.period in ("day", "month"),
            "by": [(dag_id if dag_id in readable else "another DAG", spent) for dag_id, spent in use.by],
        }
        for whose, use in found
    ], ""
