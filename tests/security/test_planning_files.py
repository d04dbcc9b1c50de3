# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files that are handed in to read what nobody meant to hand in, to hang a worker or to fill its memory."""

from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files import reading
from airflow_provider_mkt.planning import calendar, yaml_document, yaml_limits
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.planning.calendar import read_calendar
from airflow_provider_mkt.submission.record import Record

LAUNCH = datetime(2026, 3, 1, 10, tzinfo=timezone.utc)
BRIEF = (Path(__file__).parents[1] / "unit" / "planning" / "files" / "briefs" / "plain.yaml").read_text()
SECRET = "root:x:0:0:planted"

READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "calendar": ("spring.csv", lambda path: read_calendar(path, LAUNCH)),
    "brief": ("brief.yaml", lambda path: read_brief(path, LAUNCH)),
    "audience": ("people.csv", lambda path: list(read_audience(path))),
}
every_reader = pytest.mark.parametrize("reader", READERS)


def refusal(work: Callable[[], Any]) -> str:
    """Return why something is refused, within a time that a test can wait for."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - looked at below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it hangs"
    (error,) = raised
    assert isinstance(error, ValidationError), repr(error)
    return str(error)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "passwd"
    path.write_text(f"{SECRET}\n")
    return path


def brief_with(folder: Path, audience: str) -> Path:
    path = folder / "brief.yaml"
    path.write_text(BRIEF.replace("file: people.csv", f"file: {audience}"))
    return path


@every_reader
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("pipe", os.mkfifo),
        ("device", lambda path: path.symlink_to("/dev/zero")),
        ("folder", Path.mkdir),
    ],
)
def test_only_regular_files_are_opened(reader: str, kind: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    name, read = READERS[reader]
    make(tmp_path / name)
    assert f"is a {kind}, not a regular file" in refusal(lambda: read(tmp_path / name))


@every_reader
def test_links_out_of_the_folder_are_not_followed(reader: str, tmp_path: Path, outside: Path) -> None:
    name, read = READERS[reader]
    (tmp_path / name).symlink_to(outside)
    told = refusal(lambda: read(tmp_path / name))
    assert "is a link to a file outside of its folder" in told
    assert SECRET not in told


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    """So Kubernetes mounts what it keeps for a pod: name -> ..data/name, ..data -> ..2026_03_01."""
    (tmp_path / "..2026_03_01").mkdir()
    (tmp_path / "..2026_03_01" / "people.csv").write_text("email\nada@example.com\n")
    (tmp_path / "..data").symlink_to("..2026_03_01")
    (tmp_path / "people.csv").symlink_to("..data/people.csv")
    assert len(list(read_audience(tmp_path / "people.csv"))) == 1


@pytest.mark.parametrize(
    "named",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "~/people.csv",
        "~root/people.csv",
        "lists/../../people.csv",
        "lists\\..\\..\\people.csv",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "local:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "simplecache::file:///etc/passwd",
        "s3://key:planted@bucket/people.csv",
        "data:,email",
        "elsewhere/people.csv",
    ],
)
def test_the_audience_of_a_brief_is_beside_it_or_on_configured_storage(
    named: str, tmp_path: Path, outside: Path
) -> None:
    (outside.parent / "people.csv").write_text(f"email\n{SECRET}\n")
    (tmp_path / "elsewhere").symlink_to(outside.parent)
    told = refusal(lambda: read_brief(brief_with(tmp_path, named), LAUNCH))
    assert told.startswith("brief.yaml, line 17, column 9: audience.file: ")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path, outside: path.symlink_to(outside), "is a link to a file outside"),
        (lambda path, outside: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path, outside: os.mkfifo(path), "is a pipe"),
        (lambda path, outside: path.symlink_to(path), "is a link"),
    ],
)
def test_what_lies_beside_a_brief_is_looked_at_as_well(
    make: Callable[[Path, Path], None], problem: str, tmp_path: Path, outside: Path
) -> None:
    make(tmp_path / "people.csv", outside)
    told = refusal(lambda: read_brief(brief_with(tmp_path, "people.csv"), LAUNCH))
    assert problem in told
    assert SECRET not in told


@every_reader
@pytest.mark.parametrize("zipped", [False, True])
def test_sizes_are_bounded(reader: str, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what a small compressed file unpacks to. Real limits are too large for a quick test."""
    from airflow_provider_mkt.planning import audience

    for module in (calendar, yaml_document, audience):
        monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    name, read = READERS[reader]
    lines = b"email\n" + b"ada@example.com\n" * 20_000
    path = tmp_path / f"{name}{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(lines) if zipped else lines)
    assert path.stat().st_size < 100_000 or not zipped
    assert "the file is larger than 97 KiB; split it" in refusal(lambda: read(path))


@pytest.mark.parametrize("reader", ["calendar", "audience"])
@pytest.mark.parametrize(
    "header",
    ["email," + "a," * 400_000, ",".join(["email", *(f"c{number}" for number in range(100_000))])],
    ids=["alike", "different"],
)
def test_columns_are_bounded(reader: str, header: str, tmp_path: Path) -> None:
    """Each is compared with all others: 400,000 take an hour."""
    name, read = READERS[reader]
    path = tmp_path / name
    path.write_text(f"{header}\nx\n")
    message = refusal(lambda: read(path))
    assert "at most 1,000 are allowed" in message
    assert len(message) < 200


