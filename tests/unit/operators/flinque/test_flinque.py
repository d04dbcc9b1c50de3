# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reports and campaigns: what the lists prove, and what they do not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.operators.flinque import (
    FlinqueCreateCampaignOperator,
    FlinqueGenerateReportOperator,
    FlinqueUpdateCampaignOperator,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission import list_lookup
from airflow_provider_mkt.submission.list_lookup import alike
from tests.unit.context import Task, deferral, resumed

REFERENCE = f"tests/launch/{Task().run_id}/publish"
UPDATE = "PATCH /flinque/v1/campaigns/{id}"
LOST = "drop_after"
NEVER_ARRIVED = "drop_before"


@dataclass(frozen=True)
class Kind:
    """Something that Flinque creates and lists.

    :param name: what it is, and the parameter of its operator
    :param body: a request
    :param route: the request that creates it
    :param listing: the list
    :param effect: what the ledger counts
    :param ids: the first ids that the vendor gives
    """

    name: str
    operator: Any
    body: Mapping[str, Any]
    route: str
    listing: str
    effect: str
    ids: tuple[str, str]

    def creating(self, **options: Any) -> Any:
        body = options.pop("body", self.body)
        return self.operator(task_id="create", **{self.name: body, "wait_for_completion": False, **options})

    def result(self, number: int) -> dict[str, str]:
        return {f"{self.name}_id": self.ids[number]}

    def made(self, vendors: Sandbox) -> int:
        return len(vendors.ledger("flinque", self.effect))

    def lose(self, task: Task, vendors: Sandbox, fault: str, **options: Any) -> None:
        """Make a try whose answer is lost."""
        vendors.fault(self.route, fault)
        with pytest.raises(OutcomeUnknownError) as caught:
            self.creating(**options).execute(task.context)
        assert caught.value.resolvable

    def lists(self, vendors: Sandbox, *rows: dict[str, Any]) -> None:
        """Have the list show these rows and nothing else."""
        vendors.fault(self.listing, "status", status=200, body={"data": list(rows)}, count=None)


REPORT = Kind(
    "report",
    FlinqueGenerateReportOperator,
    {"type": "campaign", "campaign_id": "ca_1"},
    "POST /flinque/v1/reports/generate",
    "GET /flinque/v1/reports",
    "report.generated",
    ("re_1", "re_2"),
)
CAMPAIGN = Kind(
    "campaign",
    FlinqueCreateCampaignOperator,
    {"budget": 1000, "currency": "USD", "start_date": "2099-06-08"},
    "POST /flinque/v1/campaigns",
    "GET /flinque/v1/campaigns",
    "campaign.created",
    ("ca_4", "ca_5"),
)
every_kind = pytest.mark.parametrize("kind", [REPORT, CAMPAIGN], ids=lambda kind: kind.name)


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


def test_creating_does_not_wait_by_default(vendors: Sandbox, task: Task) -> None:
    result = FlinqueCreateCampaignOperator(task_id="a", campaign={"name": "Spring"}).execute(task.context)
    assert result == {"campaign_id": "ca_4"}
    assert [request["method"] for request in vendors.requests("flinque")][-1] == "POST"


@pytest.mark.parametrize("deferrable", [True, False])
def test_waiting_until_it_is_live(deferrable: bool, vendors: Sandbox, task: Task, waits: Any) -> None:
    creating = CAMPAIGN.creating(wait_for_completion=True, deferrable=deferrable)
    waits.happenings = [lambda: None, lambda: FlinqueHook().update_campaign("ca_4", {"status": "active"})]
    result = (
        resumed(creating, deferral(creating.execute, task.context), task.context)
        if deferrable
        else creating.execute(task.context)
    )
    assert result["campaign_id"] == "ca_4"
    assert result["campaign"]["status"] == "active"
    assert len(waits.each) == 2
    assert CAMPAIGN.made(vendors) == 1


