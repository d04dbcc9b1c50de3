# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfer from Flodesk to object storage. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.answer import Rows
from airflow_provider_mkt.client.endpoint import Priority
from airflow_provider_mkt.client.page_walk import Totals, walk_pages
from airflow_provider_mkt.client.paging import MAX_PAGE
from airflow_provider_mkt.exceptions import MalformedResponseError
from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.files.formats import Columns
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flodesk.audience import pages
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.transfers.base import ToObjectStorageOperator
from airflow_provider_mkt.transfers.seen_rows import Mark, Novelty, Seen, digest_of
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import OperatorParameters

TEXTS = ("id", "status", "email", "source", "first_name", "last_name", "optin_ip", "optin_timestamp", "created_at")
JSONS = ("segments", "custom_fields")


class FlodeskSubscribersToObjectStorageOperator(ToObjectStorageOperator[FlodeskHook]):
    """Writes all subscribers, or those of a status or segment, to a file. An older file at ``path`` is replaced.

    The file holds personal data. On a local disk only its owner can read it; nothing of it is in logs, XComs or events.

    :param path: ``.jsonl``, ``.jsonl.gz`` or ``.parquet``
    :param status: only ``active``, ``unsubscribed``, ``unconfirmed``, ``bounced``, ``complained`` or ``cleaned``
    :param segment_id: only those in this segment
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "status", "segment_id", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        status: str | None = None,
        segment_id: str | None = None,
        flodesk_conn_id: str = FlodeskHook.default_conn_name,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(path=path, conn_id=flodesk_conn_id, **kwargs)
        self.status = status
        self.segment_id = segment_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Export, and return ``path``, ``rows``, ``bytes``, ``status`` and ``segment_id``."""
        query: dict[str, str | None] = {"status": None, "segment_id": None}
        if self.status is not None:
            query["status"] = validation.choice("status", self.status, flodesk.SUBSCRIBER_STATUSES)
        if self.segment_id is not None:
            query["segment_id"] = validation.text("segment_id", self.segment_id)
        path = self.rows_destination()
        with reschedule_when_rate_limited(), closing(Seen()) as seen, AtomicFile(path) as file:
            rows = self.write_rows(file, self._subscribers(query, seen), Columns(TEXTS, JSONS))
            file.commit()
        result = {"path": str(path), "rows": rows, "bytes": file.size, **query}
        return self.publish(context, f"flodesk://{self.conn_id}/subscribers", result)

    def _subscribers(self, query: dict[str, str | None], seen: Seen) -> Iterator[Rows]:
        """Yield each subscriber once: while people join, the pages shift, and show some of them again.

        :raises MalformedResponseError: when fewer come than Flodesk counts
        """
        client = self.hook.client
        call = flodesk.LIST_SUBSCRIBERS(query=query, priority=Priority.POLL)
        totals, met = Totals(), 0
        for page in walk_pages(client, call, pages(MAX_PAGE)):
            totals.add(page)
            rows = [row for row in page.rows if seen.add(Mark(digest_of(row), 0)) is Novelty.NEW]
            met += len(rows)
            yield rows
        if met < totals.least:
            raise MalformedResponseError(
                f"Flodesk counts {totals.least:,} subscribers; its list ended after {met:,}. Nothing was written.",
                vendor=flodesk.VENDOR.name,
                method=call.endpoint.method,
                path=call.endpoint.path,
            )
