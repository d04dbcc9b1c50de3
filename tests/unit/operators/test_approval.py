# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that ask before they send.

What must hold: nothing is sent that nobody has approved, and what was approved is sent once.

====================================================  ================================================================
what happens                                          then
====================================================  ================================================================
nobody has answered                                   nothing is sent, and no worker waits
yes                                                   it is sent, once; the register says who approved it
no                                                    nothing is sent, the task fails with the reason, no retry
another body, template or connection after the yes    the yes is void, and the task asks anew
a yes to what was asked before                        it does not count; the task asks anew, and says where to answer
the worker dies after it has asked                    the next try asks the same question; it is one
cleared while it waits                                likewise
cleared after it was sent                             attached to; nobody is asked
cleared with ``resubmit`` after it was sent           asked anew, although the content is the same
the vendor refused it                                 a retry sends it without asking again
its answer was lost                                   the next try settles it without asking again
the shared store is away                              nothing is sent; a retry looks again
the store was restored to before the yes              nothing is sent; the task asks anew
no answer in time                                     nothing is sent, the task fails
voided between the look and the first byte            the fence keeps it back, and the task asks anew
====================================================  ================================================================
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput
from sqlalchemy import text

from airflow_provider_mkt.exceptions import OutcomeUnknownError, StoppedError, ValidationError
from airflow_provider_mkt.notifications.notice import notice_of
from airflow_provider_mkt.operators.submitting import RecordingOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, VOID, WAITING, Approvals
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission import desk as desks
from airflow_provider_mkt.submission import trial_run
from airflow_provider_mkt.tasks import required_action, telling
from tests.unit.context import Task, WorkerDiedError
from tests.unit.operators.kinds import CAMPAIGN, POST, SYNC, Kind, every_kind
from tests.unit.people import People, resume, waiting

BOTH = pytest.mark.parametrize("kind", [CAMPAIGN, POST], ids=["campaign", "post"])


pytestmark = pytest.mark.usefixtures("people")


def asking(kind: Kind, **options: Any) -> Any:
    return kind(approval="required", wait_for_completion=False, **options)


def states() -> list[str]:
    return [each.state for each in Approvals().find()]


