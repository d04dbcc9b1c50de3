# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a database to Flow Social. Vendor page "Batch operations"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flow_social.chunk import Row
from airflow_provider_mkt.operators.flow_social.posts import SPELLINGS, SchedulesPosts, row_of
from airflow_provider_mkt.transfers.sql import sql_rows
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.operators.flow_social.posts import BatchParameters


class SqlToFlowSocialPostsOperator(SchedulesPosts):
    """Schedules a post for every row of a query, 100 to a request, each once. It holds one chunk of rows at a time.

    A row belongs to its place in the result. So the query needs an ``ORDER BY`` over something unique that does not
    change, such as the primary key. It must not leave out rows because they are scheduled or because time has passed.
    New rows have to come last. A scheduled row that has changed, or another one in its place, fails the task before
    anything behind it is sent.

    Returns what :class:`FlowSocialSchedulePostsOperator` does. A row that cannot be a post is not sent, and reported
    with the ones that the vendor refused.

    :param sql: one statement that returns rows
    :param sql_conn_id: connection to the database, of any type with a database hook
    :param parameters: values for the statement's placeholders, in the driver's style
    :param columns: post field to column; by default a column with the name of a field, or of a parameter of
        :class:`FlowSocialSchedulePostOperator` such as ``channel_id``, is that field, and other columns are an error
    :param chunk_size: posts per request, at most 100; it must not change once posts were sent
    :param allow_failures: succeed although some rows were refused
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("sql", "sql_conn_id", "parameters", "columns", "flow_social_conn_id")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - Airflow's
    ui_color = flow_social.VENDOR.color

    def __init__(
        self,
        *,
        sql: str,
        sql_conn_id: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
        flow_social_conn_id: str = FlowSocialHook.default_conn_name,
        **kwargs: Unpack[BatchParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.columns = columns

    def source(self) -> Callable[[], Iterator[Row]]:
        """Return what runs the query; a try that finds records runs it twice, to compare all before it sends any."""
        fields = _fields(self.columns)

        def read() -> Iterator[Row]:
            found = sql_rows(self.sql_conn_id, self.sql, self.parameters, self.chunk_size)
            return (self._row(number, row, fields) for number, row in enumerate(found, start=1))

        return read

    def _row(self, number: int, row: Mapping[str, Any], fields: Mapping[str, str]) -> Row:
        place = f"row {number}"
        if fields:
            missing = sorted(set(fields.values()) - set(row))
            if missing:
                raise ValidationError(
                    f"columns: the query has no column {missing[0]!r}; it has {', '.join(row)}. Select it, or correct "
                    "columns."
                )
            row = {field: row[column] for field, column in fields.items()}
        else:
            _check_names(row)
        try:
            return row_of(place, {name: _value(name, value) for name, value in row.items()})
        except ValidationError as error:
            return Row(place, {}, str(error))


def _fields(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns by post field.

    :raises ValidationError: when a field is none of a post
    """
    if columns is not None and (
        not isinstance(columns, Mapping) or not all(isinstance(name, str) for pair in columns.items() for name in pair)
    ):
        raise ValidationError("columns must be an object of post fields and columns, such as {'content': 'body'}.")
    fields = {SPELLINGS.get(field, field): column for field, column in (columns or {}).items()}
    unknown = sorted(set(fields) - flow_social.POST_FIELDS)
    if unknown:
        raise ValidationError(
            f"columns names {unknown[0]!r}, which is no field of a post; known are "
            f"{', '.join(sorted(flow_social.POST_FIELDS))}. Write it as field: column."
        )
    return fields


def _check_names(row: Mapping[str, Any]) -> None:
    """Refuse a result with columns that mean nothing: the same in every row, so nothing has been sent yet."""
    unknown = sorted(name for name in row if SPELLINGS.get(name, name) not in flow_social.POST_FIELDS)
    if unknown:
        raise ValidationError(
            f"sql returns the columns {', '.join(unknown)}, which are no fields of a post; leave them out, rename them "
            f"with AS to one of {', '.join(sorted(flow_social.POST_FIELDS))}, or map them with columns."
        )


def _value(name: str, value: Any) -> Any:
    """Return a value as a post takes it: databases without lists hold media keys as text, separated by commas."""
    if SPELLINGS.get(name, name) == "mediaKeys" and isinstance(value, str):
        return [key.strip() for key in value.split(",") if key.strip()]
    if SPELLINGS.get(name, name) == "enableOptimization" and value in (0, 1):
        return bool(value)
    return value