def test_campaign_that_was_archived_is_not_created_again(vendors: Sandbox, task: Task) -> None:
    CAMPAIGN.creating().execute(task.context)
    FlinqueHook().update_campaign("ca_4", {"status": "archived"})
    for _ in range(2):
        task.retry()
        with pytest.raises(Exception, match="Part of it may have had effects") as caught:
            CAMPAIGN.creating(wait_for_completion=True, deferrable=False).execute(task.context)
        assert type(caught.value).__name__ == "AirflowFailException"
    assert CAMPAIGN.made(vendors) == 1


def test_waiting_for_another_status(vendors: Sandbox, task: Task) -> None:
    options = {"wait_for_completion": True, "deferrable": False, "target_statuses": ["draft"]}
    assert CAMPAIGN.creating(**options).execute(task.context)["campaign"]["status"] == "draft"


@every_kind
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "must be an object such as {"),
        (None, "must be an object"),
        ("campaign", "must be an object"),
        (["campaign"], "must be an object"),
        ({"start_date": datetime(2026, 6, 8, tzinfo=timezone.utc)}, "['start_date'] is not JSON"),
        ({"share": Decimal("0.5")}, "['share'] is not JSON"),
        ({"share": float("nan")}, "['share'] is not JSON"),
        ({"filter": {"ids": {1, 2}}}, "['filter'] is not JSON"),
        ({1: "a"}, "[1] is not JSON"),
        ({"name": ["a"]}, ".name must be non-empty text"),
        ({"name": "  "}, ".name must be non-empty text"),
        ({"name": "a" * 256}, ".name has 256 characters"),
    ],
)
def test_bad_input(kind: Kind, body: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.creating(body=body).execute(task.context)
    assert f"{kind.name}{problem if problem[0] in '[.' else ' ' + problem}" in str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("statuses", [[], [""], 7])
def test_bad_target_statuses(statuses: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="target_statuses"):
        CAMPAIGN.creating(target_statuses=statuses).execute(task.context)
    assert vendors.requests() == []


def updating(**options: Any) -> FlinqueUpdateCampaignOperator:
    return FlinqueUpdateCampaignOperator(
        task_id="update", **{"campaign_id": "ca_1", "changes": {"status": "paused"}, **options}
    )


def test_update(vendors: Sandbox, task: Task) -> None:
    changes = {"status": "paused", "budget": 2500, "end_date": "2099-06-30"}
    result = updating(changes=changes).execute(task.context)
    assert result["campaign_id"] == "ca_1"
    assert (result["campaign"]["status"], result["campaign"]["budget"]) == ("paused", "2500.00")
    assert FlinqueHook().get_campaign("ca_1")["status"] == "paused"


@pytest.mark.parametrize("fault", [LOST, NEVER_ARRIVED, "truncate"])
def test_update_is_repeated(fault: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(UPDATE, fault, count=2)
    assert updating().execute(task.context)["campaign"]["status"] == "paused"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"status": "active"}, "status is 'active'"),
        ({"id": "ca_2"}, "id is 'ca_2'"),
    ],
)
def test_update_that_the_answer_contradicts(
    shown: dict[str, Any], told: str, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault(UPDATE, "status", status=200, body={"id": "ca_1", "status": "paused", **shown}, count=None)
    with pytest.raises(ApiError, match=f"did not confirm the changes of campaign ca_1: {told}"):
        updating().execute(task.context)


def test_update_that_the_answer_does_not_show(vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    vendors.fault(UPDATE, "status", status=200, body={"id": "ca_1"})
    with caplog.at_level(logging.WARNING):
        updating().execute(task.context)
    assert "does not show status" in caplog.text


def test_update_that_the_vendor_refuses(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="cannot change from completed to active"):
        updating(campaign_id="ca_3", changes={"status": "active"}).execute(task.context)
    with pytest.raises(NotFoundError):
        updating(campaign_id="ca_99").execute(task.context)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"campaign_id": ""}, "campaign_id must be non-empty text"),
        ({"changes": {}}, "changes must be an object such as {'status': 'active'}"),
        ({"changes": {"budget": Decimal(1)}}, "changes['budget'] is not JSON"),
    ],
)
def test_bad_update(options: dict[str, Any], problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        updating(**options).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []
