# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One launch, as the register knows it."""

from __future__ import annotations

from dataclasses import dataclass

NOT_SENT, LEAVING, UNKNOWN, ACCEPTED = "not sent", "leaving", "unknown", "accepted"
DONE, REFUSED, FAILED, HELD, STOPPED = "done", "refused", "failed", "held", "stopped"
STATES = (NOT_SENT, LEAVING, UNKNOWN, ACCEPTED, DONE, REFUSED, FAILED, HELD, STOPPED)
"""``leaving``: about to be sent, no news yet. ``unknown``: it may have happened. ``accepted``: by the vendor. ``done``:
the vendor has carried it out. ``stopped``: it was accepted, and then ended by ``airflow mkt stop``. ``refused`` and
``failed``: it did not happen. ``held``: kept back, because the vendor listed it already. ``not sent``: taken back."""
SETTLED = frozenset({NOT_SENT, ACCEPTED, DONE, REFUSED, FAILED, STOPPED})
"""States in which nothing is open between this side and the vendor."""
WITHOUT_EFFECT = frozenset({NOT_SENT, REFUSED, FAILED, HELD})
"""States of what certainly did not happen: its money is given back."""
MILLS = 1000
"""An amount is kept as a whole number of thousandths: sums of those are exact."""


@dataclass(frozen=True)
class Effect:
    """What a launch means to a marketer.

    :param summary: one line in plain words
    :param spends: whether it spends money
    :param amount: how much, in the currency of the account; None when that is not known here
    :param currency: of the amount, where the request names it
    :param plan: what the vendor knows the amount by, where the request does not name it
    :param goes_live: when, in ISO 8601 with an offset; "" at once
    :param audience: how many people or posts it reaches; None when that is not known
    :param channel: the one channel that it goes live on; "" for several, or none
    """

    summary: str = ""
    spends: bool = False
    amount: float | None = None
    currency: str = ""
    plan: str = ""
    goes_live: str = ""
    audience: int | None = None
    channel: str = ""


@dataclass(frozen=True)
class Launch:
    """A row of the register.

    :param launch: the idempotency key, which names the launch for ever
    :param deployment: name of the Airflow that it belongs to
    :param vendor: the vendor's name
    :param account: the account, by address and login
    :param conn_id: the connection
    :param dag_id: the DAG
    :param run_id: the DAG run, which may be gone
    :param task_id: the task
    :param map_index: of a mapped task, -1 for others
    :param number: number of the submission within the task
    :param generation: counts how often this was submitted again
    :param what: one line that a marketer understands
    :param amount: thousandths of the currency; None where no money is spent or the amount is not known
    :param currency: of the account; "" where it is not known
    :param goes_live: when it goes live, in ISO 8601; "" at once
    :param audience: how many people or posts it reaches
    :param reference: what to look for at the vendor
    :param content: digest of the body without the reference, to find the same content in another run
    :param triggered_by: who started the run
    :param approved_by: who approved exactly this
    :param vendor_ids: the vendor's ids, as JSON; "" before there are any
    :param state: one of :data:`STATES`
    :param writer: the try that wrote it last
    :param begun_at: when it first came to the fence, in Unix time by the store's clock like all moments here
    :param changed_at: of the last change
    :param counted_at: when its money was reserved last; None when it does not count
    :param channel: the one channel that it goes live on; "" for several, or none
    """

    launch: str
    deployment: str
    vendor: str
    account: str
    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    number: str
    generation: int
    what: str
    amount: int | None = None
    currency: str = ""
    goes_live: str = ""
    audience: int | None = None
    reference: str = ""
    content: str = ""
    triggered_by: str = ""
    approved_by: str = ""
    vendor_ids: str = ""
    state: str = LEAVING
    writer: str = ""
    begun_at: float = 0.0
    changed_at: float = 0.0
    counted_at: float | None = None
    channel: str = ""
