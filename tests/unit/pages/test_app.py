# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Before every page: sign-in, permission, and headers that keep what is foreign out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.pages import PREFIX
from airflow_provider_mkt.pages.app import PAGES
from airflow_provider_mkt.pages.plugin import ControlRoomPlugin
from airflow_provider_mkt.pages.rendering import HERE
from airflow_provider_mkt.state.launches.stops import Stops
from tests.unit.pages.conftest import Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
READ = [path for method, path, _ in PAGES if method == "GET"]
SENT = [path for method, path, _ in PAGES if method == "POST"]


def test_the_plugin_is_installed(api_server: Any) -> None:
    from airflow.plugins_manager import get_plugin_info

    [found] = [each for each in get_plugin_info() if each["name"] == ControlRoomPlugin.name]
    assert [view["destination"] for view in found["external_views"]][:1] == ["nav"]


@pytest.mark.parametrize("path", READ)
def test_without_a_sign_in_airflows_own_follows(path: str, browser: Browsers) -> None:
    answer = browser("").get(path)
    assert answer.status_code == 303
    assert "/auth/login?next=%2Fmkt-ui" in answer.headers["location"]


@pytest.mark.parametrize("path", READ)
def test_who_may_see_no_runs_sees_nothing(path: str, browser: Browsers, store: Any) -> None:
    put(store, launch(what="a secret plan"))
    answer = browser("nobody").get(path)
    assert answer.status_code == 403
    assert "a secret plan" not in answer.text


def test_a_damaged_token_is_no_sign_in(browser: Browsers) -> None:
    visitor = browser("")
    visitor.client.cookies.set("_token", "eyJhbGciOiJub25lIn0.e30.")
    assert visitor.get("/launches").status_code in (303, 401, 403)


def test_pages_load_nothing_from_elsewhere(browser: Browsers) -> None:
    answer = browser("vera").get("/launches")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"
    for template in sorted((HERE / "templates").glob("*.html")):
        written = template.read_text(encoding="utf-8")
        assert "://" not in written, template.name
        assert "style=" not in written, template.name
        assert "<script>" not in written, template.name


@pytest.mark.parametrize("name", ["room.css", "room.js", "icon.svg", "icon-dark.svg"])
def test_assets_are_in_the_package(name: str, browser: Browsers) -> None:
    assert browser("").get(f"/static/{name}").status_code == 200


def test_a_stop_is_told_on_every_page(browser: Browsers, store: Any) -> None:
    Stops().add({}, "wrong prices", "ana")
    assert "Stopped: everything." in browser("vera").get("/launches").text


def test_a_stop_of_another_dag_is_not_told(browser: Browsers, store: Any) -> None:
    Stops().add({"dag_id": "autumn"}, "a secret reason", "ana")
    assert "a secret reason" in browser("uma").get("/launches").text
    assert "a secret reason" not in browser("sam").get("/launches").text


def test_what_was_written_elsewhere_is_shown_as_text(browser: Browsers, store: Any) -> None:
    put(store, launch(what="<script>alert(1)</script> for ana@example.com"))
    shown = browser("vera").get("/launches").text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown
    assert "ana@example.com" not in shown


def test_a_locked_database_is_told(browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    from airflow_provider_mkt.pages import launches

    def locked(_: Any) -> None:
        raise OperationalError("UPDATE task_instance", {}, Exception("database is locked"))

    monkeypatch.setattr(launches, "show_list", locked)
    answer = browser("vera").get("/launches")
    assert (answer.status_code, "look what was done" in answer.text) == (503, True)
    assert "UPDATE" not in answer.text


def test_the_home_page_is_the_list(browser: Browsers) -> None:
    answer = browser("vera").get("/")
    assert answer.headers["location"] == f"{PREFIX}/launches"
