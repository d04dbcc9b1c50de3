# Licensed under the Apache License, Version 2.0; see LICENSE.
"""People in a browser: signed in, with their clicks counted, and what a screen reader would stumble over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from airflow_provider_mkt.pages.visit import ZONE

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Visit = Callable[..., Any]


class Clicks:
    """A person's clicks, counted.

    :param page: where they click; a frame in it shows the control room
    """

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0
        self.room = page.frame_locator("iframe")

    def on(self, what: Any) -> None:
        """Click."""
        what.click()
        self.count += 1

    def reads(self, heading: str) -> None:
        """Wait for a page of the control room, and find no violation of WCAG on it, in light and in dark."""
        self.room.get_by_role("heading", name=heading, level=1).wait_for()
        frame = self.page.locator("iframe").element_handle().content_frame()
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            assert violations(frame) == {}, f"{heading}, {scheme}"


def violations(page: Any) -> dict[str, list[str]]:
    """Return the rules of WCAG 2.2 AA that a page breaks, with where.

    :param page: a page, or a frame
    """
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": STANDARDS}}).response["violations"]
    return {each["id"]: [node["html"] for node in each["nodes"]] for each in found}


def room(visit: Visit, name: str) -> Clicks:
    """Return a person at Airflow's start page who opens the control room: that is not counted as a click."""
    page = visit(name)
    page.goto("/")
    page.get_by_role("link", name="Marketing").click()
    clicks = Clicks(page)
    clicks.room.get_by_role("heading", name="Launches").wait_for()
    return clicks


@contextmanager
def visits(address: str, chromium: Any) -> Iterator[Visit]:
    """Yield a function that signs somebody in, and returns the page of a new browser.

    :param address: of an Airflow with the simple auth manager, in which everybody's password is their name
    """
    import requests

    opened = []

    def sign_in(name: str, scheme: str = "light", **options: Any) -> Any:
        answer = requests.post(f"{address}/auth/token", json={"username": name, "password": name}, timeout=60)
        options = {"viewport": {"width": 1280, "height": 800}, "timezone_id": "Europe/London", **options}
        context = chromium.new_context(base_url=address, color_scheme=scheme, **options)
        # The zone: they have been here before. At the first visit the control room loads its page twice.
        cookies = {"_token": answer.json()["access_token"], ZONE: quote(options["timezone_id"], safe="")}
        context.add_cookies([{"name": each, "value": value, "url": address} for each, value in cookies.items()])
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        return page

    try:
        yield sign_in
    finally:
        for context in opened:
            context.close()
