# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One request of a signed-in person, and what a page answers it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from starlette.requests import Request

from airflow_provider_mkt.pages import PREFIX
from airflow_provider_mkt.pages.permissions import Permissions
from airflow_provider_mkt.submission.spending import day_zone

ZONE = "mkt_zone"
"""Cookie in which the browser tells its time zone."""
ACCOUNT = "account"
MAX_DIGITS = 18
SHOWN = 60
"""Characters of a parameter that an answer repeats."""


@dataclass(frozen=True)
class Visit:
    """A request.

    :param request: as it came
    :param may: what the person may do
    :param form: the fields of a form that was sent; none when a page was asked for
    """

    request: Request
    may: Permissions
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The path that the pages lie under."""
        return str(self.request.scope.get("root_path", ""))

    @property
    def airflow(self) -> str:
        """The path that Airflow's own pages lie under."""
        return self.root.removesuffix(PREFIX)

    def run_page(self, dag_id: str, run_id: str) -> str:
        """Return the address of a run's own page in Airflow."""
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"

    def task_page(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
        """Return the address of a task instance's own page in Airflow.

        :param map_index: of a mapped task, -1 for others
        """
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        return f"{self.run_page(dag_id, run_id)}/tasks/{quote(task_id, safe='')}{mapped}"

    def asked(self, name: str) -> str:
        """Return a parameter of the address; "" when it is not there."""
        return str(self.request.query_params.get(name, "")).strip()

    def number(self, name: str) -> int | None:
        """Return a parameter of the address that is a whole number; None when it is not there.

        :raises RefusedError: when it is something else, or longer than any number here
        """
        asked = self.asked(name)
        if not asked:
            return None
        if not (asked.isascii() and asked.isdecimal()) or len(asked) > MAX_DIGITS:
            raise RefusedError(400, f"{name!r} has to be a number, got {asked[:SHOWN]!r}.")
        return int(asked)

    @property
    def sure(self) -> bool:
        """Whether the person has read what will happen, and said yes."""
        return self.form.get("sure") == "yes"

    def ask(self, *, title: str, says: Sequence[str], button: str, back: str, **more: Any) -> Shown:
        """Return a page that says what will happen, and asks for a yes.

        :param title: the question
        :param says: what will happen
        :param button: how the yes is called
        :param back: the page to go back to
        :param more: ``form``: fields that are sent again; ``wanted``: name, label and length of a text that the person
            has to write; ``optional``: whether it may be left empty; ``danger``: whether it cannot be undone;
            ``launch``: what it is about; ``concerned``: launches; ``listed``: lines of a list
        """
        values: dict[str, Any] = {"form": {}, "wanted": None, "danger": False, "launch": None, "concerned": []}
        values |= {"optional": False, "listed": []}
        given = {"title": title, "says": says, "button": button, "back": back, "target": self.request.url.path}
        return Shown("confirm.html", {**values, **given, **more})

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone in which moments are shown: the reader's, or that of the accounts' days."""
        named = self.asked("zone") or unquote(self.request.cookies.get(ZONE, ""))
        if named in ("", ACCOUNT):
            return day_zone()
        try:
            return ZoneInfo(named)
        except (ValueError, OSError, KeyError):
            return day_zone()


@dataclass(frozen=True)
class Shown:
    """A page.

    :param template: name of the template
    :param values: what it shows
    :param status: of the answer
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class GoTo:
    """Another page, after something was done.

    :param path: below the pages' own
    """

    path: str


class RefusedError(Exception):
    """What cannot be shown or done.

    :param status: of the answer
    :param reason: for the person
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
