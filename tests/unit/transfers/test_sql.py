# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows of any database: in chunks, with names of their own, and never in a message."""

from __future__ import annotations

import json
import logging
import os
import resource
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.transfers.sql import sql_rows

POSTGRES = os.environ.get("MKT_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


class PostgresHook(DbApiHook):
    """Like Airflow's, which is not installed here."""

    conn_name_attr = "postgres_conn_id"
    factory: Any = None

    def get_conn(self) -> Any:
        import psycopg2

        return psycopg2.connect(POSTGRES, cursor_factory=self.factory)


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection to a database of five people."""
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE people (email TEXT, budget INTEGER)")
        base.executemany("INSERT INTO people VALUES (?, ?)", [(f"person{n}@example.com", n) for n in range(5)])
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return "crm"


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection to PostgreSQL."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres"}))
    monkeypatch.setattr(Connection, "get_hook", lambda self: PostgresHook(self.conn_id))
    return "warehouse"


@pytest.mark.parametrize("chunk", [1, 2, 5, 1_000])
def test_rows(chunk: int, crm: str) -> None:
    rows = list(sql_rows(crm, "SELECT * FROM people ORDER BY budget", chunk=chunk))
    assert rows == [{"email": f"person{n}@example.com", "budget": n} for n in range(5)]


@pytest.mark.parametrize(
    ("condition", "parameters"), [("budget > ?", [3]), ("budget > :least", {"least": 3}), ("budget > 3", None)]
)
def test_parameters(condition: str, parameters: Any, crm: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        rows = list(sql_rows(crm, f"SELECT email FROM people WHERE {condition}", parameters))
    assert rows == [{"email": "person4@example.com"}]
    assert "person4" not in caplog.text


def test_no_rows(crm: str) -> None:
    assert list(sql_rows(crm, "SELECT * FROM people WHERE budget > 9")) == []


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", "sql is empty"),
        (None, "sql is empty"),
        (["SELECT 1", "SELECT 2"], "sql must be text, got list"),
        ("SELECT email, email FROM people", "sql returns 'email' twice"),
        ('SELECT email AS "" FROM people', r"sql: column 1 has no proper name \(''\)"),
        ('SELECT email, budget AS " b" FROM people', r"sql: column 2 has no proper name \(' b'\)"),
        ("UPDATE people SET budget = 1", "sql returned no columns"),
        ("SELECT phone FROM people", "refused the query .*: no such column: phone"),
        ("SELEC email FROM people", "refused the query .*: near"),
        ("SELECT email FROM people WHERE budget = ?", "refused the query .*: Incorrect number of bindings"),
        ("SELECT email FROM people WHERE budget = :least", "refused the query .*ProgrammingError"),
    ],
)
def test_bad_statements(sql: Any, problem: str, crm: str) -> None:
    with pytest.raises(ValidationError, match=problem) as caught:
        list(sql_rows(crm, sql, [1, 2] if "?" in str(sql) else None))
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"


SEVERAL = {
    "two": ("SELECT 1 AS a; SELECT 2 AS a", 2),
    "one that changes": ("SELECT email FROM people; DELETE FROM people;", 2),
    "with a prologue": ("SET x = 1;\n\nSELECT email FROM people -- all\n;", 2),
    "three": ("SELECT 1 AS a;;SELECT 2 AS a;/* and */SELECT 3 AS a", 3),
}
SINGLE = {
    "plain": "SELECT email FROM people WHERE budget = 4",
    "ended": "SELECT email FROM people WHERE budget = 4;",
    "ended twice": "SELECT email FROM people WHERE budget = 4 ;\n ; ",
    "comment behind": "SELECT email FROM people WHERE budget = 4; -- the richest; really",
    "comment block behind": "SELECT email FROM people WHERE budget = 4; /* the; richest */",
    "comment before": "-- people; all\nSELECT email FROM people WHERE budget = 4",
    "in a text": "SELECT email FROM people WHERE budget = 4 AND email <> 'a;b' AND email <> 'it''s; on'",
    "in a name": 'SELECT email AS "email" FROM people AS "a;b" WHERE budget = 4',
}


@pytest.mark.parametrize("case", SEVERAL)
def test_several_statements_are_refused_before_any_runs(case: str, crm: str) -> None:
    sql, number = SEVERAL[case]
    with pytest.raises(ValidationError, match=f"sql holds {number} statements; .* one") as caught:
        list(sql_rows(crm, sql))
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert len(list(sql_rows(crm, "SELECT email FROM people"))) == 5


@pytest.mark.parametrize("case", SINGLE)
def test_what_is_one_statement(case: str, crm: str) -> None:
    assert list(sql_rows(crm, SINGLE[case])) == [{"email": "person4@example.com"}]


def test_nothing_is_committed(crm: str) -> None:
    with pytest.raises(ValidationError):
        list(sql_rows(crm, "UPDATE people SET budget = 100"))
    assert list(sql_rows(crm, "SELECT max(budget) AS most FROM people")) == [{"most": 4}]


def test_messages_of_the_database_that_may_quote_rows(crm: str) -> None:
    with pytest.raises(AirflowException, match="Its message may quote rows") as caught:
        list(sql_rows(crm, "SELECT json_extract('{}', email) AS a FROM people"))
    assert "person" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("conn_type", "problem"),
    [
        ("http", "has the type 'http', which is no database"),
        ("oracle_2", "has the type .oracle_2., which no installed provider knows"),
    ],
)
def test_connections_that_are_no_database(conn_type: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": conn_type}))
    with pytest.raises(ValidationError, match=f"Connection 'other' {problem}"):
        list(sql_rows("other", "SELECT 1 AS a"))


def test_closed_early(crm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    from airflow.providers.sqlite.hooks.sqlite import SqliteHook

    get_conn: Callable[[Any], Any] = SqliteHook.get_conn

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            closed.append(True)
            super().close()

    def watched(self: Any) -> Any:
        name = get_conn(self).execute("PRAGMA database_list").fetchone()[2]
        return sqlite3.connect(name, factory=Watched)

    monkeypatch.setattr(SqliteHook, "get_conn", watched)
    rows = sql_rows(crm, "SELECT * FROM people", chunk=1)
    next(rows)
    assert closed == []
    rows.close()
    assert closed == [True]


@pytest.mark.slow
@pytest.mark.parametrize("factory", [None, "RealDictCursor", "DictCursor"])
def test_postgres_streams(factory: str | None, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg2.extras

    monkeypatch.setattr(PostgresHook, "factory", factory and getattr(psycopg2.extras, factory))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sql = "SELECT n, repeat('x', 500) || n AS padding FROM generate_series(1, 200000) AS n"
    last: dict[str, Any] = {}
    count = 0
    for row in sql_rows(postgres, sql):
        last, count = row, count + 1
    assert count == 200_000
    assert last == {"n": 200_000, "padding": "x" * 500 + "200000"}
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 40 * 1024 * 1024


@pytest.mark.parametrize(
    ("sql", "error", "problem"),
    [
        ("SELECT 1 + 1", ValidationError, "column 1 has no proper name"),
        ("SELECT 1 AS a; DELETE FROM pg_class", ValidationError, "sql holds 2 statements"),
        ("SELECT nope", ValidationError, "refused the query .UndefinedColumn, SQLSTATE 42703."),
        ("CREATE TEMP TABLE a (b INT)", ValidationError, "SQLSTATE 42601"),
        ("SELECT 'ada@example.com'::int AS a", AirflowException, "SQLSTATE 22P02.*may quote rows"),
        ("SELECT 1 / (n - 1500) AS a FROM generate_series(1, 3000) AS n", AirflowException, "SQLSTATE 22012"),
    ],
)
def test_postgres_refuses(sql: str, error: type[Exception], problem: str, postgres: str) -> None:
    with pytest.raises(error, match=problem) as caught:
        list(sql_rows(postgres, sql))
    assert "ada@" not in str(caught.value)
    assert type(caught.value) is error


def test_postgres_parameters_and_percent_signs(postgres: str) -> None:
    assert list(sql_rows(postgres, "SELECT '5%' AS a")) == [{"a": "5%"}]
    assert list(sql_rows(postgres, "SELECT %(a)s::text AS a", {"a": "5%"})) == [{"a": "5%"}]
    assert list(sql_rows(postgres, "SELECT 1 AS a WHERE false")) == []
