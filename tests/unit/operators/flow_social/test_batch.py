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
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    NotSentError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostsOperator, chunk
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission import submit
from airflow_provider_mkt.submission.record import Record
from tests.unit.context import Task, Waits, WorkerDiedError, deferral, resumed, step_of

ROUTE = "POST /flow-social/v1/posts/batch"
LATER = (datetime.now(timezone.utc) + timedelta(days=30)).isoformat()


def listed(number: int, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """So many posts; ``row_3={...}`` changes one."""
    posts = [{"channelId": "channel_1", "content": f"Post {at}", "scheduledFor": LATER} for at in range(number)]
    for name, change in changes.items():
        posts[int(name.removeprefix("row_"))].update(change)
    return posts


def scheduling(posts: Any, **options: Any) -> FlowSocialSchedulePostsOperator:
    return FlowSocialSchedulePostsOperator(task_id="posts", posts=posts, **{"chunk_size": 3, **options})


def contents(vendors: Sandbox) -> Counter[str]:
    """How often each post was created."""
    return Counter(entry["reference"] for entry in vendors.ledger("flow_social", "post.created"))


def once(number: int, *missing: int) -> Counter[str]:
    return Counter(f"Post {at}" for at in range(number) if at not in missing)


def batches(vendors: Sandbox) -> list[list[str]]:
    """The contents of each request that got as far as being read."""
    sent = [each for each in vendors.requests("flow_social") if each["path"].endswith("/posts/batch") and each["body"]]
    return [[post["content"] for post in each["body"]["posts"]] for each in sent]


def keys(vendors: Sandbox) -> list[str]:
    sent = [each for each in vendors.requests("flow_social") if each["path"].endswith("/posts/batch")]
    return [each["headers"]["idempotency-key"] for each in sent]


def dying(task: Task, step: str, key: str = "") -> Callable[[str, Any], None]:
    """End the process around the write of a state, as "before intent"; ``nth`` of them."""
    when_, state, nth = (*step.split(), "1")[:3]
    seen = Counter[str]()

    def die(when: str, value: Any) -> None:
        if when == when_ and isinstance(value, dict) and "state" in value and step_of(value) == state:
            seen[step] += 1
            if seen[step] == int(nth):
                raise WorkerDiedError

    return die


# The good course


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


# Before anything is sent

BAD: dict[str, tuple[Any, list[str]]] = {
    "text": ("[{}]", ["posts must be a list of posts, got str", "render_template_as_native_obj"]),
    "one post": ({"channelId": "channel_1"}, ["posts must be a list of posts, got dict"]),
    "no object": (["a"], ["posts[0] must be an object"]),
    "unknown field": (listed(5, row_4={"channel": "x"}), ["posts[4] has unknown fields channel"]),
    "no content": (listed(5, row_4={"content": ""}), ["posts[4].content must be non-empty text"]),
    "no date": (listed(5, row_4={"scheduledFor": "soon"}), ["posts[4].scheduledFor must be a date"]),
    "much media": (listed(5, row_4={"mediaKeys": [f"m{at}" for at in range(11)]}), ["posts[4].mediaKeys has 11"]),
    "both spellings": (listed(5, row_4={"channel_id": "x"}), ["posts[4] has channelId twice"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, vendors: Sandbox, task: Task) -> None:
    posts, words = BAD[case]
    with pytest.raises(ValidationError) as caught:
        scheduling(posts).execute(task.context)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("size", [0, 101, -1, True, "50", 2.5])
def test_chunk_sizes(size: Any) -> None:
    with pytest.raises(ValidationError, match="chunk_size must be a whole number from 1 to 100"):
        scheduling(listed(1), chunk_size=size)


def test_too_many_to_wait_for(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="wait_for_completion is for up to 1,000 posts"):
        scheduling(listed(1_001), wait_for_completion=True).execute(task.context)
    assert vendors.requests() == []


# Refused rows


def test_refused_rows_are_reported_and_only_the_corrected_one_is_sent(vendors: Sandbox, task: Task) -> None:
    wrong = listed(7, row_1={"channelId": "nowhere"}, row_5={"channelId": "gone"})
    with pytest.raises(ValidationError) as caught:
        scheduling(wrong).execute(task.context)
    assert "did not take 2 of 7 posts" in str(caught.value)
    assert "posts[1]: channelId: Channel does not exist; posts[5]: channelId" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert contents(vendors) == once(7, 1, 5)
    sent = len(batches(vendors))
    task.retry()
    # One is corrected: it is sent at once. The other one would be refused again, as long as nobody cleared the task.
    with pytest.raises(ValidationError, match=r"1 of 7 posts\. posts\[5\]"):
        scheduling(listed(7, row_5={"channelId": "gone"})).execute(task.context)
    assert batches(vendors)[sent:] == [["Post 1"]]
    task.clear()
    with pytest.raises(ValidationError, match=r"1 of 7 posts\. posts\[5\]"):
        scheduling(listed(7, row_5={"channelId": "gone"})).execute(task.context)
    assert batches(vendors)[sent + 1 :] == [["Post 5"]]
    task.clear()
    result = scheduling(listed(7)).execute(task.context)
    assert batches(vendors)[sent + 2 :] == [["Post 5"]]
    assert contents(vendors) == once(7)
    assert result["scheduled"] == 7
    assert None not in result["post_ids"]
    numbers = {name.removeprefix("mkt.submission.") for name in task.store.values if "submission" in name}
    assert numbers == {"0", "0.1", "1", "1.1", "1.2", "2"}


def test_only_twenty_refused_rows_are_listed(vendors: Sandbox, task: Task) -> None:
    posts = listed(30, **{f"row_{at}": {"channelId": "nowhere"} for at in range(25)})
    with pytest.raises(ValidationError) as caught:
        scheduling(posts).execute(task.context)
    assert str(caught.value).count("Channel does not exist") == 20
    assert "and 5 more" in str(caught.value)
    assert sum(contents(vendors).values()) == 5


def test_failures_may_be_allowed(vendors: Sandbox, task: Task) -> None:
    result = scheduling(listed(4, row_1={"channelId": "nowhere"}), allow_failures=True).execute(task.context)
    assert result == {"scheduled": 3, "refused": 1, "post_ids": ["post_1", None, "post_2", "post_3"]}


def test_reasons_are_redacted_where_they_are_kept_and_shown(vendors: Sandbox, task: Task) -> None:
    secret = vendors.connections["flow_social_default"]["password"]
    told = f"the key {secret} of ada@example.com may not"
    answer = {
        "results": [{"success": False, "index": 0, "error": told}],
        "summary": {"total": 1, "successful": 0, "failed": 1},
    }
    vendors.fault(ROUTE, "status", status=200, body={"data": answer})
    with pytest.raises(ValidationError, match="may not") as caught:
        scheduling(listed(1)).execute(task.context)
    everything = str(caught.value) + "".join(task.store.values.values())
    assert secret not in everything
    assert "ada@example.com" not in everything


def test_a_chunk_refused_as_a_whole_does_not_keep_the_others(vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "status", status=413, message="too large", skip=1)
    with pytest.raises(ValidationError, match=r"3 of 7 posts\. posts\[3\]: with all its chunk: .*too large"):
        scheduling(listed(7)).execute(task.context)
    assert contents(vendors) == once(7, 3, 4, 5)
    task.clear()
    scheduling(listed(7)).execute(task.context)
    assert contents(vendors) == once(7)


def test_new_rows_at_the_end_are_sent(vendors: Sandbox, task: Task) -> None:
    scheduling(listed(4)).execute(task.context)
    task.clear()
    assert scheduling(listed(8)).execute(task.context)["scheduled"] == 8
    assert contents(vendors) == once(8)
    assert batches(vendors)[2:] == [["Post 4", "Post 5"], ["Post 6", "Post 7"]]


# Changed rows


@pytest.mark.parametrize(
    "changed",
    [
        listed(7, row_4={"content": "Another"}),
        listed(7)[1:],
        [{"channelId": "channel_1", "content": "New"}, *listed(7)],
        list(reversed(listed(7))),
    ],
    ids=["changed", "first row gone", "row before", "reversed"],
)
def test_changed_rows_are_no_second_order(changed: list[dict[str, Any]], vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "status", status=413, message="too large", skip=2)
    with pytest.raises(ValidationError):
        scheduling(listed(7)).execute(task.context)
    sent = len(keys(vendors))
    task.clear()
    with pytest.raises(ValidationError, match=r"posts\[\d\].*not scheduled a second time") as caught:
        scheduling(changed).execute(task.context)
    assert "FlowSocialUpdatePostOperator" in str(caught.value)
    assert len(keys(vendors)) == sent
    assert contents(vendors) == once(7, 6)


def test_rows_that_moved_into_a_chunk_that_was_not_sent(vendors: Sandbox, task: Task) -> None:
    """Chunk 1 is done and chunk 0 is not: what moves from one to the other must not be sent with it."""
    vendors.fault(ROUTE, "status", status=413, message="too large")
    with pytest.raises(ValidationError):
        scheduling(listed(6)).execute(task.context)
    assert contents(vendors) == once(6, 0, 1, 2)
    for fewer in (listed(6)[1:], listed(6)[3:], listed(6)[:3]):
        task.clear()
        with pytest.raises(ValidationError, match=r"row 6, which is gone"):
            scheduling(fewer).execute(task.context)
        assert contents(vendors) == once(6, 0, 1, 2)
    task.clear()
    scheduling(listed(6)).execute(task.context)
    assert contents(vendors) == once(6)


@pytest.mark.parametrize("size", [2, 4])
def test_another_chunk_size_is_refused(size: int, vendors: Sandbox, task: Task) -> None:
    scheduling(listed(7)).execute(task.context)
    task.clear()
    with pytest.raises(ValidationError, match=f"chunk_size was 3 when .* now it is {size}"):
        scheduling(listed(7), chunk_size=size).execute(task.context)
    assert contents(vendors) == once(7)


# Times


def test_late_rows_are_reported_and_the_others_go_out(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=r"1 of 4 posts\. posts\[2\]: scheduledFor is in the past"):
        scheduling(listed(4, row_2={"scheduledFor": "2020-01-01"})).execute(task.context)
    assert contents(vendors) == once(4, 2)
    task.retry()
    scheduling(listed(4)).execute(task.context)
    assert contents(vendors) == once(4)


def test_what_was_recorded_is_sent_again_though_its_time_has_passed(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.store.interrupt = dying(task, "before submitted")
    with pytest.raises(WorkerDiedError):
        scheduling(listed(3)).execute(task.context)
    task.store.interrupt = None

    def late(body: Any) -> None:
        raise ValidationError("scheduledFor is in the past")

    monkeypatch.setattr(chunk, "check_time", late)
    task.retry()
    assert scheduling(listed(3)).execute(task.context)["scheduled"] == 3
    assert contents(vendors) == once(3)
    assert len(set(keys(vendors))) == 1


# The worker dies


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


# Lost answers


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
    monkeypatch.setattr(submit, "KEY_TRUSTED", 0.0)
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


# What concerns all chunks alike


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


# Anew


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


# Waiting


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("number", [4, 25])
def test_waits_until_all_are_done(deferrable: bool, number: int, vendors: Sandbox, task: Task, waits: Waits) -> None:
    posts = [{"channelId": "channel_1", "content": f"Post {at}"} for at in range(number)]
    options = {"wait_for_completion": True, "deferrable": deferrable}
    waits.happenings = [lambda: None, lambda: vendors.advance(700)]
    if deferrable:
        deferred = deferral(scheduling(posts, **options).execute, task.context)
        assert vendors.connections["flow_social_default"]["password"] not in repr(deferred.trigger)
        result = resumed(scheduling(posts, **options), deferred, task.context)
    else:
        result = scheduling(posts, **options).execute(task.context)
    assert result["status"] == "done"
    assert result["post_ids"] == [f"post_{at}" for at in range(1, number + 1)]
    assert contents(vendors) == once(number)


@pytest.mark.parametrize("deferrable", [False, True])
def test_blocked_posts_are_an_error_and_not_sent_again(
    deferrable: bool, vendors: Sandbox, task: Task, waits: Waits
) -> None:
    vendors.outcome("flow_social", "blocked", count=2)
    posts = [{"channelId": "channel_1", "content": f"Post {at}"} for at in range(15)]
    options = {"wait_for_completion": True, "deferrable": deferrable}
    words = r"2 blocked, 13 done \(not as wanted: post_1, post_2\)\. Nothing is scheduled again"

    def attempt() -> None:
        operator = scheduling(posts, **options)
        if deferrable:
            resumed(scheduling(posts, **options), deferral(operator.execute, task.context), task.context)
        operator.execute(task.context)

    waits.happenings = [lambda: vendors.advance(700)]
    with pytest.raises(AirflowFailException, match=words):
        attempt()
    task.clear()
    with pytest.raises(AirflowFailException, match=words):
        scheduling(posts, **options).execute(task.context)
    assert contents(vendors) == once(15)


def test_stopped_by_a_user_the_queued_ones_are_deleted(vendors: Sandbox, task: Task, waits: Waits) -> None:
    operator = scheduling(listed(12), wait_for_completion=True, deferrable=False)

    def end() -> None:
        task.state = "failed"
        try:
            raise WorkerDiedError
        finally:
            operator.on_kill()

    waits.happenings = [end]
    with pytest.raises(WorkerDiedError):
        operator.execute(task.context)
    assert len(vendors.ledger("flow_social", "post.deleted")) == 12


def test_a_result_that_is_gone_is_an_error(vendors: Sandbox, task: Task, waits: Waits) -> None:
    posts = [{"channelId": "channel_1", "content": "a"}]
    options = {"wait_for_completion": True, "deferrable": True}
    deferred = deferral(scheduling(posts, **options).execute, task.context)
    vendors.advance(700)
    task.store.values.clear()
    with pytest.raises(AirflowFailException, match="record of the posts is gone"):
        resumed(scheduling(posts, **options), deferred, task.context)


def test_trigger_that_gives_up_raises_the_vendors_error(vendors: Sandbox, task: Task, waits: Waits) -> None:
    options = {"wait_for_completion": True, "deferrable": True}
    deferred = deferral(scheduling(listed(2), **options).execute, task.context)
    vendors.fault("GET /*", "drop_before", count=None)
    with pytest.raises(ApiError) as caught:
        resumed(scheduling(listed(2), **options), deferred, task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
