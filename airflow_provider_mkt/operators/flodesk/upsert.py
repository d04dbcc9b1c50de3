# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Upserting an audience to Flodesk. Vendor document: Flodesk OpenAPI description, version 1.0.0."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.redaction import Redactor, personal_values
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flodesk.audience import subscriber_body
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.flodesk.refusals import OTHER, Refusal, Refusals
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.planning.people import People, Person, identity
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context

WORDS = re.compile(r"[A-Za-z0-9]+")
UNACCOUNTED = "unaccounted"
"""Our code for people whom the vendor's answer does not mention."""
Audience = Generator[tuple[str, Mapping[str, Any]], None, None]


class SubscriberUpsert(MarketingOperator):
    """Upserts an audience, 50 people to a request; a subclass says where it comes from.

    All people are read and checked before the first is sent. Memory does not grow with their number.

    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although the vendor refused some of them
    :param failures_path: file for the refused, as JSON lines with ``place``, ``code``, ``message``, and ``email`` or
        ``id``; it holds personal data. Local (for its owner only), or anything that ``ObjectStoragePath`` opens
    :param flodesk_conn_id: connection
    """

    ui_color = "#fff3c9"
    hook_class = FlodeskHook
    nobody: str | None = None
    """What to say when there is nobody to upsert; None: that is no error."""

    def __init__(
        self,
        *,
        segment_ids: Sequence[str] | None = None,
        allow_failures: bool = False,
        failures_path: str | None = None,
        flodesk_conn_id: str = FlodeskHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.segment_ids = segment_ids
        self.allow_failures = allow_failures
        self.failures_path = failures_path

    def audience(self, context: Context) -> Audience:
        """Yield the people, each with its place for messages."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Upsert all of them, in batches."""
        with People() as people, Refusals(self.failures_path) as refusals:
            with closing(self.audience(context)) as audience:
                for place, body in self._checked(audience):
                    whole = people.add(place, body)
                    segments = whole.get("segment_ids", [])
                    validation.texts(f"{place}: segment_ids", segments, most=flodesk.MAX_SEGMENTS, least=0)
            total = len(people)
            if not total and self.nobody:
                raise ValidationError(self.nobody)
            done = 0
            for batch in people.batches(flodesk.MAX_IN_BATCH):
                for refusal in self._upsert(batch, first=not done):
                    refusals.add(refusal)
                done += len(batch)
                self.log.info("Flodesk: %d of %d subscribers sent, %d of them refused.", done, total, len(refusals))
            refusals.publish()
            if refusals.codes and not self.allow_failures:
                # Not the vendor's words: they may quote people.
                shown = ", ".join(f"{code} ({number})" for code, number in sorted(refusals.codes.items()))
                where = "See failures_path" if self.failures_path else "Give failures_path a file"
                raise ApiError(
                    f"Flodesk refused {len(refusals)} of {total} subscribers: {shown}. {where} for who and why.",
                    vendor=flodesk.VENDOR.name,
                )
            failed = len(refusals)
            return {"upserted": total - failed, "failed": failed, "failed_by_code": dict(refusals.codes)}

    def _checked(self, audience: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
        segments = validation.texts("segment_ids", self.segment_ids or [], most=flodesk.MAX_SEGMENTS, least=0)
        for place, person in audience:
            body = subscriber_body(person, place)
            joined = list(dict.fromkeys([*body.get("segment_ids", []), *segments]))
            yield place, {**body, "segment_ids": joined} if joined else body

    def _upsert(self, batch: list[Person], *, first: bool) -> list[Refusal]:
        hook: FlodeskHook = self.hook  # type: ignore[assignment]
        bodies = [person.body for person in batch]
        # Coming back starts over. Later on it costs a try, or a quota below the audience's size had it go on for ever.
        with reschedule_when_rate_limited() if first else nullcontext():
            answer = hook.upsert_subscribers(bodies)
        found = refused(bodies, answer)
        if not found:
            return []
        quoted = set(_quoted(bodies, found))
        redactor = hook.redactor.with_values(quoted)
        return [_refusal(batch, index, failure, redactor, quoted) for index, failure in found]


class FlodeskUpsertSubscribersOperator(SubscriberUpsert):
    """Creates or updates subscribers, 50 to a request. Repeating it changes nothing, so every failure may be retried.

    People are personal data: they are read from a file or handed in as they are, never rendered, logged or put into an
    XCom. Returns ``upserted`` and ``failed`` (numbers) and ``failed_by_code`` (the number for each of the vendor's
    codes).

    :param subscribers: the subscribers, see :meth:`FlodeskHook.upsert_subscriber`; or use ``path``
    :param path: a CSV or JSON-lines file (local, or anything ``ObjectStoragePath`` opens): columns ``email``,
        ``first_name``, ``last_name``, ``optin_ip``, ``optin_timestamp``; every other column is a custom field
    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although the vendor refused some of them
    :param failures_path: file for the refused; see :class:`SubscriberUpsert`
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "segment_ids", "failures_path", "conn_id")
    nobody = "There are no subscribers to upsert; check the audience file."

    def __init__(
        self,
        *,
        subscribers: Sequence[Mapping[str, Any]] | None = None,
        path: str | None = None,
        flodesk_conn_id: str = FlodeskHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(flodesk_conn_id=flodesk_conn_id, **kwargs)
        if (subscribers is None) == (path is None):
            raise ValueError("give either subscribers or path")
        self.subscribers = subscribers
        self.path = path

    def audience(self, context: Context) -> Audience:  # noqa: ARG002 - the queried audience needs it
        """Yield the people of the file or the list."""
        if self.path is not None:
            yield from read_audience(self.path)
        listed = [] if self.subscribers is None else self.subscribers
        if isinstance(listed, (str, bytes)) or not isinstance(listed, Sequence):
            raise ValidationError(
                f"subscribers must be a list of objects, got {type(listed).__name__}. It is not rendered, and takes no "
                "XCom: let the task before write a file, and name it in path."
            )
        for index, person in enumerate(listed):
            yield f"subscribers[{index}]", person


def refused(batch: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> list[tuple[int | None, Any]]:
    """Return who of a batch was not stored: their index (None when the vendor does not say whose it is) and its reason.

    Whom the answer does not mention at all was not stored either, unless it mentions as many others: then the vendor
    spells their addresses in another way.
    """
    names = [_names(person) for person in batch]
    found: dict[int, Any] = {}
    nobodys: list[Any] = []
    for failure in answer["failures"]:
        index = _index(failure, names)
        if index is None or index in found:
            nobodys.append(failure)
        else:
            found[index] = failure
    stored = [_names(success) for success in answer["successes"]]
    known = set().union(*stored)
    silent = [index for index, own in enumerate(names) if index not in found and not own & known]
    strangers = sum(1 for success in stored if success and not any(success & own for own in names))
    for index in silent if len(silent) > strangers else []:
        found[index] = (
            nobodys.pop(0) if nobodys else {"code": UNACCOUNTED, "message": "the answer does not mention them"}
        )
    # One who contradicts himself may name more failures than there are people.
    return [*sorted(found.items()), *((None, failure) for failure in nobodys)][: len(batch)]


def _quoted(bodies: list[dict[str, Any]], found: list[tuple[int | None, Any]]) -> Iterator[str]:
    """Yield the personal data that reasons may quote, however spelled: letters and digits always stand for themselves.

    A pattern for each value of each batch would cost more time than the requests do.
    """
    told = str([failure for _, failure in found]).casefold()
    return (value for value in personal_values(bodies) if all(word.casefold() in told for word in WORDS.findall(value)))


def _names(person: Any) -> set[str]:
    """Return what somebody is recognised by: each alone is enough."""
    own = person if isinstance(person, Mapping) else {}
    return {identity({name: own[name]}) for name in ("email", "id") if isinstance(own.get(name), str) and own[name]}


def _index(failure: Any, names: list[set[str]]) -> int | None:
    told = _names(failure)
    index = failure.get("index") if isinstance(failure, Mapping) else None
    usable = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(names)
    # A name is trusted more than a number.
    return next((number for number, own in enumerate(names) if own & told), index if usable else None)


def _refusal(
    batch: list[Person], index: int | None, failure: Any, redactor: Redactor, quoted: Collection[str]
) -> Refusal:
    told = failure if isinstance(failure, Mapping) else {"message": "unreadable reason"}
    code, message = str(told.get("code") or "refused"), str(told.get("message") or "no reason given")
    # A code that quotes somebody is no code.
    words = set(WORDS.findall(code.casefold()))
    named = any(words.issuperset(own) for value in quoted if (own := WORDS.findall(value.casefold())))
    code = code if redactor.text(code) == code and not named else OTHER
    if index is None:
        return Refusal("unknown", code, redactor.text(message), {})
    who: dict[str, Any] = {name: batch[index].body[name] for name in ("email", "id") if name in batch[index].body}
    return Refusal(batch[index].place, code, redactor.text(message), who)
