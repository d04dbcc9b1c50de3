# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What becomes of single rows: refused, changed, moved, too late."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ValidationError,
)
from airflow_provider_mkt.operators.flow_social import chunk
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, WorkerDiedError
from tests.unit.operators.flow_social.batches import (
    ROUTE,
    batches,
    contents,
    dying,
    keys,
    listed,
    once,
    scheduling,
)


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
