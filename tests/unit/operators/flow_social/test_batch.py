# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many posts, each once: every way to die, every answer, every next try. The ledger of the vendor is what counts.

====================================  ========================  =====================================================
what happens                          at the vendor             what must hold after the next try
====================================  ========================  =====================================================
the worker dies before an intent      nothing of that chunk     all rows once
the worker dies after an intent       nothing of that chunk     all rows once, from what was recorded
the worker dies before a receipt      all of that chunk         all rows once, under the same key
the worker dies between two chunks    the chunks so far         all rows once, the first chunks are not sent again
an answer is lost for a whole try     with or without effect    the other chunks are done, this one settles once
an answer cannot be read, or lies     all of that chunk         nothing is sent under another key
single rows are refused               the other rows            only changed rows, or all refused ones after a clear
a whole chunk is refused              the other chunks          that chunk again
a done row has changed                as before                 an error before anything behind it is sent
a row of a lost answer has changed    as before                 an error; nothing is sent until a person decides
====================================  ========================  =====================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.exceptions import (
    AuthenticationError,
    NotSentError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission import intent
from airflow_provider_mkt.submission.record import Record
from tests.unit.context import Task, WorkerDiedError
from tests.unit.operators.flow_social.batches import (
    LATER,
    ROUTE,
    batches,
    contents,
    dying,
    keys,
    listed,
    once,
    scheduling,
)


def test_all_rows_once_in_chunks(vendors: Sandbox, task: Task) -> None:
    result = scheduling(listed(7)).execute(task.context)
    assert contents(vendors) == once(7)
    assert [len(batch) for batch in batches(vendors)] == [3, 3, 1]
    assert result == {"scheduled": 7, "refused": 0, "post_ids": [f"post_{number}" for number in range(1, 8)]}
    json.dumps(result)
    assert {name for name in task.store.values if "submission" in name} == {f"mkt.submission.{at}" for at in range(3)}


def test_a_thousand_ids_are_handed_on_and_no_more(vendors: Sandbox, task: Task) -> None:
    assert len(scheduling(listed(1_000), chunk_size=100).execute(task.context)["post_ids"]) == 1_000
    other = Task(run_id="other")
    assert scheduling(listed(1_001), chunk_size=100).execute(other.context) == {"scheduled": 1_001, "refused": 0}
    assert len(batches(vendors)) == 10 + 11


def test_later_tries_send_nothing(vendors: Sandbox, task: Task) -> None:
    first = scheduling(listed(7)).execute(task.context)
    for following in (task.retry, task.clear, task.retry):
        following()
        assert scheduling(listed(7)).execute(task.context) == first
    assert len(batches(vendors)) == 3


def test_fields_of_the_single_post_operator_are_understood(vendors: Sandbox, task: Task) -> None:
    posts = [{"channel_id": "channel_1", "content": "a", "scheduled_for": LATER, "media_keys": None}]
    scheduling(posts).execute(task.context)
    assert sorted(vendors.requests("flow_social")[-1]["body"]["posts"][0]) == ["channelId", "content", "scheduledFor"]


def test_progress_is_told(vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "airflow_provider_mkt.operators.flow_social.batch"):
        scheduling(listed(4, row_1={"channelId": "nowhere"}), allow_failures=True).execute(task.context)
    told = [each.getMessage() for each in caplog.records if each.name.endswith("flow_social.batch")]
    assert told == [
        "Flow Social: 2 posts are scheduled, 1 refused (rows 1 to 3).",
        "Flow Social: 3 posts are scheduled, 1 refused (rows 1 to 4).",
    ]


def test_no_posts_are_none_scheduled(vendors: Sandbox, task: Task) -> None:
    assert scheduling([], wait_for_completion=True).execute(task.context) == {
        "scheduled": 0,
        "refused": 0,
        "post_ids": [],
    }
    assert vendors.requests() == []


def test_a_list_that_has_become_empty_is_no_second_order(vendors: Sandbox, task: Task) -> None:
    scheduling(listed(2)).execute(task.context)
    task.clear()
    with pytest.raises(ValidationError, match="row 1, which is gone, row 2, which is gone"):
        scheduling([]).execute(task.context)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("step", ["before intent", "after intent", "before submitted", "after submitted"])
@pytest.mark.parametrize("following", ["retry", "clear"])
def test_worker_dies_around_a_write(step: str, nth: int, following: str, vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = dying(task, f"{step} {nth}")
    with pytest.raises(WorkerDiedError):
        scheduling(listed(7)).execute(task.context)
    task.store.interrupt = None
    happened = 3 * nth if "submitted" in step else 3 * (nth - 1)
    assert contents(vendors) == once(min(happened, 7))
    getattr(task, following)()
    result = scheduling(listed(7)).execute(task.context)
    assert contents(vendors) == once(7)
    assert result["post_ids"] == [f"post_{number}" for number in range(1, 8)]


@pytest.mark.parametrize("step", ["before intent", "after intent", "before submitted", "after submitted"])
def test_worker_dies_while_it_sends_a_corrected_row(step: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError):
        scheduling(listed(7, row_1={"channelId": "nowhere"})).execute(task.context)
    task.clear()
    task.store.interrupt = dying(task, step)
    with pytest.raises(WorkerDiedError):
        scheduling(listed(7)).execute(task.context)
    task.store.interrupt = None
    task.retry()
    assert scheduling(listed(7)).execute(task.context)["scheduled"] == 7
    assert contents(vendors) == once(7)


def test_a_row_corrected_before_anything_left_is_sent_corrected(vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = dying(task, "after intent")
    with pytest.raises(WorkerDiedError):
        scheduling(listed(3, row_1={"channelId": "nowhere"})).execute(task.context)
    task.store.interrupt = None
    task.clear()
    assert scheduling(listed(3)).execute(task.context)["scheduled"] == 3
    assert batches(vendors) == [["Post 0", "Post 1", "Post 2"]]


def test_a_row_corrected_after_a_crash_is_not_sent_as_it_was(vendors: Sandbox, task: Task) -> None:
    """The request may never have left; sent now, it would publish what was corrected."""
    task.store.interrupt = dying(task, "after leaving")
    with pytest.raises(WorkerDiedError):
        scheduling(listed(3, row_1={"channelId": "nowhere"})).execute(task.context)
    task.store.interrupt = None
    task.clear()
    with pytest.raises(ValidationError, match=r"posts\[1\]: sent or about to be sent at .*adopt.*forget"):
        scheduling(listed(3)).execute(task.context)
    assert contents(vendors) == once(0)
    # As it was, it is settled; then the corrected row is sent.
    with pytest.raises(ValidationError, match="1 of 3 posts"):
        scheduling(listed(3, row_1={"channelId": "nowhere"})).execute(task.context)
    task.retry()
    assert scheduling(listed(3)).execute(task.context)["scheduled"] == 3
    assert batches(vendors) == [["Post 0", "Post 1", "Post 2"], ["Post 1"]]
    assert contents(vendors) == once(3)


def test_a_row_done_in_a_lost_answer_and_changed_since_is_no_second_order(vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = dying(task, "before submitted")
    with pytest.raises(WorkerDiedError):
        scheduling(listed(7)).execute(task.context)
    task.store.interrupt = None
    task.clear()
    with pytest.raises(ValidationError, match=r"posts\[1\]: sent or about to be sent at .* with another content"):
        scheduling(listed(7, row_1={"content": "Another"})).execute(task.context)
    assert contents(vendors) == once(3)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "reset_after"},
        {"kind": "drop_before"},
        {"kind": "drop_mid"},
        {"kind": "malformed"},
        {"kind": "empty"},
        {"kind": "wrong_types"},
        {"kind": "status", "status": 503, "processed": True},
    ],
    ids=lambda fault: fault["kind"],
)
@pytest.mark.parametrize("count", [1, 5])
def test_an_answer_lost_does_not_keep_the_other_chunks(
    fault: dict[str, Any], count: int, vendors: Sandbox, task: Task
) -> None:
    vendors.fault(ROUTE, **fault, skip=1, count=count)
    if count == 1:
        assert scheduling(listed(7)).execute(task.context)["scheduled"] == 7
    else:
        with pytest.raises(OutcomeUnknownError, match=r"4 posts are scheduled, 0 refused, 3 open") as caught:
            scheduling(listed(7)).execute(task.context)
        assert "batch of 3 posts in chunk 1 (first posts[3])" in str(caught.value)
        assert "The next try settles that: it sends the same request with the same key" in str(caught.value)
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
        task.retry()
        assert scheduling(listed(7)).execute(task.context)["scheduled"] == 7
    assert contents(vendors) == once(7)
    assert len(set(keys(vendors))) == 3


def test_refused_rows_are_told_beside_a_lost_answer(vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "drop_before", count=5)
    with pytest.raises(OutcomeUnknownError, match=r"Refused: posts\[4\]: channelId"):
        scheduling(listed(7, row_4={"channelId": "nowhere"})).execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match=r"1 of 7 posts\. posts\[4\]"):
        scheduling(listed(7, row_4={"channelId": "nowhere"})).execute(task.context)
    assert contents(vendors) == once(7, 4)