def test_ids_that_a_person_hands_over_are_compared_once() -> None:
    """A form takes 30,000 of them."""
    blank: dict[str, Any] = {"key": "k", "generation": 1, "state": "intent", "fingerprint": "", "body": {}}
    record = Record(**blank, reference="", id_field="post_ids", intent_at=0.0, clear_count=0)
    ids = [f"post_{number}" for number in range(100_000)]
    assert "post_7 more than once" in refusal(lambda: _as_validation(lambda: record.adopt([*ids, "post_7"])))


def _as_validation(work: Callable[[], Any]) -> None:
    try:
        work()
    except ValueError as error:
        raise ValidationError(str(error)) from None


@every_reader
def test_a_line_is_bounded(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 1_000)
    name, read = READERS[reader]
    (tmp_path / name).write_text("x" * 1_001)
    assert f"{name}, line 1: the line has more than 1,000 characters" in refusal(lambda: read(tmp_path / name))


def aliases(depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (aliases(10), "there are more than 10,000 values"),
        (aliases(40), "there are more than 10,000 values"),
        ("posts: &a [*a]", "the alias *a stands within what it names"),
        ("posts: &a {at: [*a]}", "the alias *a stands within what it names"),
        ("posts: *nobody", "found undefined alias"),
        ("posts: " + "[" * 3_000, "there are more than 12 lists within each other"),
        ("posts: " + "{a: " * 3_000, "there are more than 12 lists within each other"),
        ("- " * 3_000 + "x", "there are more than 12 lists within each other"),
        ("[" + "x, " * 20_000 + "x]", "there are more than 10,000 values"),
        ("campaign: !!python/object/apply:os.system [touch planted]", "the tag !!python/object/apply:os.system is"),
        ("campaign: !!python/name:os.system ''", "the tag !!python/name:os.system is not allowed"),
        ("campaign: !!binary aGVsbG8=", "the tag !!binary is not allowed"),
        ("campaign: !own x", "the tag !own is not allowed"),
        ("a: 1\n---\nb: 2\n", "but found another document"),
        ('campaign: "\\U99999999"', "it holds characters that YAML does not allow"),
        ('campaign: "\\U00110000"', "it holds characters that YAML does not allow"),
        ("budget: " + "9" * 5_000, "is not an amount"),
        ("budget: 0x" + "f" * 5_000, "is not an amount"),
        ("budget: 1e999999999", "is not an amount"),
        ("campaign: " + "x" * 300, "has 300 characters; at most 255 are allowed"),
    ],
)
def test_yaml_is_data_and_small(text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "brief.yaml"
    path.write_text(text)
    tracemalloc.start()
    try:
        told = refusal(lambda: read_brief(path, LAUNCH))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problem in told
    assert told.startswith("brief.yaml")
    assert peak < 30 * 1024**2
    assert not (tmp_path / "planted").exists()


def test_the_limits_leave_room_for_a_long_brief(tmp_path: Path) -> None:
    post = "  - channel: channel_{0}\n    at: +{0}h\n    text: {1}\n"
    posts = "".join(post.format(number, "x" * 2_000) for number in range(1, 400))
    text = BRIEF[: BRIEF.index("posts:\n")] + "posts:\n" + posts + BRIEF[BRIEF.index("\nreport:") :]
    (tmp_path / "people.csv").write_text("email\n")
    (tmp_path / "brief.yaml").write_text(text)
    assert len(read_brief(tmp_path / "brief.yaml", LAUNCH).posts) == 399
    assert yaml_limits.MAX_VALUES > 3_000


# Other storage than disks


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An object store, in memory."""
    import airflow.sdk.io.store as airflow_stores

    monkeypatch.setattr(airflow_stores, "_STORE_CACHE", {})
    attach("memory", fs=MemoryFileSystem())
    yield "memory://campaigns"
    MemoryFileSystem.store.clear()


def test_all_three_are_read_from_any_storage(bucket: str) -> None:
    for name, text in (
        ("spring.csv", "at,channel,text\n+1d 09:00,channel_1,Hello\n"),
        ("people.csv", "email\nada@example.com\n"),
        ("brief.yaml", BRIEF),
    ):
        ObjectStoragePath(f"{bucket}/{name}").write_text(text)
    assert len(read_calendar(f"{bucket}/spring.csv", LAUNCH)) == 1
    assert len(list(read_audience(f"{bucket}/people.csv"))) == 1
    brief = read_brief(ObjectStoragePath(f"{bucket}/brief.yaml"), LAUNCH)
    assert len(list(read_audience(brief.audience))) == 1


@every_reader
def test_nothing_there(reader: str, bucket: str) -> None:
    name, read = READERS[reader]
    assert "there is no such file" in refusal(lambda: read(f"{bucket}/{name}"))
