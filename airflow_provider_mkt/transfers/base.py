# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the transfers to object storage share: one file, whole or not at all, and what Airflow is told about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.files.formats import Columns, Row, checked_format, rows_to
from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.operators.base import Hook, MarketingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

SAY_EVERY_ROWS = 100_000
SAY_EVERY = 30.0
"""Seconds after which a long export says how far it is."""


class ToObjectStorageOperator(MarketingOperator[Hook]):
    """Writes one file to storage that Airflow's ``ObjectStoragePath`` can reach.

    :param path: where to, for example ``s3://my_conn@bucket/orders.jsonl.gz``, ``gs://…``, ``file:///…``
    :param multiple_outputs: give each field of the result an XCom of its own
    """

    def __init__(self, *, path: str | ObjectStoragePath, multiple_outputs: bool = True, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.path = path

    def destination(self) -> ObjectStoragePath:
        """Return the checked path.

        :raises ValidationError: naming the problem
        """
        return checked_path("path", self.path)

    def rows_destination(self) -> ObjectStoragePath:
        """Return the checked path of a file of rows.

        :raises ValidationError: also when its ending names no format, or the package for it is missing
        """
        path = self.destination()
        checked_format("path", path)
        return path

    def write_rows(self, file: AtomicFile, batches: Iterable[Sequence[Row]], columns: Columns) -> int:
        """Write rows, seal the file, and return how many rows there are. Nothing is visible yet."""
        rows = rows_to(file, columns)
        count, said_count, said = 0, 0, time.monotonic()
        for batch in batches:
            rows.add(batch)
            count += len(batch)
            if count - said_count >= SAY_EVERY_ROWS or time.monotonic() - said >= SAY_EVERY:
                self.log.info("%s rows so far, %s bytes", f"{count:,}", f"{file.size:,}")
                said_count, said = count, time.monotonic()
        rows.end()
        file.seal()
        return count

    def publish(self, context: Context, source: str, result: dict[str, Any]) -> dict[str, Any]:
        """Tell Airflow about the file: the log, the events of all outlet assets, the lineage. Return the result.

        :param source: what was read, as an address for the lineage
        :param result: ``path``, ``rows``, ``bytes`` and the like; no personal data
        """
        from airflow.sdk import ObjectStoragePath
        from airflow.sdk.lineage import get_hook_lineage_collector

        self.log.info("%s", ", ".join(f"{name}: {value}" for name, value in result.items()))
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = dict(result)
        lineage = get_hook_lineage_collector()
        lineage.add_input_asset(context=self.hook, uri=source)
        if result["path"] is not None:
            path = ObjectStoragePath(result["path"])
            # Lineage wants the place, not the connection that leads there.
            scheme = path.protocol or "file"
            lineage.add_output_asset(context=path, uri=f"{scheme}://{path.path}")
        return result
