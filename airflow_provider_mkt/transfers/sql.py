# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows from any database that Airflow has a hook for, a chunk at a time. No row's value reaches a log or an error."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

CHUNK = 1_000
UNNAMED = "?column?"
"""What PostgreSQL calls an expression without a name."""
STATEMENT_AT_FAULT = "42"
"""Class of the SQLSTATEs that blame the statement: syntax, unknown names, rights. Their texts quote no rows."""
SQLITE_BLAMES = (
    "no such ",
    "near ",
    "ambiguous column name",
    "unrecognized token",
    "incomplete input",
    "Incorrect number of bindings",
    "You did not supply a value for binding",
)
"""How SQLite's texts of that kind begin. They quote the statement, never a row or a parameter."""
BLAMES_THE_CALLER = frozenset({"ProgrammingError", "NotSupportedError"})
"""Errors of Python's database API (PEP 249) that a repetition cannot cure."""


def sql_rows(
    conn_id: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None, chunk: int = CHUNK
) -> Generator[dict[str, Any], None, None]:
    """Yield the rows of a query by column name, holding no more than a chunk of them.

    PostgreSQL and MySQL stream the rows; other drivers do as they please, and most of them stream too. Nothing is
    committed. The query ends with the last row, or when the iterator is closed.

    :param conn_id: a connection of a type that has a database hook, such as ``postgres`` or ``sqlite``
    :param sql: one statement that returns rows
    :param parameters: values for its placeholders, in the driver's style; they are never shown
    :param chunk: rows to fetch at a time
    :raises ValidationError: when the connection is no database, or the statement is wrong, returns no columns or
        returns columns without a name of their own
    :raises AirflowException: when the database failed; a retry may help
    """
    if isinstance(parameters, (str, bytes)) or not isinstance(parameters, (Sequence, Mapping, type(None))):
        raise ValidationError(
            f"parameters must be a list, or an object by name, got {type(parameters).__name__}; write one value as "
            "[value]."
        )
    hook = database_hook(conn_id)
    sql = only_statement(sql)
    with closing(hook.get_conn()) as connection, closing(_cursor(connection)) as cursor:
        cursor.arraysize = chunk
        rows = _fetched(conn_id, cursor, chunk, statement=(sql, *([parameters] if parameters else [])))
        # A cursor on the server's side does not know its columns before the first rows have come.
        columns = _columns(cursor.description)
        while rows:
            for row in rows:
                # A connection may be set up to return rows that are dicts already.
                yield dict(zip(columns, row.values() if isinstance(row, Mapping) else row, strict=True))
            rows = _fetched(conn_id, cursor, chunk)


def only_statement(sql: Any) -> str:
    """Return the one statement that ``sql`` holds, without empty ones behind it.

    Some drivers run several and return the rows of one of them, others refuse them in words of their own.

    :raises ValidationError: when there is none, or more than one, or a list of them
    """
    if sql is not None and not isinstance(sql, str):
        raise ValidationError(f"sql must be text, got {type(sql).__name__}; write one statement that returns rows.")
    import sqlparse  # comes with the provider that database hooks need
    from sqlparse import tokens

    def says_something(statement: str) -> bool:
        pieces = sqlparse.lexer.tokenize(statement)  # type: ignore[no-untyped-call]
        return any(
            text != ";" and kind not in tokens.Whitespace and kind not in tokens.Comment for kind, text in pieces
        )

    statements = [each for each in sqlparse.split(sql or "") if says_something(each)]
    if not statements:
        raise ValidationError("sql is empty; write one statement that returns rows.")
    if len(statements) > 1:
        raise ValidationError(
            f"sql holds {len(statements)} statements; only one is run. Write one that returns the rows, with a view or "
            "WITH … AS in place of the others."
        )
    return statements[0]


def database_hook(conn_id: str) -> DbApiHook:
    """Return the hook of a database connection.

    :raises ValidationError: when the connection is of another kind, or its provider is not installed
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook  # imports pandas' and SQLAlchemy's parts

    connection = BaseHook.get_connection(conn_id)
    try:
        hook = connection.get_hook()
    except (AirflowException, ImportError):
        raise ValidationError(
            f"Connection {conn_id!r} has the type {connection.conn_type!r}, which no installed provider knows; install "
            "the provider of that database, or correct the type."
        ) from None
    if not isinstance(hook, DbApiHook):
        raise ValidationError(
            f"Connection {conn_id!r} has the type {connection.conn_type!r}, which is no database; name a connection to "
            "one, such as PostgreSQL."
        )
    return hook


def _cursor(connection: Any) -> Any:
    """Return a cursor that streams, for the drivers whose usual one fetches all rows at once."""
    driver = type(connection).__module__.partition(".")[0]
    # Airflow may wrap the connection of psycopg 3; what has named cursors takes a name.
    if driver in {"psycopg", "psycopg2"} and not connection.autocommit:
        return connection.cursor(name=f"mkt_{uuid.uuid4().hex}")
    if driver in {"MySQLdb", "pymysql"}:
        from importlib import import_module

        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()


def _fetched(conn_id: str, cursor: Any, chunk: int, statement: tuple[Any, ...] = ()) -> list[Any]:
    """Execute a statement, if one is given, and return the next rows; its errors lose what may quote a row."""
    try:
        if statement:
            cursor.execute(*statement)
            if not cursor.description and not getattr(cursor, "name", None):
                return []
        return list(cursor.fetchmany(chunk))
    except Exception as error:  # noqa: BLE001 - every driver has a family of its own
        failure = _failure(conn_id, error)
    # Not from within: Airflow prints the driver's error, too, if it is the context of this one.
    raise failure


def _failure(conn_id: str, error: Exception) -> Exception:
    state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
    name = type(error).__name__ + (f", SQLSTATE {state}" if state else "")
    sqlite = type(error).__module__ == "sqlite3" and str(error).startswith(SQLITE_BLAMES)
    if sqlite or state.startswith(STATEMENT_AT_FAULT):
        told = _first_line(error)
        return ValidationError(f"The database of connection {conn_id!r} refused the query ({name}): {told}")
    hidden = "Its message may quote rows, so it is not shown; run the query in a database client to see it."
    # Placeholders and parameters that do not fit are plain Python errors in some drivers.
    if isinstance(error, (TypeError, LookupError, ValueError)) or BLAMES_THE_CALLER & {
        each.__name__ for each in type(error).__mro__
    }:
        return ValidationError(
            f"The database of connection {conn_id!r} refused the query ({name}). Check sql and parameters. {hidden}"
        )
    return AirflowException(f"The database of connection {conn_id!r} failed on the query ({name}). {hidden}")


def _first_line(error: Exception) -> str:
    """Return the driver's first line, without the detail lines behind it."""
    from airflow_provider_mkt.client.redaction import Redactor

    return Redactor().text((str(error).strip().splitlines() or ["no reason given"])[0])


def _columns(description: Sequence[Sequence[Any]] | None) -> list[str]:
    if not description:
        raise ValidationError("sql returned no columns; write a statement that returns rows, such as SELECT.")
    names = [column[0] for column in description]
    for number, name in enumerate(names, start=1):
        if not isinstance(name, str) or not name.strip() or name == UNNAMED or name != name.strip():
            raise ValidationError(f"sql: column {number} has no proper name ({name!r}); give it one with AS.")
    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubled:
        raise ValidationError(f"sql returns {doubled[0]!r} twice; give each column a name of its own with AS.")
    return names
