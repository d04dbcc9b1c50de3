# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A marketer at a running Airflow: finds, approves, stops and settles real launches, in three clicks each.

Scheduler, DAG processor, triggerer and API server run as in the demo, with the demo's launch. What happened is read
from the simulated vendors' ledger.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.requests import Request

from airflow_provider_mkt.cli.airflow_api import AirflowApi
from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.pages.forms import COOKIE, token_for
from scripts.demo.desk import ABOVE, ASKING, executor_reports
from scripts.demo.http import call
from scripts.demo.layout import PROJECT
from scripts.demo.vendors import SIGN_IN
from tests.integration.airflow import PATIENCE, Airflow, Run, changed, running_airflow, until, without
from tests.ui.conftest import people
from tests.ui.people import Clicks, Visit, room, visits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LAUNCH, LIVE, LOST = "mkt_campaign_launch", "spring_live", "spring_lost"
PUBLISH = "POST /flow-living/campaigns/publish"
ANALYTICS = ("analytics_host", "analytics_user_id", "analytics_user_secret")
KEY = "a key of the tests"
SPEED = 120.0
LONG_AGO = 600.0
"""Seconds after which a vendor that shows nothing has had its time."""


class Started(NamedTuple):
    """An Airflow in which three launches are under way.

    :param airflow: it
    :param asking: the demo's launch, which will ask a person
    :param live: one that will be live
    :param lost: one whose answer will be lost
    """

    airflow: Airflow
    asking: Run
    live: Run
    lost: Run


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("dags")
    shutil.copytree(Path(__file__).parent / "dags", folder, dirs_exist_ok=True)
    shutil.copy(PROJECT / "dags" / f"{LAUNCH}.py", folder)
    extra = {**people(tmp_path_factory.mktemp("people")), "AIRFLOW__MKT__APPROVAL_ABOVE": f"{ABOVE} GBP"}
    extra["AIRFLOW__API__SECRET_KEY"] = KEY
    ada = {"username": "ada", "password": "ada"}
    pounds = {"flow_living_default": {"currency": "GBP"}}
    with running_airflow(folder, speed=SPEED, extra=extra, knowing=pounds, sign_in=ada) as airflow:
        blind = without(changed(airflow.sandbox.connections["flow_living_default"], currency="GBP"), ANALYTICS)
        airflow.api.add_connections({"flow_living_blind": blind})
        airflow.sandbox.fault(PUBLISH, "drop_after")
        lost = airflow.run(LOST, LOST)
        # The next request for this route is the one whose answer is lost: nobody else may send one before.
        until("the publishing", lambda: published(lost))
        yield Started(airflow, airflow.run(LAUNCH, "harbour", {"brief": "harbour.yaml"}), airflow.run(LIVE, LIVE), lost)


@pytest.fixture
def visit(started: Started, chromium: Any) -> Iterator[Visit]:
    with visits(started.airflow.addresses.airflow, chromium) as sign_in:
        yield sign_in


def published(run: Run) -> list[list[str]]:
    """Return the tracking ids of every time that a run's campaign was published."""
    ledger = run.airflow.sandbox.ledger("flow_living", "campaign.published")
    return [entry["ids"] for entry in ledger if run.run_id in str(entry["reference"])]


def paused(run: Run) -> list[str]:
    """Return which of a run's tracking ids were paused."""
    updates = run.airflow.sandbox.ledger("flow_living", "campaign.status_updated")
    ids = [entry["ids"][0] for entry in updates if entry["ids"][1] == "paused"]
    return [each for order in published(run) for each in order if each in ids]


def status(run: Run) -> list[str]:
    """Return how the vendor shows a run's campaigns."""
    connection = run.airflow.sandbox.connections["flow_living_default"]
    headers = SIGN_IN["flow_living"](connection)
    urls = [f"{connection['host']}/campaigns/status/{each}" for ids in published(run) for each in ids]
    return [call("GET", url, headers=headers, timeout=PATIENCE)["status"] for url in urls]


def api(started: Started) -> AirflowApi:
    """Return Airflow's API, as ``airflow mkt`` uses it."""
    base = started.airflow.addresses.airflow
    signed_in = call("POST", f"{base}/auth/token", body={"username": "ada", "password": "ada"}, timeout=PATIENCE)
    return AirflowApi(base, signed_in["access_token"])


def long_ago(started: Started) -> None:
    """Have the lost answer be lost ten minutes ago: nobody may settle it before the vendor has had its time."""
    instance, airflow = Instance(LOST, LOST, "publish", -1), api(started)
    [(key, record)] = airflow.state(instance).items()
    moments = {name: record[name] - LONG_AGO for name in ("intent_at", "sent_at", "doubt_at") if record[name]}
    assert moments["sent_at"] < time.time() - LONG_AGO / 2
    airflow.set_state(instance, key, {**record, **moments})


def reload_until(person: Clicks, what: Any) -> None:
    """Open the list of launches again and again until something is on it: that is no click, one may as well wait."""

    def there() -> bool:
        if what.count():
            return True
        person.page.goto("/plugin/marketing")
        person.room.get_by_role("heading", name="Launches").wait_for()
        return bool(what.count())

    until("the list of launches", there)


def own(started: Started) -> dict[str, str]:
    """Return the headers that a browser sends with a form of Airflow's own pages."""
    return {"Origin": started.airflow.addresses.airflow, "Sec-Fetch-Site": "same-origin"}


