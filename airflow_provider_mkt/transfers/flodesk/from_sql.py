# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers from and to Flodesk. Vendor document: Flodesk API reference and OpenAPI description, version 1.0.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk.upsert import Audience, SubscriberUpsert
from airflow_provider_mkt.planning.audience import queried_audience
from airflow_provider_mkt.transfers.flodesk.export import FlodeskSubscribersToObjectStorageOperator
from airflow_provider_mkt.transfers.sql import sql_rows

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.operators.flodesk.upsert import UpsertParameters

__all__ = ["FlodeskSubscribersToObjectStorageOperator", "SqlToFlodeskSubscribersOperator"]


class SqlToFlodeskSubscribersOperator(SubscriberUpsert):
    """Creates or updates subscribers from the rows of a query. Repeating it changes nothing.

    Columns are as in an audience file: ``email``, ``first_name``, ``last_name``, ``optin_ip``, ``optin_timestamp``;
    every other column is a custom field of that key. Without ``email``, ``id`` is Flodesk's id; beside it, ``id`` is
    the database's own, and is not sent. NULL leaves a field as it is. All rows are read and checked before the first is
    sent, so the database is not kept waiting for Flodesk's rate limit; people who come twice are merged.
    No rows are no error. Returns ``upserted``, ``failed`` and ``failed_by_code``.

    :param sql: one statement that returns rows, or a ``.sql`` file. It is stored and shown: no personal data in it
    :param sql_conn_id: connection to the database; its provider has to be installed
    :param parameters: values for the statement's placeholders, in the driver's style; rendered, but neither stored nor
        shown
    :param segment_ids: segments that all of them join
    :param allow_failures: succeed although some of them cannot be sent, or the vendor refused them
    :param failures_path: file for the refused; see :class:`SubscriberUpsert`
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("sql", "sql_conn_id", "segment_ids", "failures_path", "flodesk_conn_id")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}

    def __init__(
        self,
        *,
        sql: str,
        sql_conn_id: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        flodesk_conn_id: str = FlodeskHook.default_conn_name,
        **kwargs: Unpack[UpsertParameters],
    ) -> None:
        super().__init__(flodesk_conn_id=flodesk_conn_id, **kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.keep_private(parameters=parameters)

    def audience(self, context: Context) -> Audience:
        """Yield the people of the query."""
        with closing(sql_rows(self.sql_conn_id, self.sql, self.private("parameters", context))) as rows:
            yield from queried_audience(rows)
