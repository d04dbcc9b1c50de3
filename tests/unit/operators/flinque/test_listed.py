# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A lost answer is looked for in the vendor's list: what the list shows, and what that proves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    OutcomeUnknownError,
)
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission import list_lookup
from airflow_provider_mkt.submission.echo import alike
from tests.unit.context import Task
from tests.unit.operators.flinque.kinds import CAMPAIGN, LOST, NEVER_ARRIVED, REPORT, Kind, every_kind

REFERENCE = f"tests/launch/{Task().run_id}/publish"


def settle(task: Task) -> None:
    """Let enough time pass for the vendor's list to be complete."""
    record = task.record
    times = {name: value - 1_000 for name, value in record.items() if name.endswith("_at") and value}
    task.store.set("mkt.submission.0", {**record, **times})


def is_a_persons_business(kind: Kind, task: Task) -> OutcomeUnknownError:
    """Make the next try, which must neither submit nor attach."""
    settle(task)
    task.retry()
    with pytest.raises(OutcomeUnknownError, match="It is unknown whether") as caught:
        kind.creating().execute(task.context)
    assert f"Look at Flinque for the reference '{task.record['reference']}'" in str(caught.value)
    assert f"whether the {kind.name} was submitted" in str(caught.value)
    return caught.value


def now(seconds: float = 0.0) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


@every_kind
def test_found_in_the_list(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, LOST)
    task.retry()
    assert kind.creating().execute(task.context) == kind.result(0)
    assert kind.made(vendors) == 1


@every_kind
def test_not_in_the_list_is_settled_by_time(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, NEVER_ARRIVED)
    task.retry()
    # It may still be on its way.
    with pytest.raises(OutcomeUnknownError):
        kind.creating().execute(task.context)
    assert kind.made(vendors) == 0
    settle(task)
    task.retry()
    assert kind.creating().execute(task.context) == kind.result(0)
    assert kind.made(vendors) == 1


@every_kind
def test_found_by_its_own_name_however_the_vendor_spaces_it(kind: Kind, vendors: Sandbox, task: Task) -> None:
    body = {**kind.body, "name": "Spring open house "}
    kind.lose(task, vendors, LOST, body=body)
    shown = {"id": "x_1", "name": "Spring open house", "created_at": now()}
    kind.lists(vendors, {**shown, **kind.body})
    task.retry()
    assert kind.creating(body=body).execute(task.context) == {f"{kind.name}_id": "x_1"}
    assert kind.made(vendors) == 1


