# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers from Flinque to object storage. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Priority
from airflow_provider_mkt.client.page_walk import Page, walk_pages
from airflow_provider_mkt.client.paging import MAX_PAGE, LargePages
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.files.atomic import AtomicFile, size_of
from airflow_provider_mkt.files.formats import EXTRA, Columns
from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flinque.hook import orders_call
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.tasks.state_store import keep
from airflow_provider_mkt.transfers.base import ToObjectStorageOperator
from airflow_provider_mkt.transfers.flinque.export_cursor import ExportCursorStore
from airflow_provider_mkt.transfers.flinque.order_walk import OrderWalk, to_remember
from airflow_provider_mkt.transfers.seen_rows import Mark, Seen
from airflow_provider_mkt.validation import positive
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from pydantic import JsonValue
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import OperatorParameters

COLUMNS = ("id", "campaign_id", "creator_id", "amount", "currency", "attributed_at")
"""Fields of an order (assumed). Amounts are decimal text."""
RECORD = "mkt.export"
"""What a task keeps its own file under, in the task state store."""
CURSOR = "mkt.flinque_orders"
"""What the cursor is kept under, in the asset state store."""


class FlinqueAttributionToObjectStorageOperator(ToObjectStorageOperator[FlinqueHook]):
    """Writes attributed orders to a file, each order once over all files.

    How far it has come is kept with its asset, the first one of ``outlets``. Each run writes one file of the orders
    that are in none of the earlier ones; without any there is no file. A cleared run that has its file keeps it.

    With ``start`` or ``end`` it writes the orders of that window instead, whatever was exported before, and leaves the
    cursor alone: for backfills.

    :param path: a file of its own for each run: ``.jsonl``, ``.jsonl.gz`` or ``.parquet``
    :param since: where to begin as long as nothing was exported, ISO 8601; by default with the first order
    :param overlap: how long before the newest exported order the next run begins: orders that Flinque credits later
        than that are missed
    :param start: export the orders from this moment on, ISO 8601
    :param end: export the orders before this moment, ISO 8601
    :param time_field: the field that says when an order was attributed (assumed)
    :param columns: fields with a column of their own in Parquet; all others are in ``extra_json``
    :param per_page: rows asked for per request (assumed); None leaves it to Flinque
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "since", "start", "end", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        since: str | datetime | None = None,
        overlap: timedelta | float = timedelta(days=1),
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        time_field: str = "attributed_at",
        columns: Sequence[str] = COLUMNS,
        per_page: int | None = MAX_PAGE,
        flinque_conn_id: str = FlinqueHook.default_conn_name,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(path=path, conn_id=flinque_conn_id, **kwargs)
        self.since = since
        self.overlap = timedelta(seconds=positive("overlap", overlap))
        self.start = start
        self.end = end
        self.time_field = time_field
        self.columns = columns
        self.per_page = per_page
        self._named = any(isinstance(outlet, Asset) for outlet in self.outlets)
        if not self._named:
            self.outlets = [*self.outlets, Asset(f"flinque_orders/{self.dag_id}/{self.task_id}")]

    @property
    def asset(self) -> Asset:
        """The asset that the cursor is kept with."""
        return next(outlet for outlet in self.outlets if isinstance(outlet, Asset))

    def execute(self, context: Context) -> dict[str, Any]:
        """Export, and return ``path``, ``rows``, ``bytes``, ``watermark``, ``start`` and ``end``."""
        window = _moment("start", self.start), _moment("end", self.end)
        self._check()
        with reschedule_when_rate_limited():
            result = self._export_new(context) if window == (None, None) else self._export_window(*window)
        return self.publish(context, f"flinque://{self.conn_id}/attribution/orders", result)

    def _check(self) -> None:
        validation.text("time_field", self.time_field)
        if EXTRA in validation.texts("columns", self.columns, most=1_000, least=0):
            raise ValidationError(f"columns names {EXTRA!r}, which holds all other fields; leave it out.")

    def _export_new(self, context: Context) -> dict[str, Any]:
        path = self.rows_destination()
        export = ExportCursorStore(self._store(context), f"{CURSOR}.{self.conn_id}")
        export.recover(_exists)
        record: Any = context["task_state_store"].get(RECORD)
        if record is not None and _exists(record["result"]["path"], record["result"]["bytes"]):
            self.log.info("This run has written its file already; it is kept, and nothing is exported again.")
            _remember(context, {**record, "done": True})
            result: dict[str, Any] = record["result"]
            return result
        if record is not None and record["done"]:
            return self._export_again(context, record)
        if size_of(path) is not None:
            raise ValidationError(
                f"path: {path} is there already, and this run has not written it. Its orders would be lost: give each "
                "run a file of its own, such as orders-{{ run_id }}.jsonl, or remove the file."
            )
        start = export.cursor.start(self.overlap, _moment("since", self.since))
        with closing(Seen(export.marks())) as seen, AtomicFile(path) as file:
            walk = OrderWalk(seen, self.time_field, start)
            rows = self.write_rows(file, walk.new_rows(self._pages(start, None)), Columns(self.columns))
            if not rows:
                return _result(None, 0, export.cursor.watermark, start, None)
            watermark = self._watermark(walk, export)
            result = _result(file, rows, watermark.isoformat(), start, None)
            record = {"result": result, "done": False, "latest": walk.latest and walk.latest.isoformat()}
            self._commit(context, file, export, record, to_remember(seen, start, watermark, self.overlap))
            return result

    def _commit(
        self,
        context: Context,
        file: AtomicFile,
        export: ExportCursorStore,
        record: dict[str, Any],
        remembered: tuple[datetime, list[Mark]],
    ) -> None:
        """Let the file appear, between the begin and the commit of its export."""
        (floor, marks), result = remembered, record["result"]
        _remember(context, record)
        export.begin(result["path"], result["bytes"], result["watermark"], floor.isoformat(), marks)
        file.commit()
        try:
            export.commit()
        except ApiError:
            # The other run has the same orders in a file of its own.
            file.path.unlink(missing_ok=True)
            raise
        _remember(context, {**record, "done": True})

    def _export_again(self, context: Context, record: dict[str, Any]) -> dict[str, Any]:
        """Write this run's file again: somebody has removed it. The cursor stays as it is."""
        self.log.warning(
            "The file of this run is gone: its window is exported again. Orders that earlier or later runs have "
            "exported from that window are in it as well; the watermark stays where it is."
        )
        result = record["result"]
        start = _moment("start", result["start"])
        latest = validation.parsed("latest", record["latest"] or result["watermark"])
        path, end = checked_path("path", result["path"]), latest + timedelta(seconds=1)
        result = {**self._whole_window(path, start, end), "watermark": result["watermark"]}
        _remember(context, {**record, "result": result})
        return result

    def _export_window(self, start: datetime | None, end: datetime | None) -> dict[str, Any]:
        if self.since:
            raise ValidationError("since is for exports that go on where the last one ended; leave it out, or start.")
        return self._whole_window(self.rows_destination(), start, end)

    def _whole_window(self, path: ObjectStoragePath, start: datetime | None, end: datetime | None) -> dict[str, Any]:
        with closing(Seen()) as seen, AtomicFile(path) as file:
            walk = OrderWalk(seen, self.time_field, start, end)
            rows = self.write_rows(file, walk.new_rows(self._pages(start, end)), Columns(self.columns))
            file.commit()
        return _result(file, rows, None, start, end)

    def _pages(self, start: datetime | None, end: datetime | None) -> Iterator[Page]:
        hook = self.hook
        call = replace(orders_call(start, end), priority=Priority.POLL)
        return walk_pages(hook.client, call, LargePages(self.per_page))

    def _store(self, context: Context) -> Any:
        if not self._named and context["ti"].map_index not in {None, -1}:
            raise ValidationError(
                "A mapped task needs an asset for its cursor: add outlets=[Asset('my_orders')] to partial()."
            )
        return context["asset_state_store"][self.asset]

    def _watermark(self, walk: OrderWalk, export: ExportCursorStore) -> datetime:
        before = _moment("watermark", export.cursor.watermark)
        found = [moment for moment in (before, walk.newest) if moment is not None]
        if not found:
            raise ValidationError(
                f"time_field: no order has a {self.time_field!r} that can be read as a time. Name the field that says "
                "when an order was attributed."
            )
        return max(found)


def _moment(field: str, value: Any) -> datetime | None:
    return None if value is None or value == "" else validation.parsed(field, value)


def _remember(context: Context, record: dict[str, JsonValue]) -> None:
    keep(context["task_state_store"], RECORD, record)


def _exists(path: str, size: int) -> bool:
    from airflow.sdk import ObjectStoragePath

    return size_of(ObjectStoragePath(path)) == size


def _result(
    file: AtomicFile | None, rows: int, watermark: str | None, start: datetime | None, end: datetime | None
) -> dict[str, Any]:
    return {
        "path": None if file is None else str(file.path),
        "rows": rows,
        "bytes": 0 if file is None else file.size,
        "watermark": watermark,
        "start": start and start.isoformat(),
        "end": end and end.isoformat(),
    }
