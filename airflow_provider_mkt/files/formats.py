# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows as JSON lines, as they came, or as Parquet, as text columns. The ending of the file's name decides."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    import gzip
    from typing import IO

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_mkt.files.atomic import AtomicFile

JSON_LINES = (".jsonl", ".ndjson")
ENDINGS = (*JSON_LINES, *(f"{ending}.gz" for ending in JSON_LINES), ".parquet")
BATCH, ROW_GROUP = 1_000, 20_000
"""Rows of a Parquet file that are held in memory: as they came, and packed into columns."""
EXTRA = "extra_json"
"""Column for whatever has no column of its own, as one JSON object."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Columns of a Parquet file; all of them hold text.

    :param text: fields that are text at the vendor
    :param json: fields that are lists or objects there; their column holds JSON
    """

    text: Sequence[str]
    json: Sequence[str] = ()


class Rows(Protocol):
    """Writes rows to a file."""

    def add(self, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def end(self) -> None:
        """Write what is still held back. The file stays open."""


def checked_format(field: str, path: ObjectStoragePath) -> None:
    """Refuse a path whose ending names no format, and Parquet without the package for it.

    :raises ValidationError: naming ``field``
    """
    if not path.name.endswith(ENDINGS):
        raise ValidationError(f"{field} must end with one of {', '.join(ENDINGS)}, got {path.name}.")
    if path.name.endswith(".parquet") and importlib.util.find_spec("pyarrow") is None:
        raise ValidationError(
            f"{field} ends with .parquet, which needs pyarrow: pip install 'airflow-provider-mkt[parquet]'. "
            "JSON lines (.jsonl.gz) need nothing."
        )


def rows_to(file: AtomicFile, columns: Columns) -> Rows:
    """Return what writes rows to ``file``, in the format that its name ends with."""
    if file.path.name.endswith(".parquet"):
        return Parquet(file, columns)
    return JsonLines(file, zipped=file.path.name.endswith(".gz"))


class JsonLines:
    """One JSON object a line, every field as the vendor sent it. ASCII, so that any text survives.

    :param file: where to
    :param zipped: through gzip
    """

    def __init__(self, file: AtomicFile, *, zipped: bool) -> None:
        self._gzip: gzip.GzipFile | None = None
        self._to: Any = file
        if zipped:
            import gzip

            # Without a time in it, the same rows are the same bytes.
            self._to = self._gzip = gzip.GzipFile("", "wb", compresslevel=6, fileobj=cast("IO[bytes]", file), mtime=0)
        self._encode = json.JSONEncoder(separators=(",", ":")).encode

    def add(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        if rows:
            self._to.write("".join([self._encode(row) + "\n" for row in rows]).encode("ascii"))

    def end(self) -> None:
        """End the gzip stream."""
        if self._gzip is not None:
            self._gzip.close()


class Parquet:
    """Text columns of a fixed schema: what a vendor adds or changes later cannot break the file, and is not lost.

    A value that is not what its column holds, and a field without a column, go into ``extra_json``.

    :param file: where to
    :param columns: the fields with columns of their own
    """

    def __init__(self, file: AtomicFile, columns: Columns) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._columns = columns
        self._known = frozenset((*columns.text, *columns.json))
        self._schema = pa.schema([(name, pa.string()) for name in (*columns.text, *columns.json, EXTRA)])
        self._array, self._batch = pa.array, pa.record_batch
        # Beside the system's own allocator, the others keep what they once had.
        self._pool = pa.system_memory_pool()
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd", memory_pool=self._pool)
        self._table = pa.Table.from_batches
        self._held: list[Row] = []
        self._packed: list[Any] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._held += rows
        if len(self._held) >= BATCH:
            self._pack()
        if sum(map(len, self._packed)) >= ROW_GROUP:
            self._write()

    def end(self) -> None:
        """Write the last rows and the footer."""
        self._pack()
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._packed:
            self._writer.write_table(self._table(self._packed))
            self._packed = []

    def _pack(self) -> None:
        if not self._held:
            return
        values = [*(self._texts(name) for name in self._columns.text), *map(self._jsons, self._columns.json)]
        arrays = [
            self._array(column, self._schema.field(number).type, memory_pool=self._pool)
            for number, column in enumerate([*values, self._extras()])
        ]
        self._packed.append(self._batch(arrays, schema=self._schema))
        self._held = []

    def _texts(self, name: str) -> list[str | None]:
        return [value if _is_text(value := row.get(name)) else None for row in self._held]

    def _jsons(self, name: str) -> list[str | None]:
        return [json.dumps(row[name]) if row.get(name) is not None else None for row in self._held]

    def _extras(self) -> list[str | None]:
        return [json.dumps(extra) if (extra := self._extra(row)) else None for row in self._held]

    def _extra(self, row: Row) -> dict[str, Any]:
        unfit = {name: row[name] for name in self._columns.text if not _fits(row.get(name))}
        if len(row) <= len(self._known) and row.keys() <= self._known:
            return unfit
        return {**unfit, **{name: value for name, value in row.items() if name not in self._known}}


def _fits(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_text(value: Any) -> bool:
    """Say whether ``value`` is text that Parquet can hold: half a surrogate pair is not."""
    if not isinstance(value, str):
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False
