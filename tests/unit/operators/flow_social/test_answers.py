# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the answer to a batch says of each row: in any order, with and without an index, and when it says otherwise."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import MalformedResponseError, OutcomeUnknownError, ValidationError
from airflow_provider_mkt.operators.flow_social import FlowSocialUpdatePostOperator
from airflow_provider_mkt.operators.flow_social.answers import differences, receipt_of
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task
from tests.unit.operators.flow_social.batches import LATER, ROUTE, batches, contents, listed, once, scheduling

REDACTOR = Redactor(())
Results = list[dict[str, Any]]


def answer(sent: list[dict[str, Any]], *refused: int) -> Results:
    """What the vendor answers, in the order of the rows."""
    return [
        {"success": False, "index": at, "error": f"no {at}"}
        if at in refused
        else {"success": True, "index": at, "post": {"id": f"post_{at}", "status": "queued", **sent[at]}}
        for at in range(len(sent))
    ]


def receipt(results: Results, sent: list[dict[str, Any]], **summary: int) -> dict[str, Any]:
    return receipt_of({"results": results, "summary": summary}, sent, REDACTOR)


def without_index(results: Results) -> Results:
    return [{name: value for name, value in each.items() if name != "index"} for each in results]


@pytest.mark.parametrize("form", [list, without_index], ids=["index", "no index"])
@pytest.mark.parametrize("seed", range(20))
def test_results_in_any_order(form: Callable[[Results], Results], seed: int) -> None:
    choice = random.Random(seed)
    sent = listed(choice.randint(1, 9))
    refused = choice.sample(range(len(sent)), choice.randint(0, len(sent)))
    results = form(answer(sent, *refused))
    choice.shuffle(results)
    told = receipt(results, sent)
    assert told["post_ids"] == [None if at in refused else f"post_{at}" for at in range(len(sent))]
    assert sorted(told["refused"]) == sorted(map(str, refused))


def test_indexes_that_count_from_one_or_fit_other_posts_do_not_count() -> None:
    sent = listed(3)
    for moved in (lambda at: at + 1, lambda at: (at + 1) % 3, str):
        results = [{**each, "index": moved(each["index"])} for each in answer(sent)]
        assert receipt(results, sent)["post_ids"] == ["post_0", "post_1", "post_2"]


def test_reasons_of_several_refused_rows_without_an_index_are_told_of_each() -> None:
    assert receipt(without_index(answer(listed(3), 0, 2)), listed(3)) == {
        "post_ids": [None, "post_1", None],
        "refused": {"0": "no 0 or: no 2", "2": "no 0 or: no 2"},
    }


def test_the_same_post_on_several_days_is_told_apart_by_its_time() -> None:
    sent = [
        {"channelId": "channel_1", "content": "Again", "scheduledFor": f"2031-01-0{day}T09:00:00Z"} for day in (1, 2)
    ]
    results = without_index(answer(sent))
    # As the vendor shows it: in milliseconds.
    results[0]["post"]["scheduledFor"] = 1_925_024_400_500
    results.reverse()
    assert receipt(results, sent)["post_ids"] == ["post_0", "post_1"]


def test_rows_that_are_the_same_may_be_exchanged() -> None:
    sent = [listed(1)[0]] * 3
    told = receipt(without_index(answer(sent, 1)), sent)
    assert sorted(map(str, told["post_ids"])) == ["None", "post_0", "post_2"]


