# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.redaction import personal_values
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.flodesk import FlodeskHook, subscriber_body
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context

SHOWN_FAILURES = 20


class FlodeskUpsertSubscribersOperator(MarketingOperator):
    """Creates or updates subscribers, 50 to a request. Repeating it changes nothing, so every failure may be retried.

    People are personal data: they are read from a file or handed in as they are, never rendered, logged or put into an
    XCom. Returns ``upserted`` and ``failed`` (numbers).

    :param subscribers: the subscribers, see :meth:`FlodeskHook.upsert_subscriber`; or use ``path``
    :param path: a CSV or JSON-lines file (local, or anything ``ObjectStoragePath`` opens): columns ``email``,
        ``first_name``, ``last_name``, ``optin_ip``, ``optin_timestamp``; every other column is a custom field
    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although the vendor refused some of them
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "segment_ids", "conn_id")
    ui_color = "#fff3c9"
    hook_class = FlodeskHook

    def __init__(
        self,
        *,
        subscribers: Sequence[Mapping[str, Any]] | None = None,
        path: str | None = None,
        segment_ids: Sequence[str] | None = None,
        allow_failures: bool = False,
        flodesk_conn_id: str = FlodeskHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        if (subscribers is None) == (path is None):
            raise ValueError("give either subscribers or path")
        self.subscribers = subscribers
        self.path = path
        self.segment_ids = segment_ids
        self.allow_failures = allow_failures

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Upsert all of them, in batches."""
        people = merged(self._checked())
        if not people:
            raise ValidationError("There are no subscribers to upsert; check the audience file.")
        hook: FlodeskHook = self.hook  # type: ignore[assignment]
        upserted, failures = 0, []
        for batch in batches(people, flodesk.MOST_IN_BATCH):
            answer = hook.upsert_subscribers(batch)
            upserted += len(answer["successes"])
            redactor = hook.redactor.also(personal_values(batch))
            failures += [redactor.text(_reason(failure)) for failure in answer["failures"]]
            self.log.info("Flodesk: %d of %d subscribers done, %d refused.", upserted, len(people), len(failures))
        if failures and not self.allow_failures:
            shown = "; ".join(sorted(set(failures))[:SHOWN_FAILURES])
            raise ApiError(
                f"Flodesk refused {len(failures)} of {len(people)} subscribers: {shown}", vendor=flodesk.VENDOR.name
            )
        return {"upserted": upserted, "failed": len(failures)}

    def _checked(self) -> Iterator[dict[str, Any]]:
        segments = checks.texts("segment_ids", self.segment_ids or [], most=flodesk.MOST_SEGMENTS, least=0)
        source = read_audience(self.path) if self.path is not None else enumerated(self.subscribers or [])
        for place, person in source:
            body = subscriber_body(person, place)
            joined = list(dict.fromkeys([*body.get("segment_ids", []), *segments]))
            checks.texts(f"{place}: segment_ids", joined, most=flodesk.MOST_SEGMENTS, least=0)
            yield {**body, "segment_ids": joined} if joined else body


def enumerated(subscribers: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each subscriber with its place in the list, for messages."""
    for index, person in enumerate(subscribers):
        yield f"subscribers[{index}]", person


def merged(people: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry for each person, by address without regard to case, or by id; later values win."""
    found: dict[str, dict[str, Any]] = {}
    for person in people:
        key = str(person.get("email") or person["id"]).strip().lower()
        known = found.get(key, {})
        custom = {**known.get("custom_fields", {}), **person.get("custom_fields", {})}
        segments = list(dict.fromkeys([*known.get("segment_ids", []), *person.get("segment_ids", [])]))
        extra = {**({"custom_fields": custom} if custom else {}), **({"segment_ids": segments} if segments else {})}
        found[key] = {**known, **person, **extra}
    return list(found.values())


def batches(people: Sequence[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield ``people`` in lists of ``size``."""
    rest = iter(people)
    while batch := list(islice(rest, size)):
        yield batch


def _reason(failure: Any) -> str:
    if not isinstance(failure, dict):
        return "unreadable reason"
    return f"{failure.get('code') or 'refused'}: {failure.get('message') or 'no reason given'}"
