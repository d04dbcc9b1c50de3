# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions`` over Airflow's REST API, for tasks with one record and with hundreds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from airflow_provider_mkt.cli import airflow_api, submission_records, submissions_command
from airflow_provider_mkt.cli.submissions_view import UNSETTLED
from airflow_provider_mkt.exceptions import OutcomeUnknownError, StoppedError
from airflow_provider_mkt.operators.flodesk import FlodeskAddToWorkflowOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostsOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

PLACE = ["launch", "scheduled__2026-06-08T00:00:00+00:00", "publish"]


class Airflow(airflow_api.AirflowApi):
    """Airflow's API server, which pages, in front of the store of one task."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def _call(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        values = self.task.store.values
        if path.endswith("/dagRuns"):
            rows = [{"dag_id": self.task.dag_id, "dag_run_id": self.task.run_id}]
            return {"dag_runs": rows, "total_entries": 1}
        if path.endswith("/tasks"):
            return {"tasks": [{"task_id": self.task.task_id, "class_ref": {"module_path": "airflow_provider_mkt.x"}}]}
        if path.endswith("/taskInstances"):
            rows = [{"task_id": self.task.task_id, "map_index": self.task.map_index}]
            return {"task_instances": rows, "total_entries": 1}
        if path.endswith(f"/taskInstances/{self.task.task_id}"):
            return {"state": self.task.state or None}
        assert (query or {})["map_index"] == -1
        key = path.partition("/state-store/")[2]
        if method == "PUT":
            assert body["expires_at"] is None
            return values.update({key: json.dumps(body["value"])})
        assert query is not None
        rows = [{"key": each, "value": json.loads(values[each])} for each in sorted(values)]
        # Fewer than are asked for: [api] maximum_page_limit.
        shown = rows[query.get("offset", 0) :][: min(query["limit"], 30)]
        return {"task_state_store": shown, "total_entries": len(rows)}


@pytest.fixture
def command(
    parser: argparse.ArgumentParser, task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run ``airflow mkt submissions …`` and return what it prints."""
    monkeypatch.setattr(submission_records, "connect", lambda _: Airflow(task))

    def run(*words: str) -> str:
        args = parser.parse_args(["mkt", "submissions", *words])
        capsys.readouterr()
        status = None
        try:
            args.func(args)
        except SystemExit as end:
            if isinstance(end.code, str):
                raise
            status = end.code
        printed = capsys.readouterr().out
        unsettled = "--unsettled" in words and '"number"' in printed
        assert status == (UNSETTLED if unsettled else None)
        return printed

    return run


def rest(task: Task, state: str = "failed") -> None:
    """Let the task come to rest, and the vendor have its time."""
    task.state = state
    for key in [key for key in task.store.values if key.startswith("mkt.submission.")]:
        record = task.store.get(key)
        times = {name: value - 1_000 for name, value in record.items() if name.endswith("_at") and value}
        task.store.set(key, {**record, **times})


@pytest.fixture
def posts(vendors: Sandbox, task: Task) -> Callable[..., Any]:
    """Schedule posts, two to a chunk; ``wrong`` ones are refused."""

    def run(number: int, wrong: int | None = None) -> Any:
        rows = [
            {"channelId": "nowhere" if at == wrong else "channel_1", "content": f"Post {at}"} for at in range(number)
        ]
        operator = FlowSocialSchedulePostsOperator(task_id="posts", posts=rows, chunk_size=2, allow_failures=True)
        return operator.execute(task.context)

    return run


def listed(command: Callable[..., str], *options: str) -> list[dict[str, Any]]:
    """List all, or those that wait for a person; that there are some is then told by the exit status."""
    rows: list[dict[str, Any]] = json.loads(command("list", "launch", "--output", "json", *options))
    return rows


@pytest.mark.slow
def test_hundreds_of_records_are_listed_in_order(command: Callable[..., str], posts: Any, task: Task) -> None:
    posts(230, wrong=21)
    task.clear()
    posts(230)
    rows = listed(command)
    assert [row["number"] for row in rows] == [*map(str, range(11)), "10.1", *map(str, range(11, 115))]
    assert [(len([each for each in row["ids"] if each]), len(row["ids"])) for row in rows[9:13]] == [
        (2, 2),
        (1, 2),
        (1, 1),
        (2, 2),
    ]


def test_a_part_of_a_batch_is_shown(command: Callable[..., str], posts: Any, task: Task) -> None:
    posts(4, wrong=3)
    shown = json.loads(command("show", *PLACE, "--number", "1", "--output", "json"))
    assert [post["content"] for post in shown["body"]["posts"]] == ["Post 2", "Post 3"]
    assert shown["receipt"]["post_ids"] == ["post_3", None]
    assert shown["parts"] == 2
    with pytest.raises(SystemExit, match=r"has no submission 1\.1"):
        command("show", *PLACE, "--number", "1.1")


def test_ids_are_handed_over_one_a_part(command: Callable[..., str], posts: Any, task: Task, vendors: Sandbox) -> None:
    vendors.fault("POST /*", "drop_after", count=5)
    with pytest.raises(Exception, match="not known yet"):
        posts(2)
    assert [row["number"] for row in listed(command, "--unsettled")] == ["0"]
    rest(task)
    with pytest.raises(SystemExit, match="takes 2 ids, one for each part"):
        command("adopt", *PLACE, "--ids", "post_1")
    with pytest.raises(SystemExit, match="takes each id once, got post_1 more than once"):
        command("adopt", *PLACE, "--ids", "post_1", "post_1")
    command("adopt", *PLACE, "--ids", "post_1", "-")
    assert listed(command)[0]["ids"] == ["post_1", None]
    assert listed(command, "--unsettled") == []
    task.clear()
    task.state = "running"
    assert posts(2)["post_ids"] == ["post_1", "post_3"]


def test_a_chunk_is_forgotten_from_its_end(
    command: Callable[..., str], posts: Any, task: Task, vendors: Sandbox
) -> None:
    posts(4, wrong=0)
    task.clear()
    posts(4)
    rest(task, "success")
    with pytest.raises(SystemExit, match=r"Submission 0\.1 goes on from this one; forget that one first"):
        command("forget", *PLACE, "--number", "0", "--yes")
    for number in ("0.1", "0"):
        with pytest.raises(SystemExit, match="add --yes"):
            command("forget", *PLACE, "--number", number)
        assert "Forgotten" in command("forget", *PLACE, "--number", number, "--yes")
    assert [(row["number"], row["state"]) for row in listed(command)] == [
        ("0", "refused"),
        ("0.1", "refused"),
        ("1", "submitted"),
    ]
    before = {request["headers"].get("idempotency-key") for request in vendors.requests("flow_social")}
    task.clear()
    task.state = "running"
    assert posts(4)["scheduled"] == 4
    # As two rows of the first chunk: under a key of its own, so that the vendor makes new ones.
    assert len(vendors.ledger("flow_social", "post.created")) == 6
    after = {request["headers"].get("idempotency-key") for request in vendors.requests("flow_social")}
    assert len(after - before) == 1


def test_one_record_is_settled_without_a_number(command: Callable[..., str], task: Task) -> None:
    from airflow_provider_mkt.submission.record import Record

    record = Record("key", 1, "intent", "f", {"a": 1}, "launch/run/publish", "post_id", 1_780_000_000.0, 0)
    task.store.set("mkt.submission.0", asdict(record))
    task.store.set("other", {"a": 1})
    assert listed(command)[0]["ids"] == []
    task.state = "failed"
    command("adopt", *PLACE, "--ids", "post_7")
    assert task.record["receipt"] == {"post_id": "post_7", "status": "adopted"}
    assert listed(command)[0]["ids"] == ["post_7"]


# People who do not look


@pytest.fixture
def lost(vendors: Sandbox, task: Task) -> Task:
    """A task whose launch lost its answer: the vendor carried it out, and nobody can be asked."""
    vendors.fault("POST /flodesk/v1/workflows/{id}/subscribers", "drop_after")
    vendors.seed(flodesk={"subscribers": 1})
    # A workflow that is over at once may be entered again at once.
    vendors.switch({"flodesk.workflow_duration": 0})
    with pytest.raises(OutcomeUnknownError):
        entering().execute(task.context)
    task.state = "failed"
    return task


def entering() -> FlodeskAddToWorkflowOperator:
    return FlodeskAddToWorkflowOperator(task_id="publish", workflow_id="wf_viewing", id_or_email="sub_1")


