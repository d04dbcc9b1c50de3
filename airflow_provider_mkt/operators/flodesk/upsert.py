# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Upserting an audience to Flodesk. Vendor document: Flodesk OpenAPI description, version 1.0.0."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.operators.approving import REQUIRED, ApprovingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.client.endpoint import Call
    from airflow_provider_mkt.hooks.flodesk import FlodeskHook
    from airflow_provider_mkt.operators.flodesk.refusals import Refusals
    from airflow_provider_mkt.planning.people import People
    from airflow_provider_mkt.state.launches.launch import Effect
    from airflow_provider_mkt.tasks.parameters import ApprovingParameters

    class UpsertParameters(ApprovingParameters, total=False):
        """What all take that upsert an audience."""

        segment_ids: Sequence[str] | None
        allow_failures: bool
        failures_path: str | None


INVALID = "invalid"
"""Our code for people who cannot be sent."""
SHOWN = 20
"""People who cannot be sent that a message names."""
Audience = Generator[tuple[str, Mapping[str, Any] | ValidationError], None, None]
"""People with their places; an error stands for somebody who cannot be read."""


class SubscriberUpsert(ApprovingOperator["FlodeskHook"]):
    """Upserts an audience, 50 people to a request; a subclass says where it comes from.

    All people are read and checked before the first is sent. Memory does not grow with their number. Somebody who
    cannot be sent counts as refused, with the code ``invalid``; unless failures are allowed, nobody is sent then.

    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although some of them cannot be sent, or the vendor refused them
    :param failures_path: file for the refused, as JSON lines with ``place``, ``code``, ``message``, and ``email`` or
        ``id``; it holds personal data. Local (for its owner only), or anything that ``ObjectStoragePath`` opens
    :param flodesk_conn_id: connection
    """

    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR
    nobody: str | None = None
    """What to say when there is nobody to upsert; None: that is no error."""

    def __init__(
        self,
        *,
        segment_ids: Sequence[str] | None = None,
        allow_failures: bool = False,
        failures_path: str | None = None,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
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
        """Upsert all of them, in batches; where an approval is wanted, only the people that it was given for."""
        return self.when_approved(context, lambda: self._upsert(context))

    def _upsert(self, context: Context) -> dict[str, Any]:
        from airflow_provider_mkt.operators.flodesk.refusals import Refusals
        from airflow_provider_mkt.planning.people import People

        with People() as people, Refusals(self.failures_path) as refusals:
            self._read(context, people, refusals)
            total = len(people) + len(refusals)
            if not total and self.nobody:
                raise ValidationError(self.nobody)
            if self.approval == REQUIRED:
                self._check_approval(context, people)
            self._send(people, refusals)
            refusals.publish()
            failed = len(refusals)
            if failed and not self.allow_failures:
                # Not the vendor's words: they may quote people.
                shown = ", ".join(f"{code} ({number})" for code, number in sorted(refusals.codes.items()))
                raise ApiError(
                    f"Flodesk refused {failed} of {total} subscribers: {shown}. {self._where} for who and why.",
                    vendor=flodesk.VENDOR.name,
                )
            return {"upserted": total - failed, "failed": failed, "failed_by_code": dict(refusals.codes)}

    def planned(self, context: Context) -> Iterator[tuple[Call, Effect]]:
        """Yield every request that :meth:`execute` would send, with what it means. Nothing is sent.

        :raises ValidationError: as :meth:`execute` does
        """
        from airflow_provider_mkt.operators.flodesk.refusals import Refusals
        from airflow_provider_mkt.planning.people import People

        with People() as people, Refusals(None) as refusals:
            self._read(context, people, refusals)
            if not len(people) + len(refusals) and self.nobody:
                raise ValidationError(self.nobody)
            yield from self._requests(people)

    def _requests(self, people: People) -> Iterator[tuple[Call, Effect]]:
        from airflow_provider_mkt.hooks.flodesk.audience import upsert_call
        from airflow_provider_mkt.state.launches.launch import Effect

        joined = ", ".join(self.segment_ids or []) or "no segment"
        for batch in people.batches(flodesk.MAX_IN_BATCH):
            number = len(batch)
            effect = Effect(f"{number} {'person' if number == 1 else 'people'} into {joined}", audience=number)
            yield upsert_call([person.body for person in batch]), effect

    def _check_approval(self, context: Context, people: People) -> None:
        """Return when somebody has approved exactly these people, in these batches. They are read no more after that.

        :raises ApprovalWantedError: when nobody has
        :raises StoppedError: when that cannot be looked up
        """
        from airflow_provider_mkt.submission.approval import people_of, use_all
        from airflow_provider_mkt.submission.task_key import TaskKey

        key, who = TaskKey.of(context, self.conn_id), getattr(context["dag_run"], "triggering_user_name", None)
        account = self.hook.account
        use_all([people_of(account, key, str(who or ""), call, effect) for call, effect in self._requests(people)])

    def _read(self, context: Context, people: People, refusals: Refusals) -> None:
        """Take in everybody who can be sent, and refuse the others. Nobody is sent yet.

        :raises ValidationError: naming those who cannot be sent, unless failures are allowed
        """
        from airflow_provider_mkt.operators.flodesk.refusals import Refusal

        segments = validation.texts("segment_ids", self.segment_ids or [], most=flodesk.MAX_SEGMENTS, least=0)
        problems: list[str] = []
        try:
            with closing(self.audience(context)) as audience:
                for place, person in audience:
                    try:
                        people.add(place, _body(place, person, segments), partial(_check_segments, place))
                    except ValidationError as error:
                        refusals.add(Refusal(place, INVALID, str(error), _who(person)))
                        problems += [str(error)] if len(problems) < SHOWN else []
        except ValidationError as error:
            # The rest cannot be read, so it is unknown who else is in it: that is no row that may fail.
            if not problems:
                raise
            raise ValidationError(self._told(problems, people, refusals) + f" {error} Nobody was sent.") from None
        if problems and not self.allow_failures:
            refusals.publish()
            told = self._told(problems, people, refusals)
            raise ValidationError(f"{told} Nobody was sent. {self._where} for all of them.")

    def _told(self, problems: Sequence[str], people: People, refusals: Refusals) -> str:
        more = len(refusals) - len(problems)
        told = " ".join(problems) + (f" … and {more:,} more." if more else "")
        if len(refusals) > 1:
            told = f"{len(refusals):,} of {len(people) + len(refusals):,} people cannot be sent: {told}"
        return told

    def _send(self, people: People, refusals: Refusals) -> None:
        from airflow_provider_mkt.operators.flodesk.answer import refused_in

        hook = self.hook
        done, total = 0, len(people)
        for batch in people.batches(flodesk.MAX_IN_BATCH):
            # Coming back starts over. Later on it costs a try, or a quota below the audience's size had it go on for
            # ever.
            with nullcontext() if done else reschedule_when_rate_limited():
                answer = hook.upsert_subscribers([person.body for person in batch])
            for refusal in refused_in(answer, batch, hook.redactor):
                refusals.add(refusal)
            done += len(batch)
            self.log.info("Flodesk: %d of %d subscribers sent, %d refused so far.", done, total, len(refusals))

    @property
    def _where(self) -> str:
        return "See failures_path" if self.failures_path else "Give failures_path a file"


class FlodeskUpsertSubscribersOperator(SubscriberUpsert):
    """Creates or updates subscribers, 50 to a request. Repeating it changes nothing, so every failure may be retried.

    People are personal data: they are read from a file or handed in as they are, never rendered, logged or put into an
    XCom. Returns ``upserted`` and ``failed`` (numbers) and ``failed_by_code`` (the number for each of the vendor's
    codes).

    :param subscribers: the subscribers, see :meth:`FlodeskHook.upsert_subscriber`; or use ``path``
    :param path: a CSV or JSON-lines file (local, or anything ``ObjectStoragePath`` opens): columns ``email``,
        ``first_name``, ``last_name``, ``optin_ip``, ``optin_timestamp``; every other column is a custom field
    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although some of them cannot be sent, or the vendor refused them
    :param failures_path: file for the refused; see :class:`SubscriberUpsert`
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "segment_ids", "failures_path", "flodesk_conn_id")
    nobody = "There are no subscribers to upsert; check the audience file."

    def __init__(
        self,
        *,
        subscribers: Sequence[Mapping[str, Any]] | None = None,
        path: str | None = None,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[UpsertParameters],
    ) -> None:
        super().__init__(flodesk_conn_id=flodesk_conn_id, **kwargs)
        if (subscribers is None) == (path is None):
            raise ValueError("give either subscribers or path")
        self.subscribers = subscribers
        self.path = path

    def audience(self, context: Context) -> Audience:
        """Yield the people of the file or the list."""
        from airflow_provider_mkt.planning.audience import read_audience

        if self.path is not None:
            yield from read_audience(self.path)
            return
        listed = [] if self.subscribers is None else self.subscribers
        if isinstance(listed, (str, bytes)) or not isinstance(listed, Sequence):
            raise ValidationError(
                f"subscribers must be a list of objects, got {type(listed).__name__}. It is not rendered, and takes no "
                "XCom: let the task before write a file, and name it in path."
            )
        for index, person in enumerate(listed):
            yield f"subscribers[{index}]", person


def _body(place: str, person: Mapping[str, Any] | ValidationError, segments: Sequence[str]) -> dict[str, Any]:
    """Return the upsert of somebody, who joins ``segments``.

    :raises ValidationError: when there is none
    """
    from airflow_provider_mkt.hooks.flodesk.audience import subscriber_body

    if isinstance(person, ValidationError):
        raise person
    body = subscriber_body(person, place)
    joined = list(dict.fromkeys([*body.get("segment_ids", []), *segments]))
    return {**body, "segment_ids": joined} if joined else body


def _check_segments(place: str, body: Mapping[str, Any]) -> None:
    segments = body.get("segment_ids", [])
    validation.texts(f"{place}: segment_ids", segments, most=flodesk.MAX_SEGMENTS, least=0)


def _who(person: Any) -> dict[str, Any]:
    """Return what somebody is known by, as far as that was written down."""
    known = person if isinstance(person, Mapping) else {}
    return {name: known[name] for name in ("email", "id") if isinstance(known.get(name), str) and known[name]}
