# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The file of a report: whole, of the right kind, or not there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, NotFoundError, ValidationError
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.transfers.flinque import FlinqueReportToObjectStorageOperator
from tests.unit.context import Task

REPORT = Asset("report")
EXPORT = "GET /flinque/v1/reports/re_1/export"


@pytest.fixture
def report(vendors: Sandbox) -> str:
    report_id: str = FlinqueHook().generate_report({"type": "campaign", "format": "csv"})["id"]
    vendors.advance(600)
    return report_id


def export(task: Task, path: Path, report_id: str = "re_1") -> tuple[dict[str, Any], dict[str, Any]]:
    """Export, and return the result and the event."""
    event = SimpleNamespace(extra={})
    operator = FlinqueReportToObjectStorageOperator(
        task_id="file_report", report_id=report_id, path=str(path), outlets=[REPORT]
    )
    return operator.execute({**task.context, "outlet_events": {REPORT: event}}), event.extra


def answered(vendors: Sandbox, body: Any) -> None:
    vendors.fault(EXPORT, "status", status=200, body=body, count=None)


def test_csv(report: str, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    result, event = export(task, path)
    assert result == event == {"report_id": "re_1", "path": str(path), "bytes": path.stat().st_size}
    assert path.read_bytes() == b"".join(FlinqueHook().export_report("re_1"))
    assert path.read_text().startswith("date,")


def test_compressed_on_the_way(report: str, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "report.csv.gz"
    result, _ = export(task, path)
    assert gzip.decompress(path.read_bytes()) == b"".join(FlinqueHook().export_report("re_1"))
    assert result["bytes"] == path.stat().st_size


def test_not_ready(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    FlinqueHook().generate_report({"type": "campaign"})
    for status in (409, 404, 202):
        vendors.switch({"flinque.export_not_ready_status": status})
        with pytest.raises(ApiError, match=r"re_1 is not ready \(p\w+\)\. Put a FlinqueReportReadySensor") as caught:
            export(task, tmp_path / "report.csv")
        assert not isinstance(caught.value, (NotFoundError, ValidationError)), "a retry may cure it"
        assert list(tmp_path.iterdir()) == []


def test_no_such_report(report: str, task: Task, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        export(task, tmp_path / "report.csv", "re_9")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["drop_mid", "empty", "html"])
def test_broken_off(fault: str, report: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"old")
    vendors.fault(EXPORT, fault, count=None)
    with pytest.raises(ApiError):
        export(task, path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("report.csv", b"old")]


@pytest.mark.parametrize(
    ("name", "body", "problem"),
    [
        ("report.csv", {"error": "try later"}, r"begins with '\{', as no \.csv file does"),
        ("report.csv.gz", {"error": "try later"}, r"begins with '\{'"),
        ("report.pdf", {"rows": [1]}, r"does not begin like a \.pdf file"),
        ("report.xlsx", {"rows": [1]}, r"does not begin like a \.xlsx file"),
    ],
)
def test_something_else(  # noqa: PLR0917 - what came, what is said, and fixtures
    name: str, body: Any, problem: str, report: str, vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    answered(vendors, body)
    with pytest.raises(MalformedResponseError, match=problem):
        export(task, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_json(report: str, vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    answered(vendors, {"rows": [{"id": 1}]})
    export(task, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == {"rows": [{"id": 1}]}


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ([b'{"rows": [', b"1, 2"], "cut short"),
        ([b"[1", b",", b"2}"], "cut short"),
        ([b"", b" "], "empty"),
        ([], "empty"),
    ],
)
def test_json_that_is_no_file(  # noqa: PLR0917 - what came, what is said, and fixtures
    chunks: list[bytes], problem: str, report: str, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlinqueHook, "export_report", lambda self, report_id: iter(chunks))
    with pytest.raises(MalformedResponseError, match=problem):
        export(task, tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("report.csv", [b"\xef\xbb\xbf", b"id,amount\n"]),
        ("report.json", [b"\n", b"[", b"1]"]),
        ("report.pdf", [b"%", b"", b"PDF-1.7"]),
        ("report.csv.gz", [gzip.compress(b"id\n")[:1], gzip.compress(b"id\n")[1:]]),
    ],
)
def test_pieces_of_any_size(  # noqa: PLR0917 - what came, and fixtures
    name: str, chunks: list[bytes], report: str, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlinqueHook, "export_report", lambda self, report_id: iter(chunks))
    export(task, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"".join(chunks)


def test_compressed_without_being_called_so(
    report: str, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlinqueHook, "export_report", lambda self, report_id: iter([gzip.compress(b"id\n")]))
    with pytest.raises(MalformedResponseError, match=r"compressed. Add \.gz to path"):
        export(task, tmp_path / "report.csv")


def test_bad_input(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="report_id must be non-empty text"):
        export(task, tmp_path / "a.csv", "")