@every_kind
def test_it_is_sent_once_somebody_says_yes(kind: Kind, vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(kind)
    wait = waiting(operator.execute, task.context)
    assert kind.effects(vendors) == 0
    assert (wait.method_name, wait.timeout) == ("execute_approved", None)
    assert resume(operator, wait, people.yes(reason="fine"), task.context)
    assert kind.effects(vendors) == 1
    [row], [launch] = Approvals().find(), Register().find()
    assert (row.state, row.answered_by, row.reason, row.launch) == (APPROVED, "ana", "fine", launch.launch)
    assert launch.approved_by == "ana"
    # A clear attaches; there is nothing to approve.
    operator.execute(task.clear())
    assert (kind.effects(vendors), len(people.asked)) == (1, 1)


def test_what_a_person_is_shown(task: Task, people: People, vendors: Sandbox) -> None:
    operator = asking(CAMPAIGN, budget_override=1450.5, campaign_start_date="2099-06-08T09:00:00Z")
    waiting(operator.execute, task.context)
    [asked] = people.asked
    assert asked.subject == (
        "Launch at Flow Living? campaign for 1 home of branch branch_harbour, plan facebookv2, 1,450.50"
    )
    code = asked.options[0].removeprefix("Approve ")
    assert asked.options == [f"Approve {code}", "Ask again", f"Refuse {code}"]
    assert len(code) == 12
    assert f"`{code}`" in asked.body
    assert "- Goes live: 2099-06-08T09\\:00\\:00" in asked.body
    shown = json.loads(asked.body.partition("```json\n")[2].partition("\n```")[0])
    assert shown["body"]["planRef"] == "facebookv2"
    assert shown["url"].endswith("/campaigns/publish")
    secret = vendors.connections["flow_living_default"]["password"]
    assert secret not in asked.body + Approvals().find()[0].request


@BOTH
def test_a_no_sends_nothing_and_says_why(kind: Kind, vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(kind)
    wait = waiting(operator.execute, task.context)
    with pytest.raises(AirflowFailException, match=r"ben refused this launch: too dear\. Nothing was sent\. Clear"):
        resume(operator, wait, people.no(reason="too dear", by="ben"), task.context)
    assert (kind.effects(vendors), states()) == (0, [REFUSED])
    # Whoever clears it wants it to ask again.
    wait = waiting(operator.execute, task.clear())
    resume(operator, wait, people.yes(), task.context)
    assert (kind.effects(vendors), states()) == (1, [REFUSED, APPROVED])


CHANGES: dict[str, Callable[[Any, Callable[..., str]], Any]] = {
    "body": lambda operator, _: setattr(operator, "content", "Open house on Monday"),
    "time": lambda operator, _: setattr(operator, "scheduled_for", "2099-06-08T09:00:00Z"),
    "key": lambda _, connect: connect("flow_social", "flow_social_default", password="flow_sk_test_another0000"),
    "login": lambda _, connect: connect("flow_social", "flow_social_default", login="another"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_after_the_yes_is_asked_about_anew(
    change: Callable[..., Any], vendors: Sandbox, task: Task, people: People, connect: Callable[..., str]
) -> None:
    wait = waiting(asking(POST).execute, task.context)
    operator = asking(POST)
    change(operator, connect)
    again = waiting(resume, operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 0
    assert states() == [VOID, WAITING]
    assert len({each.options[0] for each in people.asked}) == 2
    assert again.kwargs != wait.kwargs


def test_a_yes_to_what_was_asked_before_does_not_count(
    vendors: Sandbox,
    task: Task,
    people: People,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Airflow shows the first text for ever. Whoever approves that approves nothing else."""
    waiting(asking(POST).execute, task.context)
    changed = asking(POST, content="Another text")
    wait = waiting(changed.execute, task.clear())
    assert "Required Actions shows what this task asked earlier" in capsys.readouterr().out
    wait = waiting(resume, changed, wait, people.yes(), task.context)
    assert "answered about something else" in caplog.text
    assert (POST.effects(vendors), states()) == (0, [VOID, WAITING])
    # Elsewhere it can be approved; the task only has to look.
    [row] = Approvals().find([WAITING])
    Approvals().answer(row.ask, APPROVED, "ben", "", "command line")
    resume(changed, wait, people.event("Ask again"), task.context)
    assert POST.effects(vendors) == 1
    assert Register().find()[0].approved_by == "ben"


@BOTH
def test_a_worker_that_dies_after_it_has_asked(kind: Kind, vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(kind)

    def die(*args: Any) -> bool:
        people.put(*args)
        raise WorkerDiedError

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(required_action, "put", die)
        with pytest.raises(WorkerDiedError):
            operator.execute(task.context)
    wait = waiting(operator.execute, task.retry())
    assert states() == [WAITING]
    resume(operator, wait, people.yes(), task.context)
    assert kind.effects(vendors) == 1


@BOTH
def test_cleared_while_it_waits(kind: Kind, vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(kind)
    first = waiting(operator.execute, task.context)
    wait = waiting(operator.execute, task.clear())
    assert (wait.kwargs, states()) == (first.kwargs, [WAITING])
    resume(operator, wait, people.yes(), task.context)
    assert kind.effects(vendors) == 1


@BOTH
def test_another_launch_of_the_same_content_is_asked_about(
    kind: Kind, vendors: Sandbox, task: Task, people: People
) -> None:
    operator = asking(kind, resubmit=True)
    resume(operator, waiting(operator.execute, task.context), people.yes(), task.context)
    wait = waiting(operator.execute, task.clear())
    assert kind.effects(vendors) == 1
    resume(operator, wait, people.yes(), task.context)
    assert kind.effects(vendors) == 2
    assert [each.launch for each in Approvals().find()] == [each.launch for each in reversed(Register().find())]


def test_a_refusal_of_the_vendor_does_not_use_the_approval_up(vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(POST)
    wait = waiting(operator.execute, task.context)
    vendors.fault(POST.route, "status", status=422)
    with pytest.raises(ValidationError):
        resume(operator, wait, people.yes(), task.context)
    operator.execute(task.clear())
    assert (POST.effects(vendors), len(people.asked)) == (1, 1)


@pytest.mark.parametrize("kind", [POST, SYNC], ids=["by its key", "by a look"])
def test_a_lost_answer_is_settled_without_asking(kind: Kind, vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(kind)
    wait = waiting(operator.execute, task.context)
    vendors.fault(kind.route, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        resume(operator, wait, people.yes(), task.context)
    vendors.order("DELETE", "faults")
    operator.execute(task.retry())
    assert (kind.effects(vendors), len(people.asked)) == (1, 1)


@pytest.mark.parametrize("broken", ["approver", "claim"], ids=["at the look", "at the fence"])
def test_a_store_that_is_away_approves_nothing(
    broken: str, vendors: Sandbox, task: Task, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = asking(POST)
    wait = waiting(operator.execute, task.context)

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError(StoreFailure.UNREACHABLE)

    with monkeypatch.context() as away:
        if broken == "approver":
            away.setattr(Approvals, "approver", fail)
        else:
            away.setattr(desks, "admit", fail)
        with pytest.raises(StoppedError, match="approvals cannot be looked up while the shared store is away"):
            resume(operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 0
    monkeypatch.setattr(desks, "AWAY", desks.Away())
    operator.execute(task.retry())
    assert (POST.effects(vendors), len(people.asked)) == (1, 1)


def test_a_store_that_was_restored_to_before_the_yes(
    vendors: Sandbox, task: Task, people: People, approvals_store: Store
) -> None:
    operator = asking(POST)
    wait = waiting(operator.execute, task.context)
    approvals_store.run(lambda connection: connection.execute(text("DELETE FROM mkt_approval")))
    wait = waiting(resume, operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 0
    resume(operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 1


def test_nobody_answers_in_time(vendors: Sandbox, task: Task) -> None:
    operator = asking(POST, approval_timeout=timedelta(hours=8))
    wait = waiting(operator.execute, task.context)
    assert wait.timeout == timedelta(hours=8)
    event = {"error": "The response timeout has passed", "error_type": "timeout"}
    with pytest.raises(AirflowFailException, match=r"Nobody approved this launch within 28800 s\. Nothing was sent"):
        resume(operator, wait, event, task.context)
    assert (POST.effects(vendors), states()) == (0, [VOID])


def test_voided_between_the_look_and_the_first_byte(
    vendors: Sandbox, task: Task, people: People, approvals_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = asking(POST)
    wait = waiting(operator.execute, task.context)
    looked = Approvals.approver

    def then_void(self: Approvals, *args: Any) -> str | None:
        found = looked(self, *args)
        approvals_store.run(lambda connection: connection.execute(text("UPDATE mkt_approval SET state = 'void'")))
        return found

    monkeypatch.setattr(Approvals, "approver", then_void)
    waiting(resume, operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 0
    assert task.record["sent"] is False


def test_two_answers(vendors: Sandbox, task: Task, people: People) -> None:
    operator = asking(POST)
    wait = waiting(operator.execute, task.context)
    Approvals().answer((wait.kwargs or {})["ask"], REFUSED, "ben", "wrong picture", "command line")
    with pytest.raises(AirflowFailException, match="ben refused this launch: wrong picture"):
        resume(operator, wait, people.yes(), task.context)
    assert POST.effects(vendors) == 0


def test_people_are_told(task: Task) -> None:
    told: list[str] = []

    def broken(_: Any) -> None:
        raise RuntimeError("no network")

    def tell(context: Any) -> None:
        told.append(notice_of({**context, "task": operator}).title)

    operator = asking(POST, approval_notifiers=[broken, tell])
    waiting(operator.execute, task.context)
    assert told == ["Flow Social: publish waits for an approval"]
    assert not operator.asking


def test_a_notifier_that_hangs_keeps_nobody_from_answering(
    task: Task, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telling, "PATIENCE", 0.01)
    over = threading.Event()
    told: list[Any] = []
    waiting(asking(POST, approval_notifiers=[lambda _: over.wait(30), told.append]).execute, task.context)
    over.set()
    assert len(told) == 1
    assert "function has not told people within" in caplog.text


class TestInATestOfADag:
    @pytest.fixture(autouse=True)
    def _trial(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trial_run, "is_trial", lambda: True)

    def test_it_says_how_to_approve_and_does_not_wait(
        self, vendors: Sandbox, task: Task, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator = asking(POST)
        with pytest.raises(ValidationError, match=r"nothing was sent.*set MKT_APPROVE=\w{12} .*approve=True") as caught:
            operator.execute(task.context)
        assert POST.effects(vendors) == 0
        code = str(caught.value).partition("MKT_APPROVE=")[2][:12]
        monkeypatch.setenv("MKT_APPROVE", f"0123456789ab, {code}")
        assert operator.execute(task.retry())
        assert (POST.effects(vendors), people.asked) == (1, [])

    @pytest.mark.parametrize("given", ["", "0123456789ab", "yes"])
    def test_nothing_else_approves(self, given: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MKT_APPROVE", given)
        with pytest.raises(ValidationError, match="Nobody is asked in a test of a DAG"):
            asking(POST).execute(task.context)

    def test_whoever_answers_himself_is_waited_for(self, task: Task) -> None:
        with trial_run.answered(), pytest.raises(TaskAwaitingInput):
            asking(POST).execute(task.context)


@pytest.mark.parametrize("given", ["yes", True, "Required"])
def test_what_approval_may_be(given: Any) -> None:
    with pytest.raises(ValueError, match="approval must be 'required', 'none' or None"):
        POST(approval=given)


def test_a_dag_may_ask_for_all_its_launches() -> None:
    with DAG("spring", schedule=None, default_args={"approval": "required"}):
        assert POST().approval == "required"
    with DAG("summer", schedule=None, default_args={"approval": "required"}):
        assert POST(approval="none").approval is None


def test_every_submitting_operator_takes_it() -> None:
    def kinds(kind: type) -> Iterator[type]:
        for each in kind.__subclasses__():
            yield each
            yield from kinds(each)

    assert all(issubclass(each, RecordingOperator) for each in kinds(RecordingOperator))
