# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The messages that the documentation quotes are the ones that users get."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.exceptions import ApiError, OutcomeUnknownError
from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook, publish_body
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.planning.calendar import read_calendar
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.errors import StoreFailure
from airflow_provider_mkt.vendors import VENDORS
from tests.docs.blocks import ROOT, blocks
from tests.docs.test_data import LAUNCH

BRIEF = ROOT / "dags" / "briefs" / "harbour_homes.yaml"
CAMPAIGN: dict[str, Any] = {
    "plan_ref": "facebookv2",
    "listing_external_ids": ["listing_1001"],
    "branch_id": "branch_harbour",
}


def quoted(page: str) -> str:
    """Return all output that a page shows, on one line."""
    return " ".join(" ".join(block.text.split()) for block in blocks("text") if block.page == page)


def check(conn_type: str, **fields: Any) -> None:
    vendor = next(vendor for vendor in VENDORS if vendor.conn_type == conn_type)
    fields = {"login": "id", "password": "secret", **fields}
    account_of(vendor, Connection(conn_id=f"{conn_type}_default", conn_type=conn_type, **fields))


def brief(folder: Path, old: str, new: str) -> None:
    """Read the example's brief with one change in it."""
    text = BRIEF.read_text(encoding="utf-8")
    assert old in text
    path = folder / "harbour_homes.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    (folder / "harbour_homes_audience.csv").write_text("email\n", encoding="utf-8")
    read_brief(path, LAUNCH)


def calendar(folder: Path, line: str) -> None:
    path = folder / "spring.csv"
    path.write_text(f"at,channel,text\n+1d 09:00,channel_1,Hello\n{line}\n", encoding="utf-8")
    read_calendar(path, LAUNCH)


def day(number: int) -> datetime:
    return datetime(2026, 6, number, 9, tzinfo=timezone.utc)


QUOTED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "unknown extra": ("docs/connections.md", lambda _: check("flinque", extra=json.dumps({"budget_shar": 0.5}))),
    "no login": ("docs/connections.md", lambda _: check("flow_living", login="")),
    "odd password": ("docs/connections.md", lambda _: check("flow_social", password="flow_sk_live_x ")),
    "odd host": ("docs/connections.md", lambda _: check("flodesk", host="https://api.flodesk.com/v1?x=1")),
    "another type": (
        "docs/connections.md",
        lambda _: account_of(
            next(vendor for vendor in VENDORS if vendor.conn_type == "flodesk"),
            Connection(conn_id="flodesk_default", conn_type="flow_social", password="secret"),
        ),
    ),
    "end before start": (
        "docs/errors-and-retries.md",
        lambda _: publish_body(**CAMPAIGN, start_date=day(3), end_date=day(1)),
    ),
    "no listings": ("docs/errors-and-retries.md", lambda _: publish_body(**{**CAMPAIGN, "listing_external_ids": []})),
    "odd time of a post": ("docs/errors-and-retries.md", lambda folder: brief(folder, "at: +12m", "at: soon")),
    "odd start": (
        "docs/briefs-and-calendars.md",
        lambda folder: brief(folder, "starts: +2d 09:00", "starts: next Monday"),
    ),
    "a listing twice": (
        "docs/briefs-and-calendars.md",
        lambda folder: brief(folder, "- listing_1003", "- listing_1001"),
    ),
    "an empty text": ("docs/briefs-and-calendars.md", lambda folder: calendar(folder, "+2d 09:00,channel_1, ")),
}


@pytest.mark.parametrize("case", QUOTED)
def test_quoted_message(case: str, tmp_path: Path) -> None:
    page, provoke = QUOTED[case]
    with pytest.raises(ApiError) as caught:
        provoke(tmp_path)
    assert str(caught.value) in quoted(page)


def test_refused_key(quick_vendors: Sandbox) -> None:
    fields = {
        **quick_vendors.connections["flow_living_default"],
        "password": "another",
        "extra": '{"request_type": "x"}',
    }
    works, message = FlowLivingHook("x", connection=Connection(conn_id="x", **fields)).test_connection()
    assert not works
    assert message in quoted("docs/connections.md")


def test_unknown_outcome(quick_vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person on call reads, with another DAG, time and reason put in."""
    kept: dict[str, Any] = {}
    store = SimpleNamespace(
        get=lambda key, default=None: kept.get(key, default),
        set=lambda key, value, *, retention: kept.update({key: value}),
    )
    names = {"dag_id": "open_house", "run_id": "manual__2026-06-01T09:00:00+00:00", "task_id": "publish"}
    ti = SimpleNamespace(**names, map_index=-1, max_tries=2, try_number=1)
    ti.get_task_states = lambda *_, **__: {names["run_id"]: {"publish": "running"}}
    monkeypatch.setenv("AIRFLOW__MKT__DEPLOYMENT", "production")
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(conf={}), "task_state_store": store}
    alone = {**quick_vendors.connections["flow_living_default"], "extra": {"request_type": "x"}}
    monkeypatch.setenv("AIRFLOW_CONN_LIVING_ALONE", json.dumps(alone))
    quick_vendors.fault("POST /flow-living/campaigns/publish", "drop_after")
    operator = FlowLivingPublishCampaignOperator(task_id="publish", flow_living_conn_id="living_alone", **CAMPAIGN)
    with pytest.raises(OutcomeUnknownError) as caught:
        operator.execute(context)
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    told = re.sub(moment, "2026-06-01 09:00:12 UTC", str(caught.value), count=1)
    told = re.sub(rf"from {moment} on", "from 2026-06-01 09:03:12 UTC on", told)
    told = re.sub(r"(POST /campaigns/publish)[^)]*\)", r"\1)", told)
    assert told in quoted("docs/launching-once.md")


ALARMS = (
    *(trouble.value for trouble in StoreFailure if trouble is not StoreFailure.FAILED),
    "this process was forked while a transaction was under way",
    "The answer to a token refresh was lost",
    "A new refresh token could not be stored and exists only in the memory",
    "This refresh token was given to another connection before",
    "Authorise the account again",
    "The account has not been authorised yet",
    "The record of the submission is",
    "Stopping it at the vendor was not finished after",
    "Could not stop it at the vendor; check there",
)


@pytest.mark.parametrize("message", ALARMS)
def test_whoever_is_on_call_finds_the_message(message: str) -> None:
    """As a heading. That headings are what the package says is checked with the links."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### \"(.+)\"$", page, re.MULTILINE)
    assert any(message.partition(";")[0] in heading for heading in headings)


def test_the_log_levels_name_every_error() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| ERROR |"))
    assert "cancelling" in row
    assert "refresh token" in row