def token(page: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the token that forms would have for somebody whose pages have no form."""
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", KEY)
    [number] = [each["value"] for each in page.context.cookies() if each["name"] == COOKIE]
    cookie = f"{COOKIE}={number}".encode()
    return token_for(Request({"type": "http", "headers": [(b"cookie", cookie)]}), name)[0]


def test_a_lost_launch_is_settled_in_three_clicks(started: Started, visit: Visit) -> None:
    assert started.lost.finished(PATIENCE) == "failed"
    long_ago(started)
    [ids] = published(started.lost)
    person = room(visit, "uma")
    person.reads("Launches")
    person.on(person.room.get_by_role("row", name="Unknown").get_by_role("link").first)
    person.reads("campaign for 1 home")
    person.room.get_by_label("It happened").fill(" ".join(ids))
    person.on(person.room.get_by_role("button", name="Adopt"))
    person.reads("Adopt this launch?")
    person.on(person.room.get_by_role("button", name="Adopt"))
    person.room.get_by_text("it attaches to that").wait_for()
    assert person.count == 3
    started.airflow.api.clear(started.lost, "publish")
    started.lost.wait_for("publish", {"success"}, more_than=1)
    assert published(started.lost) == [ids]


def test_a_live_launch_is_stopped_in_three_clicks(started: Started, visit: Visit) -> None:
    assert started.live.finished(PATIENCE) == "success"
    until("the campaign to be live", lambda: set(status(started.live)) == {"published"})
    person = room(visit, "uma")
    row = person.room.get_by_role("row", name=LIVE).get_by_role("link")
    reload_until(person, row)
    person.on(row)
    person.reads("campaign for 1 home")
    person.on(person.room.get_by_role("button", name="Stop"))
    person.reads(f"Stop dag {LIVE}, run {LIVE}?")
    person.room.get_by_label("Why").fill("wrong price")
    assert paused(started.live) == []
    person.on(person.room.get_by_role("button", name="Stop"))
    person.reads(f"Stopped: dag {LIVE}, run {LIVE}")
    assert person.count == 3
    person.room.get_by_role("cell", name="Stopped", exact=True).wait_for()
    assert [paused(started.live)] == published(started.live)
    assert set(status(started.live)) == {"paused"}
    assert paused(started.lost) == []


def test_the_demos_launch_is_approved_in_three_clicks_and_goes_live(started: Started, visit: Visit) -> None:
    asking = started.asking
    asking.wait_for(ASKING, {"awaiting_input"})
    until("the executor's report", lambda: executor_reports(started.airflow.layout, asking.run_id, ASKING))
    person = room(visit, "uma")
    answer = person.room.get_by_role("link", name="Answer:")
    reload_until(person, answer)
    viewer = visit("vera")
    viewer.goto("/mkt-ui/launches")
    viewer.get_by_role("link", name="Look:").click()
    viewer.get_by_text("You may not answer").wait_for()
    assert viewer.locator("form").count() == 0
    person.on(answer)
    person.reads("campaign for 3 homes")
    person.room.get_by_text("harbour").first.wait_for()
    person.on(person.room.get_by_role("button", name="Approve"))
    person.reads("Approve this launch?")
    person.room.get_by_text("1,450.50 GBP").first.wait_for()
    assert published(asking) == []
    person.on(person.room.get_by_role("button", name="Approve"))
    person.room.get_by_text("uma has answered: Approve").or_(person.room.get_by_text("uma approved this")).wait_for()
    assert person.count == 3
    until("the campaign to be live", lambda: published(asking) and set(status(asking)) == {"published"})
    assert len(published(asking)) == 1


def test_who_may_only_see_finds_it_and_can_do_nothing(
    started: Started, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = room(visit, "vera")
    person.room.get_by_role("searchbox").fill(LOST)
    person.on(person.room.get_by_role("button", name="Filter"))
    person.room.get_by_text("Clear").wait_for()
    person.on(person.room.get_by_role("table").get_by_role("link"))
    person.reads("campaign for 1 home")
    assert person.count <= 3
    page, frame = person.page, person.page.frames[-1]
    assert frame.locator("form[method=post]").count() == 0
    path = frame.url.partition("/mkt-ui")[2]
    ways = [f"{path}/{way}" for way in ("adopt", "forget", "stop")] + ["/stop"]
    form = {"sure": "yes", "everything": "yes", "ids": "x", "reason": "x", "vendor": "", "conn_id": "", "dag_id": ""}
    form |= {"run_id": "", "token": token(page, "vera", monkeypatch)}
    for each in ways:
        answer = page.request.post(f"/mkt-ui{each}", form=form, headers=own(started))
        assert (answer.status, "You may not" in answer.text()) == (403, True), each
    assert visit("nobody").goto(f"/mkt-ui{path}").status == 403


FORGED: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example.net", "Sec-Fetch-Site": "cross-site"},
    "no origin": {"Origin": "null"},
    "no token": {},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_request_stops_nothing(how: str, started: Started, visit: Visit) -> None:
    page = visit("ada")
    page.goto("/mkt-ui/stop")
    token = page.locator("input[name=token]").first.get_attribute("value") if FORGED[how] else "forged"
    form = {"everything": "yes", "sure": "yes", "reason": "x", "vendor": "", "conn_id": "", "dag_id": "", "run_id": ""}
    headers = {**own(started), **FORGED[how]}
    answer = page.request.post("/mkt-ui/stop", form={**form, "token": token}, headers=headers)
    assert (answer.status, "The form was refused" in answer.text()) == (403, True)
    page.goto("/mkt-ui/stop")
    assert page.get_by_text("Stopped: everything").count() == 0
