# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions`` over Airflow's REST API, for tasks with one record and with hundreds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from airflow.cli.cli_parser import AirflowHelpFormatter, _add_command

from airflow_provider_mkt.cli import airflow_api, submissions_command
from airflow_provider_mkt.cli.definition import get_mkt_commands
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
            return {"dag_runs": [{"dag_run_id": self.task.run_id}]}
        if path.endswith("/taskInstances"):
            rows = [{"task_id": self.task.task_id, "map_index": self.task.map_index}]
            return {"task_instances": rows, "total_entries": 1}
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
def command(task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run ``airflow mkt submissions …`` and return what it prints."""
    monkeypatch.setattr(submissions_command, "_api", lambda _: Airflow(task))
    parser = argparse.ArgumentParser(prog="airflow", formatter_class=AirflowHelpFormatter)
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for each in get_mkt_commands():
        _add_command(subparsers, each)

    def run(*words: str) -> str:
        args = parser.parse_args(["mkt", "submissions", *words])
        capsys.readouterr()
        args.func(args)
        return capsys.readouterr().out

    return run


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
    rows: list[dict[str, Any]] = json.loads(command("list", "launch", "--output", "json", *options))
    return rows


def test_hundreds_of_records_are_listed_in_order(command: Callable[..., str], posts: Any, task: Task) -> None:
    posts(230, wrong=21)
    task.clear()
    posts(230)
    rows = listed(command)
    assert [row["number"] for row in rows] == [*map(str, range(11)), "10.1", *map(str, range(11, 115))]
    assert [row["ids"] for row in rows[9:13]] == ["2 of 2", "1 of 2", "1 of 1", "2 of 2"]


def test_a_part_of_a_batch_is_shown(command: Callable[..., str], posts: Any, task: Task) -> None:
    posts(4, wrong=3)
    shown = json.loads(command("show", *PLACE, "--number", "1"))
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
    with pytest.raises(SystemExit, match="takes 2 ids, one for each part"):
        command("adopt", *PLACE, "--ids", "post_1")
    with pytest.raises(SystemExit, match="takes each id once, got post_1 more than once"):
        command("adopt", *PLACE, "--ids", "post_1", "post_1")
    command("adopt", *PLACE, "--ids", "post_1", "-")
    assert listed(command)[0]["ids"] == "1 of 2"
    assert listed(command, "--unsettled") == []
    task.clear()
    assert posts(2)["post_ids"] == ["post_1", "post_3"]


def test_a_chunk_is_forgotten_from_its_end(
    command: Callable[..., str], posts: Any, task: Task, vendors: Sandbox
) -> None:
    posts(4, wrong=0)
    task.clear()
    posts(4)
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
    assert listed(command)[0]["ids"] == "null"
    command("adopt", *PLACE, "--ids", "post_7")
    assert task.record["receipt"] == {"post_id": "post_7", "status": "adopted"}
    assert listed(command)[0]["ids"] == '"post_7"'
