# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts from a database: each row once, in chunks, and never the wrong ones after the data have changed."""

from __future__ import annotations

import json
import sqlite3
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import OutcomeUnknownError, ValidationError
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flow_social import SqlToFlowSocialPostsOperator
from tests.unit.context import Task, WorkerDiedError

ROUTE = "POST /flow-social/v1/posts/batch"
LATER = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")
SQL = "SELECT channel_id, content, scheduled_for FROM posts ORDER BY id"

Execute = Callable[..., None]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """A SQLite database behind the connection ``plan``, with ten posts in it."""
    file = tmp_path / "plan.db"

    def execute(sql: str, *rows: tuple[Any, ...]) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executemany(sql, rows or [()])

    execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, channel_id, content, scheduled_for, media_keys)")
    add(execute, 10)
    monkeypatch.setenv("AIRFLOW_CONN_PLAN", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    return execute


def add(execute: Execute, number: int, channel: str = "channel_1", first: int = 0) -> None:
    rows = [(channel, f"Post {at}", LATER) for at in range(first, first + number)]
    execute("INSERT INTO posts (channel_id, content, scheduled_for) VALUES (?, ?, ?)", *rows)


def scheduling(task: Task, sql: str = SQL, **options: Any) -> Any:
    operator = SqlToFlowSocialPostsOperator(
        task_id="posts", sql=sql, sql_conn_id="plan", **{"chunk_size": 3, **options}
    )
    return operator.execute(task.context)


def contents(vendors: Sandbox) -> Counter[str]:
    return Counter(entry["reference"] for entry in vendors.ledger("flow_social", "post.created"))


def once(number: int) -> Counter[str]:
    return Counter(f"Post {at}" for at in range(number))


def test_every_row_once(database: Execute, vendors: Sandbox, task: Task) -> None:
    result = scheduling(task)
    assert contents(vendors) == once(10)
    assert result["scheduled"] == 10
    for following in (task.retry, task.clear):
        following()
        assert scheduling(task) == result
    assert len(vendors.requests("flow_social")) == 4


def test_columns_are_mapped_and_parameters_given(database: Execute, vendors: Sandbox, task: Task) -> None:
    sql = "SELECT 'channel_1' AS place, content AS words, 1 AS other FROM posts WHERE id <= :most ORDER BY id"
    columns = {"channel_id": "place", "content": "words"}
    assert scheduling(task, sql, parameters={"most": 2}, columns=columns)["scheduled"] == 2
    assert contents(vendors) == once(2)


def test_media_keys_are_text_in_a_database(database: Execute, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

    (tmp_path / "a.png").write_bytes(b"a")
    keys = [FlowSocialHook().upload_media(tmp_path / "a.png")["key"] for _ in range(2)]
    database("UPDATE posts SET media_keys = ?", (", ".join(keys),))
    scheduling(task, "SELECT channel_id, content, media_keys FROM posts WHERE id = 1")
    assert vendors.requests("flow_social")[-1]["body"]["posts"][0]["mediaKeys"] == keys


@pytest.mark.parametrize(
    ("sql", "options", "words"),
    [
        ("SELECT * FROM posts ORDER BY id", {}, "sql returns the columns id, which are no fields of a post"),
        (SQL, {"columns": {"channelId": "place"}}, "the query has no column 'place'; it has channel_id, content"),
        (SQL, {"columns": "channelId"}, "columns must be an object"),
        (SQL, {"columns": ["channelId"]}, "columns must be an object"),
        (SQL, {"columns": {"channelId": ["a"]}}, "columns must be an object"),
        (SQL, {"parameters": "planted"}, "parameters must be a list, or an object by name, got str"),
        (SQL, {"columns": {"channel": "channel_id"}}, "columns names 'channel', which is no field of a post"),
        ("SELECT no_such FROM posts", {}, "no such column"),
        ("", {}, "sql is empty"),
    ],
)
def test_bad_input(
    *, sql: str, options: dict[str, Any], words: str, database: Execute, vendors: Sandbox, task: Task
) -> None:
    with pytest.raises(ValidationError, match=words):
        scheduling(task, sql, **options)
    assert vendors.requests() == []


def test_rows_that_cannot_be_posts_are_reported_and_the_others_go_out(
    database: Execute, vendors: Sandbox, task: Task
) -> None:
    database("UPDATE posts SET content = '' WHERE id = 2")
    database("UPDATE posts SET channel_id = 'nowhere' WHERE id = 5")
    database("UPDATE posts SET scheduled_for = '2020-01-01' WHERE id = 9")
    with pytest.raises(ValidationError) as caught:
        scheduling(task)
    told = str(caught.value)
    assert "3 of 10 posts. row 2: row 2.content must be" in told
    assert "row 5: channelId: Channel does not exist; row 9: scheduledFor is in the past" in told
    assert sum(contents(vendors).values()) == 7
    database("UPDATE posts SET content = 'Post 1' WHERE id = 2")
    database("UPDATE posts SET channel_id = 'channel_1' WHERE id = 5")
    database("UPDATE posts SET scheduled_for = ? WHERE id = 9", (LATER,))
    task.clear()
    assert scheduling(task)["scheduled"] == 10
    assert contents(vendors) == once(10)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM posts WHERE id = 1",
        "UPDATE posts SET content = 'Another' WHERE id = 4",
        "UPDATE posts SET id = -1 WHERE id = 10",
    ],
)
def test_changed_data_are_no_second_order(change: str, database: Execute, vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "status", status=413, message="too large")
    with pytest.raises(ValidationError):
        scheduling(task)
    before, sent = contents(vendors), len(vendors.requests())
    database(change)
    task.clear()
    with pytest.raises(ValidationError, match="not scheduled a second time"):
        scheduling(task)
    assert contents(vendors) == before
    assert len(vendors.requests()) == sent


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("step", ["after intent", "before submitted", "after submitted"])
def test_worker_dies(step: str, nth: int, database: Execute, vendors: Sandbox, task: Task) -> None:
    seen = Counter[str]()

    def die(when: str, value: Any) -> None:
        name = f"{when} {value['state']}" if isinstance(value, dict) else ""
        seen[name] += 1
        if name == step and seen[name] == nth:
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        scheduling(task)
    task.store.interrupt = None
    add(database, 5, first=10)
    task.retry()
    assert scheduling(task)["scheduled"] == 15
    assert contents(vendors) == once(15)


