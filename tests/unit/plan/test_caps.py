# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A plan beside the caps on money: what the fence would refuse, the plan says.

| Cap | Plan | must say |
|---|---|---|
| none, or there is room | any | nothing |
| a launch, a run, a day | costs more than all of it | a problem |
| a day | costs more than is left | a doubt, with who used it and when it resets |
| any | cost or currency not known | a problem |
| that cannot be read | spends money | a problem |
| any | spends nothing | nothing |
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.plan.caps import cap_findings
from airflow_provider_mkt.plan.plan import Plan, brief_tasks, plan_of
from airflow_provider_mkt.plan.requests import Place
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.register import Register
from tests.unit.state.launches.test_register import launch

LAUNCH = datetime(2089, 3, 1, 10, tzinfo=timezone.utc)
BRIEF = """
campaign: Spring
listings: [listing_1001]
plan: facebookv2
branch: branch_harbour
starts: 2089-04-01 09:00
ends: 2089-05-01 09:00
budget: 100
"""


@pytest.fixture
def plan(tmp_path: Path, connect: Callable[..., str]) -> Callable[..., Plan]:
    """Plan a campaign through a connection with these extras."""

    def plan(brief: str = BRIEF, **extra: Any) -> Plan:
        connect("flow_living", "ours", extra={"currency": "GBP", **extra})
        file = tmp_path / "spring.yaml"
        file.write_text(brief)
        tasks = brief_tasks(str(file), LAUNCH, {"flow_living_conn_id": "ours"})
        found = plan_of(tasks, Place("spring", "r1", "tests"))
        assert found.problems == []
        return found

    return plan


@pytest.mark.parametrize(
    ("caps", "problems"),
    [
        ("", []),
        ("launch 100, run 100, day 100, month 100", []),
        ("launch 99.99", ["request 1 costs 100.00 GBP, and the cap is 99.99 GBP a launch for this account"]),
        ("run 50", ["the plan costs 100.00 GBP, and the cap is 50.00 GBP a run for this account"]),
        ("day 50", ["the plan costs 100.00 GBP, and the cap is 50.00 GBP a day for this account"]),
    ],
)
def test_what_is_too_much_at_any_time(caps: str, problems: list[str], plan: Callable[..., Plan]) -> None:
    assert cap_findings(plan(caps=caps)) == (problems, [])


def test_what_is_too_much_today(plan: Callable[..., Plan]) -> None:
    planned = plan(caps="day 120")
    account = account_name(FlowLivingHook("ours").account)
    admit(launch(1, amount=30_000, currency="GBP", conn_id="ours", account=account, dag_id="summer"))
    problems, [doubt] = cap_findings(planned)
    assert problems == []
    assert "of the cap of 120.00 GBP a day for this account 90.00 is left; it resets at" in doubt
    assert "used by summer 30.00" in doubt
    assert len(Register().find()) == 1, "nothing is reserved"


def test_a_cap_for_all_accounts(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: run 10; EUR: run 1")
    [problem], _ = cap_findings(plan())
    assert problem.endswith("10.00 GBP a run for all accounts together")


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"caps": "day 500", "plan_amounts": "other 5"}, "what it costs is not known here"),
        ({"caps": "week 500"}, "'week' is no cap"),
    ],
)
def test_what_cannot_be_judged(extra: dict[str, str], told: str, plan: Callable[..., Plan]) -> None:
    problems, _ = cap_findings(plan(BRIEF.replace("budget: 100\n", ""), **extra))
    assert [told in each for each in problems] == [True]


def test_a_currency_that_nobody_names(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: run 10000")
    problems, _ = cap_findings(plan(currency=""))
    assert [each.partition(";")[2].strip() for each in problems] == ["enter it into the extra 'currency'"]


def test_what_spends_nothing(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "unreadable")
    posts = "campaign: x\nposts:\n  - {channel: channel_1, at: +1d 09:00, text: Hello}\n"
    assert cap_findings(plan(posts)) == ([], [])


def test_a_store_that_is_away(plan: Callable[..., Plan], tmp_path: Path) -> None:
    away = Store(f"sqlite:///{tmp_path / 'nowhere' / 'shared.db'}")
    problems, [doubt] = cap_findings(plan(caps="day 500"), lambda: away)
    assert problems == []
    assert doubt.startswith("how far the caps on money are used is not known")