Change = Callable[[Results], Any]
UNCLEAR: dict[str, Change] = {
    "another content": lambda results: results[1]["post"].update(content="Other"),
    "another channel": lambda results: results[1]["post"].update(channelId="channel_9"),
    "another time": lambda results: results[1]["post"].update(scheduledFor=1_925_024_400_000),
    "an error in a success": lambda results: results[1].update(error="quota"),
    "a blocked post": lambda results: results[1]["post"].update(status="blocked"),
    "a failed post": lambda results: results[1]["post"].update(status="FAILED"),
    "a failed result": lambda results: results[1].update(status="failed"),
    "a refusal with a post": lambda results: results[1].update(success=False),
    "no id": lambda results: results[1]["post"].pop("id"),
    "an id that is no text": lambda results: results[1]["post"].update(id=7),
    "success as text": lambda results: results[1].update(success="true"),
    "one too few": lambda results: results.pop(),
    "one too many": lambda results: results.append(results[0]),
    "an id twice": lambda results: results[1]["post"].update(id="post_0"),
    "nothing that tells which": lambda results: [
        (each.pop("index"), each.pop("post", None), each.update(post={"id": f"p{at}"}))
        for at, each in enumerate(results)
    ],
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_unclear_answers(case: str) -> None:
    results = answer(listed(3))
    UNCLEAR[case](results)
    with pytest.raises(MalformedResponseError, match="do not tell what became of each") as caught:
        receipt(results, listed(3))
    assert caught.value.executed


@pytest.mark.parametrize("summary", [{"total": 4}, {"successful": 2}, {"failed": 1}])
def test_a_summary_that_counts_otherwise(summary: dict[str, int]) -> None:
    with pytest.raises(MalformedResponseError, match="the summary counts otherwise"):
        receipt(answer(listed(3)), listed(3), **summary)
    assert receipt(answer(listed(3)), listed(3), total=3, successful=3, failed=0)


def test_what_does_not_count_as_another_content() -> None:
    sent = {"channelId": "channel_1", "content": "Caf\u00e9\r\nopen ", "scheduledFor": LATER}
    assert differences(sent, {"content": "Cafe\u0301\nopen"}) == []
    pictures = [{"channelId": "c", "mediaKeys": [name]} for name in "ab"]
    assert receipt(answer([{"content": "", **each} for each in pictures]), pictures)["refused"] == {}
    assert differences(sent, {}) == []


def test_a_hundred_results_without_an_index_are_quick() -> None:
    sent = listed(100)
    asked = 0

    def counted(one: Any, other: Any) -> list[str]:
        nonlocal asked
        asked += 1
        return differences(one, other)

    from airflow_provider_mkt.operators.flow_social.answers import by_row

    assert None not in by_row(without_index(answer(sent))[::-1], sent, counted)
    assert asked <= 100 * 100


# Over HTTP


@pytest.mark.parametrize("index", [True, False])
def test_a_batch_in_another_order_sends_only_the_refused_row_again(index: bool, vendors: Sandbox, task: Task) -> None:
    """By position, row 0 would be sent twice and row 2 never, and the task would be green."""
    rows = listed(3, row_2={"channelId": "nowhere"})
    results = answer(rows, 2)[::-1]
    body = {"data": {"results": results if index else without_index(results), "summary": {}}}
    vendors.fault(ROUTE, "status", status=201, body=body, processed=True)
    with pytest.raises(ValidationError, match=r"1 of 3 posts\. posts\[2\]: no 2"):
        scheduling(rows).execute(task.context)
    task.clear()
    assert scheduling(listed(3)).execute(task.context)["scheduled"] == 3
    assert contents(vendors) == once(3)
    assert batches(vendors)[1:] == [["Post 2"]]


def test_a_batch_answered_with_other_posts_is_not_green(vendors: Sandbox, task: Task) -> None:
    results = answer(listed(3))
    results[1]["post"]["content"] = "Somebody else's"
    body = {"data": {"results": results, "summary": {}}}
    vendors.fault(ROUTE, "status", status=201, body=body, processed=True)
    with pytest.raises(OutcomeUnknownError, match="unclear: 1"):
        scheduling(listed(3)).execute(task.context)
    assert json.loads(task.store.values["mkt.submission.0"])["executed"]


def changed(results: Results, vendors: Sandbox) -> None:
    vendors.fault("PATCH /*", "status", status=200, body={"data": {"results": results, "summary": {}}})
    FlowSocialUpdatePostOperator(task_id="update", post_id=["post_1", "post_2", "post_3"], content="b").execute(
        Task().context
    )


def test_changes_answered_in_another_order_name_the_right_post(vendors: Sandbox) -> None:
    good = [{"success": True, "post": {"id": f"post_{at}", "content": "b"}} for at in (3, 1)]
    with pytest.raises(ValidationError, match=r"1 of 3 posts\. post_2: gone"):
        changed([{"success": False, "error": "gone"}, *good], vendors)


def test_changes_that_the_vendor_does_not_show_are_reported(vendors: Sandbox) -> None:
    shown = [{"success": True, "index": at, "post": {"id": f"post_{at + 1}", "content": "b"}} for at in range(3)]
    shown[1]["post"] = {"id": "post_2", "content": "a"}
    with pytest.raises(ValidationError, match=r"1 of 3 posts\. post_2: the vendor shows another content"):
        changed(shown, vendors)
    vendors.fault("PATCH /*", "status", status=200, body={"data": {"id": "post_1", "status": "queued", "content": "a"}})
    with pytest.raises(ValidationError, match="post_1: the vendor shows another content"):
        FlowSocialUpdatePostOperator(task_id="update", post_id="post_1", content="b").execute(Task().context)
