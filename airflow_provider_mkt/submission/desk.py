# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launch desk, as one submission sees it: asked at the fence, and told of every change after it.

It never makes a launch fail that has left: what cannot be written to the register is written by the next change, or by
the next try. docs/launch-desk-operations.md says whether a launch may begin while the shared store is away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_mkt.client.durations import elapsed
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApprovalWantedError, StoppedError
from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.approvals import Approvals, Asked
from airflow_provider_mkt.state.launches.launch import (
    ACCEPTED,
    FAILED,
    HELD,
    LEAVING,
    NOT_SENT,
    REFUSED,
    UNKNOWN,
    Launch,
)
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import check_variable
from airflow_provider_mkt.submission import approval
from airflow_provider_mkt.submission import record as records
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.request import SubmissionRequest
from airflow_provider_mkt.submission.spending import caps_for, cost_of, currency_of, day_zone
from airflow_provider_mkt.submission.task_key import TaskKey

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mkt.hooks.account import Account

log = logging.getLogger(__name__)

PAUSE = 30.0
"""Seconds for which a store that failed is not asked again by this process."""
MAX_CHANNEL = 100
MAX_IDS = 20_000
"""Characters of the vendor's ids that are kept."""
STATES = {
    records.SUBMITTED: ACCEPTED,
    records.REFUSED: REFUSED,
    records.FAILED: FAILED,
    records.HELD: HELD,
}
"""States of the register, by those of a record."""


def state_of(record: Record) -> str:
    """Return what the register says of a record."""
    if record.state != records.INTENT:
        return STATES[record.state]
    if record.doubtful:
        return UNKNOWN
    return LEAVING if record.sent else NOT_SENT


def ids_of(record: Record) -> str:
    """Return the vendor's ids of a record, as the register keeps them: JSON, "" before there are any."""
    named = (record.id_field, *(name for name in record.receipt if name.endswith(("_id", "_ids"))))
    ids = {name: record.receipt[name] for name in named if name in record.receipt}
    return json.dumps(ids)[:MAX_IDS] if record.receipt else ""


@dataclass
class Desk:
    """What the desk knows of one submission.

    :param account: through which it is sent
    :param task_key: where it belongs
    :param operation: number or name of the submission within the task
    :param triggered_by: who started the run, "" when nobody did
    :param approval: ``required`` where each launch needs an approval; "" where its amount decides
    :param request: what is to be submitted; None as long as that is not known
    """

    account: Account
    task_key: TaskKey
    operation: int | str = 0
    triggered_by: str = ""
    approval: str = ""
    request: SubmissionRequest | None = None
    register: Register = Register()  # noqa: RUF009 - it has no state
    approvals: Approvals = Approvals()  # noqa: RUF009 - it has no state
    elapsed: Callable[[], float] = elapsed

    @classmethod
    def of(cls, context: Context, account: Account, task_key: TaskKey, approval: str = "") -> Desk:
        """Return the desk for the submissions of the running task."""
        who = getattr(context["dag_run"], "triggering_user_name", None)
        return cls(account, task_key, 0, str(who or ""), approval)

    def check_approval(self, record: Record, call: Call) -> None:
        """Return when a launch needs no approval, or has one.

        :param record: as it is before it leaves
        :param call: what is to be sent
        :raises ApprovalWantedError: when nobody has approved exactly this
        :raises StoppedError: when that cannot be looked up
        """
        asked = self._to_approve(self._launch(record, LEAVING, ""), call)
        if asked is None:
            return
        try:
            approver = None if AWAY.lasts(self.elapsed()) else self.approvals.approver(asked.launch, asked.digest)
        except StoreError as error:
            AWAY.begin(self.elapsed(), error)
        if AWAY.lasts(self.elapsed()):
            raise StoppedError(approval.AWAY)
        if approver is None:
            raise approval.wanted(asked)

    def _to_approve(self, launch: Launch, call: Call | None) -> Asked | None:
        """Return what somebody must have approved; None when nobody need have."""
        if self.request is None or call is None or not approval.is_wanted(self.approval, self.request.effect, launch):
            return None
        return approval.asked_of(self.account, launch, call)

    def admit(self, record: Record, writer: str, call: Call | None = None) -> None:
        """Let a launch begin, and enter it into the register.

        :param record: as it is before it leaves
        :param writer: the try
        :param call: what is about to be sent
        :raises LaunchRefusedError: when it may not begin
        :raises ApprovalWantedError: when nobody has approved exactly this
        """
        launch = self._launch(record, LEAVING, writer)
        asked = self._to_approve(launch, call)
        caps = caps_for(self.account, launch) if self.request and self.request.effect.spends else ()
        if not AWAY.lasts(self.elapsed()):
            try:
                admit(launch, caps=caps, zone=day_zone(), approved=asked.digest if asked else "")
            except StoreError as error:
                AWAY.begin(self.elapsed(), error)
            except ApprovalWantedError:
                raise (approval.wanted(asked) if asked else RuntimeError("an approval was asked for")) from None
            else:
                return
        if asked is not None:
            raise StoppedError(approval.AWAY)
        if caps:
            raise StoppedError(
                "There are caps on what launches spend, and they cannot be counted while the shared store is away. "
                "Nothing was sent; the next try asks again."
            )
        check_variable(launch)

    def note(self, record: Record, former: str, state: str = "") -> None:
        """Enter what has become of a launch.

        :param record: as it was just written
        :param former: who wrote it before
        :param state: what the register is to say; "" for what the record says
        """
        state = state or state_of(record)
        never_left = state == NOT_SENT and not former
        if never_left or AWAY.lasts(self.elapsed()):
            return
        try:
            launch = self._launch(record, state, record.writer)
            self.register.note(launch, former, described=self.request is not None)
        except StoreError as error:
            AWAY.begin(self.elapsed(), error)

    def _launch(self, record: Record, state: str, writer: str) -> Launch:
        key, request = self.task_key, self.request
        effect = request.effect if request else None
        return Launch(
            launch=record.key,
            deployment=record.deployment,
            vendor=self.account.vendor.name,
            account=account_name(self.account),
            conn_id=record.conn_id or key.conn_id,
            dag_id=key.dag_id,
            run_id=key.run_id,
            task_id=key.task_id,
            map_index=key.map_index,
            number=str(self.operation),
            generation=record.generation,
            what=((effect.summary if effect else "") or (request.what if request else "")),
            amount=cost_of(self.account, effect) if effect else None,
            currency=currency_of(self.account, effect) if effect and effect.spends else "",
            goes_live=effect.goes_live if effect else "",
            audience=effect.audience if effect else None,
            channel=effect.channel[:MAX_CHANNEL] if effect else "",
            reference=record.reference,
            content=records.content_of(record.body, record.reference),
            triggered_by=self.triggered_by,
            vendor_ids=ids_of(record),
            state=state,
            writer=writer,
        )


def settled_by_person(record: Record, former: str) -> None:
    """Enter what a person has found out about a launch. One that is not in the register is not made.

    :param record: as the person's command wrote it
    :param former: who wrote it before
    """
    launch = Launch(
        launch=record.key,
        deployment=record.deployment,
        vendor="",
        account="",
        conn_id=record.conn_id,
        dag_id="",
        run_id="",
        task_id="",
        map_index=-1,
        number="",
        generation=record.generation,
        what="",
        vendor_ids=ids_of(record),
        state=state_of(record),
        writer=record.writer,
    )
    try:
        Register().note(launch, former, described=False)
    except StoreError as error:
        log.warning("The register of launches does not show it: %s", error)


class Away:
    """Whether the store failed a moment ago: asking it again would keep each launch waiting."""

    def __init__(self) -> None:
        self._until = float("-inf")

    def begin(self, now: float, error: StoreError) -> None:
        """Note that it failed."""
        log.warning(
            "%s Until it works again, the register of launches is not complete; a retry of the task completes it.",
            error,
        )
        self._until = now + PAUSE

    def lasts(self, now: float) -> bool:
        """Tell whether it is not to be asked yet."""
        return now < self._until


AWAY = Away()
