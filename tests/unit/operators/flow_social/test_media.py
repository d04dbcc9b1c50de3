# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Uploading media: what is refused before anything is sent, and once however the first answer was lost."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import MalformedResponseError, OutcomeUnknownError, ValidationError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flow_social import FlowSocialUploadMediaOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, WorkerDiedError

ROUTE = "POST /flow-social/v1/media/upload"
CONTENT = bytes(range(256)) * 400
LIMIT = 10 * 1024**2


@pytest.fixture(params=["local", "Path", "url", "ObjectStoragePath"])
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A file as a DAG author may name it."""
    from airflow.sdk import ObjectStoragePath

    file = tmp_path / "summer sale.png"
    file.write_bytes(CONTENT)
    named = {
        "local": str(file),
        "Path": file,
        "url": f"file://{file}",
        "ObjectStoragePath": ObjectStoragePath(f"file://{file}"),
    }
    return named[request.param]


def uploading(path: Any, task: Task, **options: Any) -> Any:
    return FlowSocialUploadMediaOperator(task_id="upload", path=path, **options).execute(task.context)


def uploads(vendors: Sandbox) -> int:
    return len(vendors.ledger("flow_social", "media.uploaded"))


def test_uploaded_as_it_is(picture: Any, vendors: Sandbox, task: Task) -> None:
    result = uploading(picture, task)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert result == {
        "media_key": "media/1/file.png",
        "name": "summer sale.png",
        "size": len(CONTENT),
        "sha256": digest,
    }
    assert b"".join(FlowSocialHook().get_media(result["media_key"])) == CONTENT
    assert task.record["body"] == {"name": "summer sale.png", "size": len(CONTENT), "sha256": digest}


@pytest.mark.parametrize("step", ["after intent", "before submitted", "after submitted"])
def test_worker_dies_around_a_write(step: str, picture: Any, vendors: Sandbox, task: Task) -> None:
    def die(when: str, value: dict[str, Any]) -> None:
        if f"{when} {value['state']}" == step:
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        uploading(picture, task)
    task.store.interrupt = None
    task.retry()
    assert uploading(picture, task)["media_key"] == "media/1/file.png"
    assert uploads(vendors) == 1


@pytest.mark.parametrize("fault", ["drop_after", "drop_mid", "malformed", "drop_before"])
def test_lost_answers(fault: str, picture: Any, vendors: Sandbox, task: Task) -> None:
    vendors.fault(ROUTE, fault, count=5)
    with pytest.raises((OutcomeUnknownError, MalformedResponseError)) as caught:
        uploading(picture, task)
    assert caught.value.resolvable  # type: ignore[attr-defined]
    task.retry()
    assert uploading(picture, task)["media_key"] == "media/1/file.png"
    task.clear()
    assert uploading(picture, task)["media_key"] == "media/1/file.png"
    assert uploads(vendors) == 1


def test_another_file_is_no_second_upload(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"first")
    uploading(file, task)
    file.write_bytes(b"other")
    task.clear()
    with pytest.raises(ValidationError, match="these fields differ: sha256"):
        uploading(file, task)
    assert uploads(vendors) == 1
    assert uploading(file, task, resubmit=True)["media_key"] == "media/2/file.png"


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.bmp", b"a", "'a.bmp' does not end in one of .jpg"),
        ("noending", b"a", "'noending' does not end in one of"),
        ("empty.png", b"", "'empty.png' has 0 bytes; 1 byte to 10 MB are allowed"),
        ("large.mp4", b"x" * (LIMIT + 1), "'large.mp4' has 10,485,761 bytes"),
        ("gone.png", None, "gone.png"),
    ],
)
def test_refused_before_anything_is_sent(
    *, scheme: str, name: str, content: bytes | None, words: str, vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValidationError, match=r"^path: ") as caught:
        uploading(f"{scheme}{tmp_path / name}", task)
    assert words in str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("leads_to", ["../secret.txt", "/etc/passwd", "/dev/zero", "pipe.png", "folder.png"])
def test_only_regular_files_of_the_folder(
    leads_to: str, scheme: str, vendors: Sandbox, task: Task, tmp_path: Path
) -> None:
    """A calendar that names a picture must not be able to post another file of the worker."""
    folder = tmp_path / "media"
    (folder / "folder.png").mkdir(parents=True)
    os.mkfifo(folder / "pipe.png")
    (tmp_path / "secret.txt").write_bytes(CONTENT)
    (folder / "x.png").symlink_to(leads_to)
    with pytest.raises(ValidationError, match=r"path: .*(not a regular file|a link to a file outside)"):
        uploading(f"{scheme}{folder / 'x.png'}", task)
    assert vendors.requests() == []
    assert task.store.values == {}


def test_links_within_the_folder_and_to_it_are_followed(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a.png").write_bytes(CONTENT)
    (folder / "latest.png").symlink_to("a.png")
    (tmp_path / "mounted").symlink_to(folder)
    assert uploading(tmp_path / "mounted" / "latest.png", task)["name"] == "latest.png"


def test_the_home_directory_may_be_written_as_a_tilde(
    vendors: Sandbox, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").write_bytes(CONTENT)
    assert uploading("~/a.png", task)["name"] == "a.png"
    assert FlowSocialHook().upload_media("~/a.png")["key"]


@pytest.mark.parametrize("path", ["foo://bucket/a.png", "https://cdn.example.com/a.png"])
def test_storage_that_no_package_knows(path: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=r"^path: .*Install the Airflow provider of that storage"):
        uploading(path, task)
    assert vendors.requests() == []


def test_the_largest_file_goes_through(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    file = tmp_path / "large.mp4"
    file.write_bytes(b"x" * LIMIT)
    assert uploading(f"file://{file}", task)["size"] == LIMIT


def test_nothing_is_left_behind(vendors: Sandbox, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    (tmp_path / "a.png").write_bytes(CONTENT)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    uploading(f"file://{tmp_path / 'a.png'}", task)
    vendors.fault(ROUTE, "status", status=400)
    with pytest.raises(ValidationError):
        uploading(f"file://{tmp_path / 'a.png'}", Task(run_id="other"))
    assert list(scratch.iterdir()) == []


def test_a_file_that_changes_after_it_was_checked_is_not_sent(
    tmp_path: Path, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "house.png"
    file.write_bytes(CONTENT)
    operator = FlowSocialUploadMediaOperator(task_id="upload", path=str(file))
    described = operator.submission_request

    def then_changed(task_key: Any) -> Any:
        request = described(task_key)
        file.write_bytes(CONTENT[::-1])
        return request

    monkeypatch.setattr(operator, "submission_request", then_changed)
    with pytest.raises(ValidationError, match=r"house\.png.*has changed since it was checked; nothing was sent"):
        operator.execute(task.context)
    assert uploads(vendors) == 0
