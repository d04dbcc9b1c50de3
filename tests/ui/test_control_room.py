# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people do in the control room, in Airflow's own UI: three clicks find, stop or settle a launch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_mkt.state.launches.approvals import WAITING as WAITS
from airflow_provider_mkt.state.launches.approvals import Approvals
from airflow_provider_mkt.state.launches.launch import ACCEPTED
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from tests.ui.people import Visit, room, violations
from tests.ui.seed import WAITING, launches
from tests.unit.pages.conftest import chosen

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MAX_IMAGE = 150_000
LOST = launches()[0]
PAGES = {
    "launches": "/launches",
    "launch": f"/launches/{LOST.launch}",
    "calendar": "/calendar",
    "week": "/calendar?view=week",
    "day": "/calendar?view=day",
    "budgets": "/budgets",
    "deliveries": "/deliveries",
    "stop": "/stop",
}
SHOWN = ("launches", "approval", "launch", "week", "budgets")
"""Pages that the documentation shows: they are taken before anybody does anything."""


def paths() -> dict[str, str]:
    """Return where each page is."""
    [asked] = Approvals().find([WAITS])
    return {**PAGES, "approval": f"/approvals/{asked.ask}"}


@pytest.mark.parametrize("name", SHOWN)
def test_pictures_for_the_documentation(name: str, visit: Visit, tmp_path: Path) -> None:
    """``MKT_PICTURES=1`` puts them into the documentation: they show the days on which they are taken."""
    page = visit("ada", viewport={"width": 1200, "height": 660})
    page.goto(f"/mkt-ui{paths()[name]}")
    page.wait_for_load_state("networkidle")
    path = (IMAGES if os.environ.get("MKT_PICTURES") else tmp_path) / f"control-room-{name}.png"
    page.screenshot(path=path)
    assert path.stat().st_size < MAX_IMAGE


def test_a_launch_is_found_and_settled(visit: Visit) -> None:
    person = room(visit, "uma")
    person.on(person.room.get_by_role("link", name=LOST.what))
    person.room.get_by_role("heading", name="Ways on").wait_for()
    assert person.count <= 3
    person.room.get_by_label("It happened").fill("post_8f2c")
    person.on(person.room.get_by_role("button", name="Adopt"))
    person.room.get_by_role("heading", name="Adopt this launch?").wait_for()
    person.on(person.room.get_by_role("button", name="Adopt"))
    person.room.get_by_text("it attaches to that").wait_for()
    assert person.count <= 3
    [found] = [each for each in Register().find() if each.launch == LOST.launch]
    assert (found.state, "post_8f2c" in found.vendor_ids) == (ACCEPTED, True)


def test_a_launch_is_approved(visit: Visit) -> None:
    person = room(visit, "uma")
    person.on(person.room.get_by_role("link", name=f"Answer: {WAITING.what}"))
    person.on(person.room.get_by_role("button", name="Approve"))
    person.room.get_by_text("The digest is 5f5f5f5f5f5f").wait_for()
    person.room.get_by_text("the amount is 250.00 GBP, it was 200.00 GBP").wait_for()
    assert chosen() == []
    person.on(person.room.get_by_role("button", name="Approve"))
    person.room.get_by_text("uma has answered: Approve 5f5f5f5f5f5f").wait_for()
    assert person.count <= 3
    assert chosen() == ["Approve 5f5f5f5f5f5f"]


def test_a_launch_is_stopped_and_resumed(visit: Visit) -> None:
    person = room(visit, "ada")
    person.on(person.room.get_by_role("link", name="Open day on Saturday, doors at ten"))
    person.on(person.room.get_by_role("button", name="Stop"))
    person.room.get_by_label("Why").fill("wrong prices")
    assert Stops().in_force() == []
    person.on(person.room.get_by_role("button", name="Stop"))
    person.room.get_by_text("Nothing begins any more").wait_for()
    assert person.count <= 3
    [stop] = Stops().in_force()
    assert (stop.reason, stop.stopped_by, stop.run_id) == ("wrong prices", "ada", launches()[3].run_id)
    person.room.get_by_role("link", name="Stop", exact=True).click()
    person.room.get_by_role("button", name="Resume").click()
    person.room.get_by_label("Why it may go on").fill("prices are right")
    person.room.get_by_role("button", name="Resume").click()
    person.room.get_by_text("prices are right").wait_for()
    assert Stops().in_force() == []


def test_links_lead_out_of_the_frame_to_the_task(visit: Visit) -> None:
    person = room(visit, "vera")
    person.on(person.room.get_by_role("link", name="412 subscribers"))
    person.room.get_by_role("heading", name="Facts").wait_for()
    page = person.page
    page.goto(f"/plugin/marketing/mkt-ui/launches/{LOST.launch}")
    page.frame_locator("iframe").get_by_role("link", name="Task and log").click()
    page.wait_for_url("**/dags/mkt_social_calendar/runs/manual__spring_0/tasks/schedule_posts/mapped/0")


def test_a_task_has_its_launch_in_a_tab(visit: Visit) -> None:
    page = visit("vera")
    page.goto("/dags/mkt_social_calendar/runs/manual__spring_0/tasks/schedule_posts/mapped/0")
    page.get_by_role("link", name="Launch", exact=True).click()
    page.frame_locator("iframe").get_by_role("heading", name=LOST.what).wait_for()


def test_without_permission_one_sees_and_does_nothing(visit: Visit, airflow: str) -> None:
    page = visit("nobody")
    for path in paths().values():
        answer = page.goto(f"/mkt-ui{path}")
        assert answer.status == 403
        assert LOST.what not in page.content()
        assert page.locator("form").count() == 0
    for path in ("/stop", f"/launches/{LOST.launch}/forget"):
        answer = page.request.post(f"/mkt-ui{path}", form={"sure": "yes", "everything": "yes", "reason": "x"})
        assert answer.status == 403
    assert Stops().in_force() == []


def test_a_form_on_another_site_does_nothing(visit: Visit, airflow: str) -> None:
    """The person is signed in, and the browser sends the form from a page of another origin."""
    page = visit("ada")
    page.goto("/mkt-ui/stop")
    evil = airflow.replace("127.0.0.1", "localhost")
    fields = "".join(f"<input name={name} value=yes>" for name in ("everything", "sure", "reason"))
    form = f'<form method=post action="{airflow}/mkt-ui/stop">{fields}<button>Win</button></form>'
    page.route(f"{evil}/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(f"{evil}/prize")
    with page.expect_response("**/mkt-ui/stop") as answered:
        page.get_by_role("button", name="Win").click()
    assert answered.value.status in (303, 401, 403)
    assert Stops().in_force() == []


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit("vera")
    page.goto("/mkt-ui/launches")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("post:"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Facts").wait_for()


def test_without_scripts(visit: Visit) -> None:
    page = visit("vera", java_script_enabled=False)
    page.goto("/mkt-ui/launches")
    page.get_by_role("searchbox").fill("garden flats")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="garden flats").click()
    page.get_by_role("heading", name="Facts").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(scheme: str, visit: Visit) -> None:
    """No page breaks a rule of WCAG 2.2 AA that axe knows, and none loads anything from elsewhere."""
    page = visit("ada", scheme)
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if "127.0.0.1" not in request.url else None)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    broken = {}
    for name, path in paths().items():
        page.goto(f"/mkt-ui{path}")
        page.wait_for_load_state("networkidle")
        broken.update({f"{name} {rule}": where for rule, where in violations(page).items()})
    assert broken == {}
    assert (elsewhere, errors) == ([], [])
