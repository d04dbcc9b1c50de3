# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What was a row comes back as that row, from JSON lines and from Parquet, whatever a vendor sends."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files import formats
from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.files.formats import Columns, checked_format, rows_to

COLUMNS = Columns(("id", "amount"), ("segments",))
NAMES = st.sampled_from(["id", "amount", "segments", "extra_json", "new", "Neu ü"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters())
ROWS = st.lists(st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=2), max_size=5), max_size=8)


def write(path: Path, rows: list[dict[str, Any]], columns: Columns = COLUMNS) -> None:
    with AtomicFile(ObjectStoragePath(str(path))) as file:
        writer = rows_to(file, columns)
        for row in rows:
            writer.add([row])
        writer.end()
        file.seal()
        file.commit()


def restored(row: dict[str, Any]) -> dict[str, Any]:
    """Put a row of a Parquet file together again."""
    fields = {name: value for name, value in row.items() if value is not None}
    extra = json.loads(fields.pop("extra_json", "{}"))
    return {name: json.loads(value) if name == "segments" else value for name, value in fields.items()} | extra


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "jsonl.gz", "ndjson.gz"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_json_lines(ending: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    write(path, rows)
    data = gzip.decompress(path.read_bytes()) if ending.endswith("gz") else path.read_bytes()
    assert [json.loads(line) for line in data.decode("ascii").splitlines()] == rows


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_parquet_loses_nothing_but_the_difference_of_null_and_absent(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    write(path, rows)
    table = pq.read_table(path)
    assert table.schema.names == ["id", "amount", "segments", "extra_json"]
    known = {"id", "amount", "segments"}
    without_null = [
        {name: value for name, value in row.items() if name not in known or value is not None} for row in rows
    ]
    assert [restored(row) for row in table.to_pylist()] == without_null


def test_parquet_when_the_schema_drifts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, [{"id": "1", "amount": "9.50"}, {"id": 2, "amount": 9.5, "channel": {"name": "x"}}, {"id": "3"}])
    assert pq.read_table(path).to_pylist() == [
        {"id": "1", "amount": "9.50", "segments": None, "extra_json": None},
        {
            "id": None,
            "amount": None,
            "segments": None,
            "extra_json": '{"id": 2, "amount": 9.5, "channel": {"name": "x"}}',
        },
        {"id": "3", "amount": None, "segments": None, "extra_json": None},
    ]


def test_parquet_in_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "BATCH", 7)
    monkeypatch.setattr(formats, "ROW_GROUP", 50)
    path = tmp_path / "a.parquet"
    write(path, [{"id": str(number)} for number in range(333)])
    file = pq.ParquetFile(path)
    assert file.num_row_groups == 6
    assert file.read().column("id").to_pylist() == [str(number) for number in range(333)]


def test_empty_files_can_be_read(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.jsonl", "a.jsonl.gz"):
        write(tmp_path / name, [])
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0
    assert (tmp_path / "a.jsonl").read_bytes() == b""
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == b""


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write(tmp_path / name, [{"id": "1"}])
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_parquet_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name))
    with pytest.raises(ValidationError, match=r"pip install 'airflow-provider-mkt\[parquet\]'"):
        checked_format("path", ObjectStoragePath("/tmp/a.parquet"))
    checked_format("path", ObjectStoragePath("/tmp/a.jsonl"))
