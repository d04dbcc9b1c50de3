# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What was looked at after a lost answer, in words: a person who has to decide need not look there first."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mkt.client.answer import UnreadableError, rows_of
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.submission.request import Finding


@dataclass
class Look:
    """One route that was asked.

    :param pages: how many answers there were
    :param rows: how many rows they held; None for what is no list
    :param error: why the last request failed
    """

    pages: int = 0
    rows: int | None = None
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return self.error
        return "answered" if self.rows is None else f"{self.rows} rows in {self.pages} pages"


@dataclass
class Observer:
    """Watches a conversation with a vendor and remembers what was asked."""

    looks: dict[str, Look] = field(default_factory=dict)

    def watch(self, conversation: Generator[Call, Any, Any]) -> Generator[Call, Any, Finding]:
        """Hold the conversation, and return what was found."""
        try:
            call = next(conversation)
            while True:
                look = self.looks.setdefault(f"{call.endpoint.method} {call.endpoint.path}", Look())
                try:
                    answer = yield call
                except ApiError as error:
                    look.error = type(error).__name__
                    call = conversation.throw(error)
                else:
                    _count(look, call, answer)
                    call = conversation.send(answer)
        except StopIteration as end:
            return Finding.of(end.value)

    def told(self, finding: Finding) -> str:
        """Return what was looked at, and what it showed."""
        asked = ", ".join(f"{route} ({look})" for route, look in self.looks.items())
        showed = finding.showed or ("not there" if finding.absent else "nothing that settles it")
        return f"{asked}: {showed}" if asked else showed


def _count(look: Look, call: Call, answer: Any) -> None:
    look.pages, look.error = look.pages + 1, ""
    if call.endpoint.rows is not None:
        try:
            look.rows = (look.rows or 0) + len(rows_of(call.endpoint, answer))
        except UnreadableError:
            look.rows = look.rows or 0
