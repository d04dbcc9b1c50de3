# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Random briefs that the vendors take, each the same for the same number."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import yaml

LISTINGS = ("listing_1001", "listing_1002", "listing_1003", "listing_1004", "listing_1005")
ZONES = ("Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
WORDS = (
    "harbour",
    "Häuser",
    "住宅",
    "🏡",
    "{{ 7 * 7 }}",
    "{% if x %}",
    "it's",
    '"quoted"',
    "a\\b",
    "0x1F",
    "true",
    "1e3",
    "&amp;",
    "<b>",
    "two\nlines",
    "x" * 90,
)


def write(number: int, folder: Path) -> Path:
    """Write a brief, and its audience if it has one; return the brief."""
    chance = random.Random(number)
    steps = [step for step in ("sync", "audience", "campaign", "posts", "report") if chance.random() < 0.6] or ["posts"]
    brief: dict[str, Any] = {"campaign": f"Campaign {number}", "timezone": chance.choice(ZONES)}
    for step in steps:
        brief.update(_PARTS[step](chance, folder))
    path = folder / f"brief_{number}.yaml"
    path.write_text(yaml.safe_dump(brief, sort_keys=False, allow_unicode=bool(number % 2)), encoding="utf-8")
    return path


def _sync(_: random.Random, __: Path) -> dict[str, Any]:
    return {"sync": "int_adjust"}


def _audience(chance: random.Random, folder: Path) -> dict[str, Any]:
    name = f"people_{chance.randrange(10**9)}.csv"
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", "first_name", "last_name"])
        for index in range(chance.choice((1, 2, 49, 50, 51, 120))):
            # Some of them come twice, and are one person.
            rows.writerow([f"p{index % 97}@example.com", _line(chance)[:100], chance.choice(("", "O'Neil", "Ó"))])
    segments = chance.sample(("seg_buyers", "seg_vips", "seg_news"), chance.randint(1, 3))
    return {"audience": {"file": name, "segments": segments}}


def _campaign(chance: random.Random, _: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "listings": chance.sample(LISTINGS, chance.randint(1, len(LISTINGS))),
        "plan": chance.choice(("facebookv2", "instagramv1", "googlev1")),
        "branch": chance.choice(("branch_harbour", "branch_hill")),
        "starts": chance.choice(("+100d", "+100d 09:00", "2090-07-01 08:30")),
        "ends": chance.choice(("2090-08-01 18:00", "2091-01-02 03:04:05")),
    }
    if chance.random() < 0.5:
        found["agent"] = chance.choice(("agent_7", "agent_8"))
    if chance.random() < 0.7:
        found["budget"] = chance.choice((1, 0.1, 1450.5, 99.99, 9_999_999.99, 100))
    return found


def _posts(chance: random.Random, _: Path) -> dict[str, Any]:
    posts = [
        {
            "channel": chance.choice(("channel_1", "channel_2", "channel_3")),
            "at": f"+{chance.randint(100, 300)}d {chance.randint(0, 23):02}:{chance.randint(0, 59):02}",
            "text": f"{index} {_line(chance)}",
        }
        for index in range(chance.randint(1, 6))
    ]
    return {"posts": posts}


def _report(chance: random.Random, _: Path) -> dict[str, Any]:
    report = {"type": chance.choice(("campaign", "dashboard"))}
    if chance.random() < 0.5:
        report["name"] = f"Report {chance.randrange(10**6)}"
    if chance.random() < 0.5:
        report |= {"from": "2026-06-01", "to": "2026-06-30"}
    return {"report": report}


def _line(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(1, 3))).replace("\n", " ")


_PARTS = {"sync": _sync, "audience": _audience, "campaign": _campaign, "posts": _posts, "report": _report}
