# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Small files as people really hand them in, each with what is read from it, or what is said about it.

``files/expected.json`` has the outcome by file: of a calendar the posts, of an audience the lines, of a brief its
values; or, as text, the message. ``python -m tests.unit.planning.test_files`` writes it anew; read the difference.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flodesk.audience import subscriber_body
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.planning.calendar import read_calendar

FILES = Path(__file__).parent / "files"
LAUNCH = datetime(2026, 3, 1, 10, tzinfo=timezone.utc)
EXPECTED: dict[str, Any] = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))
NAMES = sorted(
    str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file() and path.name != "expected.json"
)


def outcome(name: str) -> Any:
    """Return what is read from a file, or the message."""
    path = FILES / name
    try:
        if name.startswith("calendars/"):
            return [
                [post["scheduled_for"], post["channel_id"], post["content"]] for post in read_calendar(path, LAUNCH)
            ]
        if name.startswith("briefs/") and path.suffix == ".yaml":
            brief = asdict(read_brief(path, LAUNCH))
            return {**brief, "audience": Path(brief["audience"]).name, "posts": len(brief["posts"])}
        return [_person(place, person) for place, person in read_audience(path)]
    except ValidationError as error:
        return str(error).replace(str(FILES), "FILES").splitlines()


def _person(place: str, person: Any) -> Any:
    if isinstance(person, ValidationError):
        return str(person)
    try:
        return [place, subscriber_body(person, place)]
    except ValidationError as error:
        return str(error)


@pytest.mark.parametrize("name", NAMES)
def test_file(name: str) -> None:
    assert outcome(name) == EXPECTED[name]


def test_no_outcome_without_a_file() -> None:
    assert sorted(EXPECTED) == NAMES
    assert len(NAMES) >= 60


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("audiences/")])
def test_no_message_quotes_a_person(name: str) -> None:
    told = [each for each in outcome(name) if isinstance(each, str)]
    assert not any("@" in each or "Keeper" in each for each in told)


def _written(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in value) + "\n ]"


if __name__ == "__main__":
    outcomes = ",\n".join(f" {json.dumps(name)}: {_written(outcome(name))}" for name in NAMES)
    (FILES / "expected.json").write_text(f"{{\n{outcomes}\n}}\n", encoding="utf-8")