def test_lost_answers(database: Execute, vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, "drop_after", count=5, skip=1)
    with pytest.raises(OutcomeUnknownError, match="7 posts are scheduled, 0 refused, 3 open"):
        scheduling(task)
    task.retry()
    assert scheduling(task)["scheduled"] == 10
    assert contents(vendors) == once(10)


@pytest.mark.proof
def test_one_chunk_at_a_time_is_held(database: Execute, vendors: Sandbox, task: Task) -> None:
    """Ten times the rows take no more memory at the peak, beyond what their records take in this store."""

    def peak(sql: str) -> int:
        each = Task(run_id=sql)
        # Records take memory in this store only: it keeps the last one, which a request has to find unchanged.
        each.store.interrupt = lambda when, _: each.store.values.clear() if when == "before" else None
        tracemalloc.start()
        try:
            scheduling(each, sql, chunk_size=100)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    database("DELETE FROM posts")
    rows = [("channel_1", f"Post {at} {'x' * 2_000}", LATER) for at in range(5_000)]
    database("INSERT INTO posts (channel_id, content, scheduled_for) VALUES (?, ?, ?)", *rows)
    few, many = (f"SELECT channel_id, content FROM posts ORDER BY id LIMIT {number}" for number in (500, 5_000))
    vendors.limits({"*": None})
    sent: list[Any] = []
    from airflow_provider_mkt.client.api_client import ApiClient

    def send(self: ApiClient, call: Any, fence: Callable[[], None]) -> Any:
        fence()
        # The simulated vendor is in this process: what it keeps would be measured as well.
        sent.append(len(call.body["posts"]))
        results = [{"success": True, "index": at, "post": {"id": f"{len(sent)}.{at}"}} for at in range(sent[-1])]
        return {"results": results, "summary": {}}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ApiClient, "send", send)
        peak(few)
        small, large = peak(few), peak(many)
    assert sum(sent) == 500 + 500 + 5_000
    assert large < small + 1_000_000, (small, large)