WAYS = {"adopt": ("--ids", "sub_1", "--yes"), "forget": ("--yes",)}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@pytest.mark.parametrize(
    "state",
    ["running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "awaiting_input", "", "new_one"],
)
def test_no_record_is_settled_under_a_try(way: str, state: str, lost: Task, command: Callable[..., str]) -> None:
    rest(lost, state)
    before = dict(lost.store.values)
    with pytest.raises(SystemExit, match="a try of it may write this record at any moment"):
        command(way, *PLACE, *WAYS[way])
    assert lost.store.values == before


@every_way
def test_no_record_is_settled_before_the_vendor_had_its_time(way: str, lost: Task, command: Callable[..., str]) -> None:
    before = dict(lost.store.values)
    with pytest.raises(SystemExit, match=r"Check it in 1[78]\d s"):
        command(way, *PLACE, *WAYS[way])
    assert lost.store.values == before


@every_way
@pytest.mark.parametrize("change", ["record", "state"])
def test_a_record_that_changed_since_it_was_read_is_left_alone(
    way: str, change: str, lost: Task, command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try begins between the reading and the writing."""
    rest(lost)
    real = submissions_command.Settling.write

    def write(settling: Any, record: Any) -> None:
        if change == "record":
            lost.store.set("mkt.submission.0", {**lost.record, "writer": "another try"})
        else:
            lost.state = "running"
        real(settling, record)

    monkeypatch.setattr(submissions_command.Settling, "write", write)
    with pytest.raises(SystemExit, match="has changed since it was read, so nothing was written"):
        command(way, *PLACE, *WAYS[way])
    assert lost.record["state"] == "intent"


@every_way
def test_settled_when_all_is_at_rest(way: str, lost: Task, command: Callable[..., str], vendors: Sandbox) -> None:
    rest(lost)
    told = command(way, *PLACE, *WAYS[way])
    assert "Clear the task publish now" in told
    assert lost.record["writer"] == "airflow mkt submissions"
    lost.clear()
    lost.state = "running"
    assert entering().execute(lost.context)["subscriber_id"] == "sub_1"
    assert len(vendors.ledger("flodesk", "workflow.entered")) == (1 if way == "adopt" else 2)


def test_what_never_left_is_not_forgotten(task: Task, vendors: Sandbox, command: Callable[..., str]) -> None:
    vendors.seed(flodesk={"subscribers": 1})
    operator = entering()
    real = operator.hook.client.send

    def send(call: Any, **options: Any) -> Any:
        if "fence" in options:
            operator.on_kill()
        return real(call, **options)

    operator.hook.client.send = send  # type: ignore[method-assign]
    with pytest.raises(StoppedError):
        operator.execute(task.context)
    task.state = "failed"
    assert listed(command, "--unsettled") == []
    with pytest.raises(SystemExit, match="Nothing was sent of it"):
        command("forget", *PLACE, "--yes")


@every_way
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"version": 99, "state": "intent"}, "a later version of this package wrote it"),
        ({"strange": True}, "it is not the record of a submission"),
        ("text", "it is not the record of a submission"),
    ],
)
def test_what_cannot_be_read_is_shown_and_left_alone(
    way: str, value: Any, why: str, task: Task, command: Callable[..., str]
) -> None:
    task.state = "failed"
    task.store.set("mkt.submission.0", value)
    assert (listed(command)[0]["state"], listed(command)[0]["problem"][: len(why)]) == ("unreadable", why)
    with pytest.raises(SystemExit, match=why):
        command(way, *PLACE, *WAYS[way])
    assert task.store.get("mkt.submission.0") == value


def test_an_unknown_state_is_left_alone_and_a_receipt_without_ids_is_completed(
    lost: Task, command: Callable[..., str]
) -> None:
    rest(lost)
    lost.store.set("mkt.submission.0", {**lost.record, "state": "approved"})
    with pytest.raises(SystemExit, match="a state that this version does not know"):
        command("forget", *PLACE, "--yes")
    lost.store.set("mkt.submission.0", {**lost.record, "state": "submitted", "receipt": {}})
    assert [row["number"] for row in listed(command, "--unsettled")] == ["0"]
    command("adopt", *PLACE, "--ids", "sub_1")
    assert lost.record["receipt"]["subscriber_id"] == "sub_1"