@every_kind
def test_a_name_of_the_users_alone_does_not_prove_that_it_is_ours(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """Mapped tasks share the name; the list may show a sibling's."""
    body = {**kind.body, "name": "Spring open house"}
    kind.lose(task, vendors, LOST, body=body)
    kind.lists(vendors, {"id": "x_1", "name": "Spring open house", "created_at": now()})
    settle(task)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        kind.creating(body=body).execute(task.context)
    assert kind.made(vendors) == 1


def old(*seconds: int) -> list[dict[str, Any]]:
    return [{"id": f"old_{each}", "name": "old", "created_at": now(-each)} for each in seconds]


@pytest.mark.parametrize(
    ("answer", "proves"),
    [
        ({"data": []}, True),
        ({"data": old(7200, 9000)}, True),
        ({"data": old(9000, 7200)}, False),
        ({"data": old(7200)}, False),
        ({"data": old(9000, 7200), "total": 2}, True),
        ({"data": old(9000, 7200), "meta": {"total": 3}}, False),
        ({"data": old(9000, 7200), "has_more": False}, True),
        ({"data": [{"id": "old", "name": "old"}], "next": None}, True),
    ],
    ids=["empty", "newest first", "oldest first", "one", "all counted", "one missing", "told end", "no next"],
)
def test_absence_is_proved_by_the_whole_list_or_its_order(
    answer: dict[str, Any], proves: bool, vendors: Sandbox, task: Task
) -> None:
    REPORT.lose(task, vendors, NEVER_ARRIVED)
    if answer["data"] and "created_at" not in answer["data"][0]:
        # Of another campaign, so not ours.
        answer["data"][0]["campaign_id"] = "ca_2"
    vendors.fault(REPORT.listing, "status", status=200, body=answer, count=None)
    if proves:
        settle(task)
        task.retry()
        assert REPORT.creating().execute(task.context) == REPORT.result(0)
    else:
        is_a_persons_business(REPORT, task)
        assert REPORT.made(vendors) == 0


def local(hours: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(
    "moment",
    [now()[:10], local(0), local(-8), local(9), now(86_400)],
    ids=["a day", "no zone", "west", "east", "a clock far ahead"],
)
@every_kind
def test_ours_is_found_however_its_time_is_written(kind: Kind, moment: str, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, LOST)
    kind.lists(vendors, {"id": "x_1", "name": task.record["reference"], "created_at": moment}, *old(90_000, 200_000))
    settle(task)
    task.retry()
    assert kind.creating().execute(task.context) == {f"{kind.name}_id": "x_1"}
    assert kind.made(vendors) == 1


@every_kind
def test_a_namesake_that_claims_to_be_older_is_a_persons_business(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """The vendor's clock may be behind by more than is reckoned with."""
    kind.lose(task, vendors, LOST)
    late = {"id": "x_1", "name": task.record["reference"], "created_at": now(-1_000 - 360)}
    kind.lists(vendors, late, *old(90_000, 200_000))
    is_a_persons_business(kind, task)
    assert kind.made(vendors) == 1


@every_kind
def test_what_the_vendor_confirmed_is_never_sent_anew(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """The answer could not be read, and the list does not show it: both are the vendor's word, one of them is wrong."""
    vendors.fault(kind.route, "malformed")
    with pytest.raises(MalformedResponseError, match="The next try settles that"):
        kind.creating().execute(task.context)
    kind.lists(vendors, *old(90_000, 200_000))
    for _ in range(3):
        settle(task)
        task.retry()
        with pytest.raises(MalformedResponseError, match="was submitted") as caught:
            kind.creating().execute(task.context)
    assert "submissions adopt" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert kind.made(vendors) == 1


def test_ours_on_a_later_page_of_an_oldest_first_list_is_found(vendors: Sandbox, task: Task) -> None:
    REPORT.lose(task, vendors, LOST)
    vendors.fault(REPORT.listing, "status", status=200, body={"data": old(9000, 7200)})
    vendors.fault(REPORT.listing, "status", status=200, body={"data": [{"id": "x_1", "name": REFERENCE}]})
    task.retry()
    assert REPORT.creating().execute(task.context) == {"report_id": "x_1"}


@pytest.mark.parametrize("hidden", ["updated_at", "created_at"])
def test_campaign_that_hides_whether_it_was_changed_may_be_ours(hidden: str, vendors: Sandbox, task: Task) -> None:
    CAMPAIGN.lose(task, vendors, NEVER_ARRIVED)
    row = {"id": "x_1", "name": "Summer", "budget": 5, "created_at": now(), "updated_at": now()}
    shown = {name: value for name, value in row.items() if name != hidden}
    vendors.fault(CAMPAIGN.listing, "status", status=200, body={"data": [shown], "total": 1}, count=None)
    is_a_persons_business(CAMPAIGN, task)
    assert CAMPAIGN.made(vendors) == 0


@every_kind
def test_one_that_differs_in_nothing_but_its_name_may_be_ours(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, NEVER_ARRIVED)
    row = {"id": "x_1", "name": REFERENCE[:20], **kind.body, "created_at": now(), "updated_at": now()}
    vendors.fault(kind.listing, "status", status=200, body={"data": [row], "total": 1}, count=None)
    is_a_persons_business(kind, task)
    assert kind.made(vendors) == 0


def test_a_report_of_another_index_of_the_task_is_none_of_ours(vendors: Sandbox) -> None:
    """Mapped tasks often order reports that differ in nothing but their index."""
    REPORT.creating().execute(Task(map_index=0).context)
    task = Task(map_index=1)
    REPORT.lose(task, vendors, NEVER_ARRIVED)
    REPORT.creating().execute(Task(map_index=2).context)
    settle(task)
    task.retry()
    assert REPORT.creating().execute(task.context) == {"report_id": "re_3"}
    assert REPORT.made(vendors) == 3


@every_kind
@pytest.mark.parametrize("name", [None, ""])
def test_no_name_is_replaced_by_the_reference(kind: Kind, name: Any, vendors: Sandbox, task: Task) -> None:
    kind.creating(body={**kind.body, "name": name}).execute(task.context)
    kind.creating(body={**kind.body, "name": "Spring"}).execute(Task(run_id="other").context)
    assert [entry["reference"] for entry in vendors.ledger("flinque", kind.effect)] == [REFERENCE, "Spring"]


@every_kind
def test_earlier_one_of_the_same_name_is_not_taken_for_ours(kind: Kind, vendors: Sandbox, task: Task) -> None:
    body = {**kind.body, "name": "Spring"}
    kind.creating(body=body).execute(Task(run_id="other").context)
    kind.lose(task, vendors, NEVER_ARRIVED, body=body)
    settle(task)
    task.retry()
    assert kind.creating(body=body).execute(task.context) == kind.result(1)
    assert kind.made(vendors) == 2


@every_kind
def test_earlier_generation_is_not_taken_for_ours(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind.creating(resubmit=True).execute(task.context)
    task.clear()
    kind.lose(task, vendors, NEVER_ARRIVED, resubmit=True)
    settle(task)
    task.retry()
    second = kind.creating(resubmit=True).execute(task.context)
    assert second != first
    assert kind.made(vendors) == 2


@every_kind
def test_those_of_others_prove_nothing(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.creating().execute(Task(run_id="other").context)
    kind.lose(task, vendors, NEVER_ARRIVED)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        kind.creating().execute(task.context)
    settle(task)
    task.retry()
    assert kind.creating().execute(task.context) == kind.result(1)
    assert kind.made(vendors) == 2


@every_kind
@pytest.mark.parametrize(
    "row",
    [
        {"id": "x_9", "status": "pending"},
        {"id": "x_9", "status": "pending", "name": None},
        {"status": "pending", "name": REFERENCE},
    ],
    ids=["no name", "name hidden", "no id"],
)
def test_list_that_hides_what_matters_settles_nothing(
    kind: Kind, row: dict[str, Any], vendors: Sandbox, task: Task
) -> None:
    kind.lose(task, vendors, NEVER_ARRIVED)
    kind.lists(vendors, row)
    is_a_persons_business(kind, task)
    assert kind.made(vendors) == 0


def test_names_hidden_by_the_vendor_settle_nothing(vendors: Sandbox, task: Task) -> None:
    vendors.switch({"flinque.report_names": False})
    REPORT.lose(task, vendors, LOST)
    is_a_persons_business(REPORT, task)
    assert REPORT.made(vendors) == 1


@every_kind
def test_two_that_fit_are_a_persons_business(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, LOST)
    kind.lists(vendors, *({"id": f"x_{number}", "name": REFERENCE} for number in (1, 2)))
    is_a_persons_business(kind, task)
    assert kind.made(vendors) == 1


@every_kind
def test_namesake_with_other_values_is_a_persons_business(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, LOST)
    kind.lists(vendors, {"id": "x_1", "name": REFERENCE, **dict.fromkeys(kind.body, "changed since")})
    is_a_persons_business(kind, task)
    assert kind.made(vendors) == 1


@every_kind
def test_the_one_that_fits_among_namesakes(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.lose(task, vendors, LOST)
    other = {"id": "x_1", "name": REFERENCE, **dict.fromkeys(kind.body, "another order")}
    kind.lists(vendors, other, {"id": "x_2", "name": REFERENCE, **kind.body})
    task.retry()
    assert kind.creating().execute(task.context) == {f"{kind.name}_id": "x_2"}


@every_kind
@pytest.mark.parametrize("number", [3, 4])
def test_list_that_is_too_long_settles_nothing(
    kind: Kind, number: int, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_lookup, "MAX_RECENT", number)
    for each in range(3):
        kind.creating().execute(Task(run_id=f"other {each}").context)
    kind.lose(task, vendors, NEVER_ARRIVED)
    if number == 3:
        is_a_persons_business(kind, task)
    else:
        settle(task)
        task.retry()
        kind.creating().execute(task.context)
    assert kind.made(vendors) == number


def test_report_that_failed_is_not_taken_for_the_next(vendors: Sandbox, task: Task) -> None:
    vendors.outcome("flinque", "failed")
    REPORT.creating().execute(task.context)
    vendors.advance(400)
    task.retry()
    with pytest.raises(ApiError, match="a retry submits it again"):
        REPORT.creating(wait_for_completion=True, deferrable=False).execute(task.context)
    task.retry()
    REPORT.lose(task, vendors, NEVER_ARRIVED)
    settle(task)
    task.retry()
    assert REPORT.creating().execute(task.context) == REPORT.result(1)
    assert REPORT.made(vendors) == 2


def test_campaign_that_was_renamed_is_not_created_again(vendors: Sandbox, task: Task) -> None:
    CAMPAIGN.lose(task, vendors, LOST)
    renamed = {"name": "Spring, final", "created_at": now(-600), "updated_at": now()}
    CAMPAIGN.lists(vendors, {**FlinqueHook().get_campaign("ca_4"), **renamed})
    is_a_persons_business(CAMPAIGN, task)
    assert CAMPAIGN.made(vendors) == 1


def test_campaign_of_others_that_nobody_has_changed_is_none_of_ours(vendors: Sandbox, task: Task) -> None:
    CAMPAIGN.lose(task, vendors, NEVER_ARRIVED)
    FlinqueHook().create_campaign({"name": "Summer", "budget": 5})
    settle(task)
    task.retry()
    assert CAMPAIGN.creating().execute(task.context) == CAMPAIGN.result(1)


def test_report_that_went_on_has_no_other_name(vendors: Sandbox, task: Task) -> None:
    REPORT.lose(task, vendors, NEVER_ARRIVED)
    other = {"id": "re_7", "name": "another", "campaign_id": "ca_2", "created_at": now(-60), "updated_at": now()}
    REPORT.lists(vendors, other, *old(9000))
    settle(task)
    task.retry()
    assert REPORT.creating().execute(task.context) == REPORT.result(0)


@pytest.mark.parametrize(
    ("shown", "sent", "same"),
    [
        ("1000.00", 1000, True),
        ("1000.00", "1000", True),
        (1000, "1000.01", False),
        ("2026-06-08T00:00:00Z", "2026-06-08", True),
        ("2026-06-08T02:00:00+02:00", "2026-06-08", True),
        ("2026-06-09", "2026-06-08", False),
        (" active ", "active", True),
        ("Cafe\u0301\nopen", "Caf\u00e9\r\nopen", True),
        ("Active", "active", False),
        (["cr_1"], ["cr_1"], True),
        (["cr_1"], ["cr_2"], False),
        (True, "true", False),
        ("soon", "2026-06-08", False),
        (None, 0, False),
    ],
)
def test_written_otherwise(shown: Any, sent: Any, same: bool) -> None:
    assert alike(shown, sent) is same