def test_a_dead_vendor_is_left_alone_after_three_chunks(vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "drop_before", count=None)
    with pytest.raises(OutcomeUnknownError, match="The same holds for 2 more chunks"):
        scheduling(listed(30)).execute(task.context)
    assert len(set(keys(vendors))) == 3
    vendors.clear_faults()
    task.retry()
    scheduling(listed(30)).execute(task.context)
    assert contents(vendors) == once(30)


def test_a_vendor_out_of_reach(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    conn_id = connect("flow_social", host="http://127.0.0.1:1/v1")
    with pytest.raises(NotSentError, match="0 posts are scheduled, 0 refused, 9 open") as caught:
        scheduling(listed(30), flow_social_conn_id=conn_id).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    connect("flow_social")
    task.retry()
    assert scheduling(listed(30), flow_social_conn_id=conn_id).execute(task.context)["scheduled"] == 30
    assert contents(vendors) == once(30)


def test_an_unsettled_chunk_whose_rows_moved_stops_everything(vendors: Sandbox, task: Task) -> None:
    """Row 2 is in chunk 0 as it was recorded and in chunk 1 as it is today: going on would post it twice."""
    vendors.fault(ROUTE, "drop_after", count=5)
    vendors.fault(ROUTE, "status", status=413, count=None)
    with pytest.raises(OutcomeUnknownError):
        scheduling(listed(6)).execute(task.context)
    vendors.clear_faults()
    vendors.fault(ROUTE, "drop_after", count=5)
    task.clear()
    with pytest.raises(ValidationError, match=r"posts\[0\], posts\[1\], posts\[2\]: sent or about to be sent"):
        scheduling([{"channelId": "channel_1", "content": "New"}, *listed(6)]).execute(task.context)
    assert contents(vendors) == once(3)


def test_keys_that_the_vendor_has_forgotten(vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has to look at that chunk; the others are done."""
    vendors.fault(ROUTE, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        scheduling(listed(7)).execute(task.context)
    task.retry()
    monkeypatch.setattr(intent, "KEY_TRUSTED", 0.0)
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError) as caught:
            scheduling(listed(7)).execute(task.context)
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
        task.clear()
    assert contents(vendors) == once(7)
    record = Record.of(task.store.get("mkt.submission.0"))
    with pytest.raises(ValueError, match=r"post_ids takes 3 ids, one for each part of the batch.*'-' .*got 1"):
        record.adopt(["post_1"])
    from dataclasses import asdict

    task.store.set("mkt.submission.0", asdict(record.adopt(["post_1", "-", "post_3"])))
    # The person was wrong about row 1: it is there. What they said counts.
    assert scheduling(listed(7)).execute(task.context)["post_ids"][:3] == ["post_1", "post_8", "post_3"]
    assert batches(vendors)[-1] == ["Post 1"]


LIES: dict[str, Any] = {
    "too few": lambda results: results[:2],
    "too many": lambda results: [*results, results[0]],
    "none": lambda results: [],
    "an index twice": lambda results: [results[0], {**results[1], "index": 0}, results[2]],
    "no post": lambda results: [results[0], {"success": True, "index": 1}, results[2]],
    "an id twice": lambda results: [results[0], {**results[0], "index": 1}, results[2]],
    "no word": lambda results: [results[0], {"index": 1}, results[2]],
    "texts": lambda results: ["a", "b", "c"],
}


@pytest.mark.parametrize("lie", LIES)
def test_answers_that_do_not_tell_what_became_of_each_row(lie: str, vendors: Sandbox, task: Task) -> None:
    results = [{"success": True, "index": at, "post": {"id": f"post_{at + 1}", "status": "queued"}} for at in range(3)]
    summary = {"total": 3, "successful": 3, "failed": 0}
    body = {"data": {"results": LIES[lie](results), "summary": summary}}
    vendors.fault(ROUTE, "status", status=201, body=body, processed=True)
    with pytest.raises(OutcomeUnknownError, match="do not tell what became of each"):
        scheduling(listed(3)).execute(task.context)
    task.retry()
    assert scheduling(listed(3)).execute(task.context)["scheduled"] == 3
    assert contents(vendors) == once(3)
    assert len(set(keys(vendors))) == 1


def test_wrong_credentials_end_it_at_once(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    conn_id = connect("flow_social", password="wrong-key-4711")
    with pytest.raises(AuthenticationError) as caught:
        scheduling(listed(7), flow_social_conn_id=conn_id).execute(task.context)
    assert "4711" not in str(caught.value)
    assert len(vendors.requests()) == 1
    connect("flow_social")
    task.clear()
    assert scheduling(listed(7), flow_social_conn_id=conn_id).execute(task.context)["scheduled"] == 7
    assert contents(vendors) == once(7)


def test_a_long_wait_hands_the_worker_back(vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    vendors.fault(ROUTE, "rate_limit", retry_after=300, skip=1)
    with pytest.raises(AirflowRescheduleException):
        scheduling(listed(7, row_0={"channelId": "nowhere"})).execute(task.context)
    assert contents(vendors) == Counter(["Post 1", "Post 2"])
    from airflow_provider_mkt.hooks.account import Account

    known = Account.identity.fget
    assert known is not None
    monkeypatch.setattr(Account, "identity", property(lambda account: (*known(account), "later")))
    # The same try goes on: the refused row is not sent again each time.
    with pytest.raises(ValidationError, match=r"1 of 7 posts\. posts\[0\]"):
        scheduling(listed(7, row_0={"channelId": "nowhere"})).execute(task.context)
    assert contents(vendors) == once(7, 0)
    assert Counter(post for batch in batches(vendors) for post in batch)["Post 0"] == 1


@pytest.mark.parametrize("asked_by", ["operator", "conf"])
def test_resubmission_counts_once_per_clear(asked_by: str, vendors: Sandbox) -> None:
    task = Task(conf={"mkt_resubmit": True} if asked_by == "conf" else None)
    counts = []
    for following in (task.retry, task.clear, task.retry, task.clear, task.retry):
        scheduling(listed(4), resubmit=asked_by == "operator").execute(task.context)
        counts.append(sum(contents(vendors).values()))
        following()
    assert counts == [4, 4, 8, 8, 12]


def test_a_resubmission_is_an_order_of_its_own(vendors: Sandbox, task: Task) -> None:
    """What the first order left behind in later records is void, also for tries that are not asked to start anew."""
    with pytest.raises(ValidationError):
        scheduling(listed(3, row_1={"channelId": "nowhere"})).execute(task.context)
    task.clear()
    scheduling(listed(3)).execute(task.context)
    assert contents(vendors) == once(3)
    task.clear()
    with pytest.raises(ValidationError, match=r"posts\[2\]"):
        scheduling(listed(3, row_2={"channelId": "nowhere"}), resubmit=True).execute(task.context)
    assert contents(vendors) == once(3) + once(3, 2)
    task.clear()
    assert scheduling(listed(3)).execute(task.context)["post_ids"] == ["post_4", "post_5", "post_6"]
    assert contents(vendors) == once(3) + once(3)


@pytest.mark.parametrize("step", ["before intent 2", "after intent 2", "before submitted 2", "after submitted 1"])
def test_worker_dies_in_a_resubmission(step: str, vendors: Sandbox, task: Task) -> None:
    scheduling(listed(7)).execute(task.context)
    task.clear()
    task.store.interrupt = dying(task, step)
    with pytest.raises(WorkerDiedError):
        scheduling(listed(7), resubmit=True).execute(task.context)
    task.store.interrupt = None
    task.retry()
    scheduling(listed(7), resubmit=True).execute(task.context)
    assert contents(vendors) == once(7) + once(7)


def test_mapped_tasks_have_batches_of_their_own(vendors: Sandbox) -> None:
    for index in range(3):
        scheduling(listed(4)).execute(Task(map_index=index).context)
    assert set(contents(vendors).values()) == {3}
    assert len(set(keys(vendors))) == 6
