# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether a launch needs an approval, and what a person is asked about it.

What is approved is a digest of the exact request. It is compared twice: before the record says that the request leaves,
and at the fence, in the transaction that lets the launch begin. While the shared store is away nothing is approved.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApprovalWantedError, StoppedError, ValidationError
from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, VOID, Approvals, Asked
from airflow_provider_mkt.state.launches.launch import Effect, Launch
from airflow_provider_mkt.submission.digest import SHOWN, request_digest, shown
from airflow_provider_mkt.submission.intent import KEYS
from airflow_provider_mkt.submission.question import MAX_REASON, Question, no_to, yes_to
from airflow_provider_mkt.submission.spending import approval_limits

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.account import Account
    from airflow_provider_mkt.submission.task_key import TaskKey

log = logging.getLogger(__name__)

REQUIRED = "required"
"""What ``approval`` may be; without it the amount decides, by ``[mkt] approval_above``."""
SWITCH = "MKT_APPROVE"
"""Environment variable with the digests that are approved in a test of a DAG, which waits for nobody."""
AWAY = (
    "This launch needs an approval, and approvals cannot be looked up while the shared store is away. Nothing was "
    "sent; the next try asks again."
)


def is_wanted(approval: str, effect: Effect, launch: Launch) -> bool:
    """Tell whether a launch needs an approval.

    :param approval: :data:`REQUIRED`, or "" when the amount decides
    :param effect: what it means to a marketer
    :param launch: the launch, with its amount
    :raises ValidationError: when ``[mkt] approval_above`` cannot be read
    """
    if approval == REQUIRED:
        return True
    if not effect.spends or not (limits := approval_limits()):
        return False
    limit = limits.get(launch.currency)
    # Money that cannot be compared with a limit may be above it.
    return limit is None or launch.amount is None or launch.amount > limit


def asked_of(account: Account, launch: Launch, call: Call) -> Asked:
    """Return what a person is asked about a request."""
    return Asked(launch, request_digest(account, call), _request(account, call))


def wanted(asked: Asked) -> ApprovalWantedError:
    """Return the error for a request that nobody has approved."""
    error = ApprovalWantedError(
        f"Nobody has approved exactly this ({shown(asked.digest)}). Nothing was sent.", vendor=asked.launch.vendor
    )
    error.asked = (asked,)
    return error


def people_of(account: Account, key: TaskKey, triggered_by: str, call: Call, effect: Effect) -> Asked:
    """Return what a person is asked about a request that holds people: how many there are, and no more of them.

    :param key: of the task that sends it; it may send the same again until it is cleared
    """
    digest = request_digest(account, call)
    launch = Launch(
        launch=str(uuid.uuid5(KEYS, json.dumps(["people", *key.names, key.clear_count, digest]))),
        deployment=key.deployment,
        vendor=account.vendor.name,
        account=account_name(account),
        conn_id=key.conn_id,
        dag_id=key.dag_id,
        run_id=key.run_id,
        task_id=key.task_id,
        map_index=key.map_index,
        number="0",
        generation=1,
        what=effect.summary,
        audience=effect.audience,
        triggered_by=triggered_by,
    )
    shown = {"method": call.endpoint.method, "url": call.url(account.base_url), "people": effect.audience}
    return Asked(launch, digest, json.dumps(shown, indent=2))


def use_all(requests: Sequence[Asked]) -> None:
    """Use the approvals of several requests: of all, or of none.

    :raises ApprovalWantedError: when nobody has approved some of them; a person is asked about all, since what is asked
        next makes void what was told before
    :raises StoppedError: when that cannot be looked up
    """
    try:
        complete = Approvals().use(requests)
    except StoreError as error:
        log.warning("%s", error)
    else:
        if not complete:
            raise ApprovalWantedError.all_of([wanted(each) for each in requests])
        return
    raise StoppedError(AWAY)


def hear(ask: str, event: Mapping[str, Any]) -> tuple[str, str, str]:
    """Write down what Airflow has heard in answer to a question.

    An answer about something else does not count.

    :param ask: name of the question
    :param event: with which Airflow resumes the task
    :return: how the question stands (one of the register's states; "" when it is gone), who answered, and why
    :raises StoreError: when the shared store fails
    """
    from airflow_provider_mkt.tasks.required_action import answer_of

    approvals = Approvals()
    rows = approvals.find(beginning=ask) if ask else []
    if not rows:
        return "", "", ""
    chosen, by, reason = answer_of(event)
    answers = {yes_to(rows[0].code): APPROVED, no_to(rows[0].code): REFUSED, "": VOID}
    if chosen in answers:
        source = "Required Actions" if chosen else "no answer in time"
        approvals.answer(ask, answers[chosen], by[:250], reason[:MAX_REASON], source)
    elif chosen.startswith(("Approve", "Refuse")):
        log.warning("%r was answered about something else than what is asked now. That does not count.", chosen)
    now = approvals.find(beginning=ask, limit=1)[0]
    return now.state, now.answered_by, now.reason


def answer_here(question: Question, ask: str) -> None:
    """Take the answer from the environment, in a test of a DAG: nobody is waited for there.

    :param question: what is asked
    :param ask: its name
    :raises ValidationError: saying how to approve, when it is not approved
    """
    given = [each.strip() for each in os.environ.get(SWITCH, "").split(",")]
    if any(len(each) >= SHOWN and question.code.startswith(each) for each in given):
        Approvals().answer(ask, APPROVED, getpass.getuser(), "", SWITCH)
        return
    requests = "\n".join(each.request for each in question.asked)
    log.warning("%s\n%s", question.subject, requests)
    raise ValidationError(
        f"{question.subject} Nobody is asked in a test of a DAG, and nothing was sent. The log shows the request. To "
        f"approve exactly this, set {SWITCH}={shown(question.code)} in the environment. In a test with the fixture "
        "mkt_run_dag, hand approve=True to it."
    )


def _request(account: Account, call: Call) -> str:
    """Return a request as JSON for people. It holds what a record holds, and no secret of the connection."""
    base = account.base_url if call.endpoint.base == "api" else ""
    parts = {
        "method": call.endpoint.method,
        "url": call.url(base),
        "query": {name: value for name, value in call.query.items() if value is not None},
        "body": call.body,
        "file": {"name": call.file.path.name, "sha256": call.file.sha256} if call.file else None,
    }
    return shown_request(account, parts)


def shown_request(account: Account, parts: Mapping[str, Any]) -> str:
    """Return parts of a request as JSON for people, those that are empty left out, with no secret of the connection."""
    text = json.dumps({name: value for name, value in parts.items() if value}, indent=2, ensure_ascii=False)
    for secret in filter(None, account.secrets):
        text = text.replace(json.dumps(str(secret), ensure_ascii=False)[1:-1], "***")
    return text
