# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt plan``: what it says to people and to programs, and by which status it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store

DAGS = Path(__file__).parents[3] / "dags"
BRIEF = str(DAGS / "briefs" / "harbour_homes.yaml")
CALENDAR = str(DAGS / "calendars" / "spring.csv")
PEOPLE = str(DAGS / "briefs" / "harbour_homes_audience.csv")
WHEN = ("--launch", "2089-03-01T10:00")


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    monkeypatch.setenv("COLUMNS", "100")
    yield
    for each in made.values():
        each.close()


@pytest.fixture
def plan(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str]]:
    """Plan, and return the exit status with what was printed."""

    def plan(*words: str) -> tuple[Any, str]:
        try:
            return 0, run("plan", *WHEN, *words)
        except SystemExit as end:
            return end.code, capsys.readouterr().out

    return plan


@pytest.fixture
def planned(plan: Callable[..., tuple[Any, str]]) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Plan one file for a program."""

    def planned(*words: str) -> tuple[Any, dict[str, Any]]:
        status, out = plan(*words, "--output", "json")
        [found] = json.loads(out)
        return status, found

    return planned


def test_a_brief_for_people(plan: Callable[..., tuple[Any, str]], vendors: Sandbox) -> None:
    status, out = plan(BRIEF)
    told = " ".join(out.replace("|", " ").split())
    assert status == 0, out
    assert "8 requests, nothing was sent" in told
    assert "Thu 2089-03-03 09:00" in told
    assert "cost 1,450.50" in told
    assert "reaches 64 people, 3 posts" in told
    assert "2-3 as soon as it is sent 64 people into" in told
    assert "after generate_report: poll the report" in told
    assert vendors.requests() == []


def test_every_request_for_programs(planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox) -> None:
    status, found = planned(BRIEF, "--run-id", "manual__7", "--group-id", "launch")
    assert (status, found["ok"], found["problems"]) == (0, True, [])
    tasks = [(each["task_id"].removeprefix("launch."), each["map_index"]) for each in found["requests"]]
    assert tasks == [
        ("sync_attribution", -1),
        ("update_audience", -1),
        ("update_audience", -1),
        ("publish_campaign", -1),
        *(("schedule_posts", index) for index in range(3)),
        ("generate_report", -1),
    ]
    campaign = found["requests"][3]
    assert campaign["method"] == "POST"
    assert campaign["body"]["orderRef"].endswith("mkt_campaign_launch/manual__7/launch.publish_campaign")
    assert campaign["query"] == {"clientId": campaign["account"].rpartition("/")[2]}
    assert (found["costs"], found["people"], found["posts"]) == ({campaign["currency"]: "1,450.50"}, 64, 3)
    assert found["seconds"] >= 0
    assert "@" not in json.dumps(found), "no personal data"
    assert vendors.requests() == []


def test_a_calendar_in_its_own_time_zones(planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox) -> None:
    status, found = planned(CALENDAR)
    assert status == 0, found
    assert {each["task_id"] for each in found["requests"]} == {"schedule_post"}
    assert all(
        each["when"].split()[0] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun") for each in found["requests"]
    )


def test_an_audience_with_segments(planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox) -> None:
    status, found = planned(PEOPLE, "--conf", '{"segment_ids": ["seg_vips"]}')
    assert status == 0, found
    assert [(each["people"], each["what"], each["body"]) for each in found["requests"]] == [
        (50, "50 people into seg_vips", None),
        (14, "14 people into seg_vips", None),
    ]


def test_the_digest_is_of_the_requests(
    planned: Callable[..., tuple[Any, dict[str, Any]]], connect: Callable[..., str], tmp_path: Path
) -> None:
    def digest(*words: str) -> str:
        return str(planned(*words)[1]["digest"])

    first = digest(BRIEF, "--run-id", "one")
    assert digest(BRIEF, "--run-id", "one") == first
    assert digest(BRIEF, "--run-id", "two") != first
    connect("flow_social", "other_social", login="", password="flow_sk_test_other")
    assert digest(BRIEF, "--run-id", "one", "--conf", '{"flow_social_conn_id": "other_social"}') != first


def test_a_placeholder_is_said_to_be_one(planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox) -> None:
    assert any("--run-id" in note for note in planned(BRIEF)[1]["notes"])
    assert not any("--run-id" in note for note in planned(BRIEF, "--run-id", "one")[1]["notes"])
    assert planned(CALENDAR)[1]["notes"] == [], "a post does not hold the run's id"


def test_bad_files_and_connections(
    plan: Callable[..., tuple[Any, str]], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("campaign: x\nlistings: []\n")
    status, out = plan(str(bad))
    assert (status, "problem" in out, "no plan" in out) == (1, True, True)
    monkeypatch.delenv("AIRFLOW_CONN_FLOKIT_DEFAULT")
    status, out = plan(BRIEF)
    assert status == 1
    assert "flokit_default" in out
    assert "post to channel_1" in out, "the rest is told all the same"


@pytest.mark.parametrize(
    ("given", "told"),
    [("[1]", "not a JSON object"), ("{", "not a JSON object"), ('{"flow_social": "x"}', "--conf")],
)
def test_a_conf_that_is_none(given: str, told: str, plan: Callable[..., tuple[Any, str]]) -> None:
    status, _ = plan(BRIEF, "--conf", given)
    assert told in status


@pytest.mark.parametrize("output", ["plain", "yaml"])
def test_other_formats(output: str, plan: Callable[..., tuple[Any, str]], vendors: Sandbox) -> None:
    status, out = plan(BRIEF, CALENDAR, "--output", output)
    assert status == 0
    assert "publish" in out or "campaign for 3 homes" in out


def test_the_same_in_two_files(plan: Callable[..., tuple[Any, str]], vendors: Sandbox, tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("at,channel,text\n2089-06-01 09:00,channel_1,Hello\n")
    other.write_text("at,channel,text\n2089-06-02 09:00,channel_1,Hello\n2089-06-01 09:00,channel_1,Hello\n")
    status, out = plan(str(one), str(other))
    assert status == 3
    assert f"request 2, post to channel_1: Hello: the same is in {one}" in out.replace("\n", "")


def test_a_register_that_is_away_is_a_reason_to_look(
    planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "sqlite:////nowhere/at/all/shared.db")
    status, found = planned(CALENDAR)
    assert (status, found["ok"], found["problems"]) == (3, False, [])
    assert "the register of launches could not be asked" in found["doubts"][0]
    assert found["requests"]


def test_a_run_that_there_is_not(planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox) -> None:
    status, found = planned(CALENDAR, "--against", "manual__0")
    assert (status, found["last_run"]) == (0, None)
    assert any("'manual__0'" in note for note in found["notes"])


def test_the_vendors_are_asked_and_nothing_happens(
    planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox
) -> None:
    status, found = planned(BRIEF, "--online")
    assert (status, found["problems"], found["doubts"]) == (0, [], [])
    asked = {(each["method"], each["path"].rpartition("/")[2]) for each in vendors.requests()}
    assert ("POST", "preflight") in asked
    assert ("GET", "seg_buyers") in asked
    assert [each for each in vendors.requests() if (each["body"] or {}).get("dryRun")]
    assert {each["effect"] for each in vendors.ledger()} <= {"token.issued"}


def test_what_the_vendors_would_refuse(
    planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox, tmp_path: Path
) -> None:
    brief = tmp_path / "wrong.yaml"
    text = Path(BRIEF).read_text().replace("channel_2", "channel_9").replace("facebookv2", "facebook")
    brief.write_text(text.replace("seg_buyers", "seg_nobody"))
    (tmp_path / "harbour_homes_audience.csv").write_text(Path(PEOPLE).read_text())
    assert planned(str(brief))[0] == 0
    status, found = planned(str(brief), "--online")
    assert status == 1
    told = "\n".join(found["problems"])
    for wrong in ("channel_9", "campaign", "seg_nobody"):
        assert wrong in told
    assert {each["effect"] for each in vendors.ledger()} <= {"token.issued"}


def test_a_vendor_that_does_not_answer_is_a_reason_to_look(
    planned: Callable[..., tuple[Any, dict[str, Any]]], vendors: Sandbox
) -> None:
    vendors.fault("GET /flow-social/v1/channels", "status", status=500, count=100)
    status, found = planned(CALENDAR, "--online")
    assert (status, found["problems"]) == (3, [])
    assert "could not be asked" in found["doubts"][0]


@pytest.mark.parametrize("output", ["plain", "table"])
def test_a_text_of_a_file_moves_nothing_on_the_screen(
    output: str, plan: Callable[..., tuple[Any, str]], vendors: Sandbox, tmp_path: Path
) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("at,channel,text\n2089-04-01 09:00,channel_1,\u202e\x1b[31mlow prices\n")
    status, out = plan(str(tmp_path / "one.csv"), str(tmp_path / "two.csv"), "--output", output)
    assert (status, "the same is in" in out) == (3, True)
    assert not set(out) & {"\u202e", "\x1b"}


@pytest.mark.parametrize("output", ["json", "yaml", "table", "plain"])
def test_a_secret_in_a_text_is_hidden(
    output: str, plan: Callable[..., tuple[Any, str]], vendors: Sandbox, connect: Callable[..., str], tmp_path: Path
) -> None:
    secret = "correct horse/battery&staple"
    connect("flow_social", "flow_social_default", password=secret)
    calendar = tmp_path / "pasted.csv"
    text = f"{secret} " + "low prices " * 5 + f"https://example.com/?q={quote(secret, safe='')}"
    calendar.write_text(
        f"at,channel,text\n2089-04-01 09:00,channel_1,{text}\n2089-04-01 09:00,channel_1,{'x' * 40}{secret}\n"
    )
    status, out = plan(str(calendar), "--output", output)
    assert (status, "***" in out) == (0, True)
    shown = " ".join(out.replace("|", " ").split())
    assert not [each for each in ("correct", "battery", "staple") if each in shown]
