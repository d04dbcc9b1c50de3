# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Subscribers, segments and workflows of Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.paging import MAX_PAGE, PageNumbers, Unpaged
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flodesk.personal import email_address, opt_in_time
from airflow_provider_mkt.vendors import flodesk

TEXT_FIELDS = frozenset({"id", "first_name", "last_name", "optin_ip", "optin_timestamp"})


def upsert_call(subscribers: Sequence[Mapping[str, Any]]) -> Call:
    """Return the call that creates or updates up to 50 subscribers.

    :param subscribers: as for :meth:`AudienceMethods.upsert_subscriber`
    :raises ValidationError: naming the field
    """
    if isinstance(subscribers, (str, bytes, Mapping)) or not isinstance(subscribers, Sequence):
        raise ValidationError("subscribers must be a list.")
    if not 1 <= len(subscribers) <= flodesk.MAX_IN_BATCH:
        raise ValidationError(
            f"subscribers has {len(subscribers)} entries; a batch takes 1 to {flodesk.MAX_IN_BATCH}. Split it."
        )
    bodies = [subscriber_body(subscriber, f"subscribers[{index}]") for index, subscriber in enumerate(subscribers)]
    return flodesk.UPSERT_SUBSCRIBERS(body={"subscribers": bodies})


class AudienceMethods(MarketingHook):
    """The part of the hook that deals with people and what they are put into."""

    vendor = flodesk.VENDOR

    def list_subscribers(
        self, *, status: str | None = None, segment_id: str | None = None, per_page: int = MAX_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield subscribers.

        :param status: only ``active``, ``unsubscribed``, ``unconfirmed``, ``bounced``, ``complained`` or ``cleaned``
        :param segment_id: only those in this segment
        :param per_page: rows per request, at most 100
        """
        if status is not None:
            validation.choice("status", status, flodesk.SUBSCRIBER_STATUSES)
        call = flodesk.LIST_SUBSCRIBERS(query={"status": status, "segment_id": segment_id})
        return self.rows(call, pages(per_page))

    def upsert_subscriber(self, subscriber: Mapping[str, Any]) -> dict[str, Any]:
        """Create or update one subscriber; the vendor does not say which. Repeating it changes nothing.

        :param subscriber: ``email`` or ``id``, and any of ``first_name``, ``last_name``, ``custom_fields`` (text
            values), ``segment_ids`` (added, at most 50), ``double_optin``, ``optin_ip``, ``optin_timestamp``
        :return: the subscriber
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        """
        return self.fetch(flodesk.UPSERT_SUBSCRIBER(body=subscriber_body(subscriber)))

    def upsert_subscribers(self, subscribers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Create or update up to 50 subscribers in one request. Some may fail: read ``failures``.

        :param subscribers: as for :meth:`upsert_subscriber`
        :return: ``successes`` (in any order) and ``failures`` (with the ``index`` in the request)
        """
        return self.fetch(upsert_call(subscribers))

    def get_subscriber(self, id_or_email: str) -> dict[str, Any]:
        """Read a subscriber.

        :param id_or_email: Flodesk's id, or the e-mail address
        """
        return self.fetch(flodesk.GET_SUBSCRIBER(path={"id_or_email": id_or_email}))

    def add_subscriber_to_segments(self, id_or_email: str, segment_ids: Sequence[str]) -> dict[str, Any]:
        """Add a subscriber to segments. Being in one already changes nothing.

        :param id_or_email: Flodesk's id, or the e-mail address
        :param segment_ids: 1 to 50 segments
        :return: the subscriber
        """
        return self.fetch(flodesk.ADD_TO_SEGMENTS(path={"id_or_email": id_or_email}, body=_segments(segment_ids)))

    def remove_subscriber_from_segments(self, id_or_email: str, segment_ids: Sequence[str]) -> dict[str, Any]:
        """Remove a subscriber from segments. Not being in one changes nothing.

        :param id_or_email: Flodesk's id, or the e-mail address
        :param segment_ids: 1 to 50 segments
        :return: the subscriber
        """
        return self.fetch(flodesk.REMOVE_FROM_SEGMENTS(path={"id_or_email": id_or_email}, body=_segments(segment_ids)))

    def unsubscribe(self, id_or_email: str) -> dict[str, Any]:
        """Unsubscribe somebody from everything. There is no way back over the API.

        :param id_or_email: Flodesk's id, or the e-mail address
        :return: the subscriber
        """
        return self.fetch(flodesk.UNSUBSCRIBE(path={"id_or_email": id_or_email}))

    def list_segments(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield all segments.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flodesk.LIST_SEGMENTS(), pages(per_page))

    def create_segment(self, name: str, color: str | None = None) -> dict[str, Any]:
        """Create a segment. The vendor allows several of one name, so look for it in :meth:`list_segments` first.

        :param name: what people call it
        :param color: one of :meth:`list_segment_colors`
        :return: the segment
        :raises OutcomeUnknownError: when it is unknown whether it was created
        """
        body = {
            "name": validation.text("name", name),
            "color": None if color is None else validation.text("color", color),
        }
        return self.fetch(flodesk.CREATE_SEGMENT(body={key: value for key, value in body.items() if value is not None}))

    def list_segment_colors(self) -> Iterator[str]:
        """Yield the colors that a segment can have, as ``#AABBCC``."""
        return cast("Iterator[str]", self.rows(flodesk.LIST_SEGMENT_COLORS(), Unpaged()))

    def get_segment(self, segment_id: str) -> dict[str, Any]:
        """Read a segment.

        :param segment_id: the segment
        """
        return self.fetch(flodesk.GET_SEGMENT(path={"segment_id": segment_id}))

    def list_workflows(
        self, *, statuses: Sequence[str] | None = None, per_page: int = MAX_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield workflows.

        :param statuses: any of ``active``, ``paused``, ``draft``; by default all
        :param per_page: rows per request, at most 100
        """
        wanted = None
        if statuses is not None:
            wanted = ",".join(validation.choices("statuses", statuses, flodesk.WORKFLOW_STATUSES))
        return self.rows(flodesk.LIST_WORKFLOWS(query={"statuses": wanted}), pages(per_page, size="perPage"))

    def add_subscriber_to_workflow(self, workflow_id: str, id_or_email: str) -> None:
        """Let a subscriber enter a workflow. It is not repeated: who has completed a workflow may enter it again.

        :param workflow_id: the workflow, of the second version; not an abandoned-cart one
        :param id_or_email: Flodesk's id, or the e-mail address
        :raises OutcomeUnknownError: when it is unknown whether they entered
        """
        who = validation.text("id_or_email", id_or_email)
        body = {"email" if "@" in who else "id": who}
        self.send(flodesk.ADD_TO_WORKFLOW(path={"workflow_id": workflow_id}, body=body))

    def remove_subscriber_from_workflow(self, workflow_id: str, id_or_email: str) -> None:
        """Take a subscriber out of a workflow.

        :param workflow_id: the workflow
        :param id_or_email: Flodesk's id, or the e-mail address
        :raises NotFoundError: when they are not in it, and were not taken out by this very call
        """
        path = {"workflow_id": workflow_id, "id_or_email": id_or_email}
        self.send(flodesk.REMOVE_FROM_WORKFLOW(path=path))


def pages(per_page: int, size: str = "per_page") -> PageNumbers:
    """Return the way in which Flodesk's lists are walked.

    :param per_page: rows per request, at most 100
    :param size: name of that parameter
    """
    return PageNumbers(per_page, size=size, total_pages="total_pages")


def _segments(segment_ids: Sequence[str]) -> dict[str, list[str]]:
    return {"segment_ids": validation.texts("segment_ids", segment_ids, most=flodesk.MAX_SEGMENTS)}


def subscriber_body(subscriber: Mapping[str, Any], field: str = "subscriber") -> dict[str, Any]:
    """Return the checked body of an upsert: addresses without what was copied along, times of consent in UTC.

    :param subscriber: as for :meth:`FlodeskHook.upsert_subscriber`
    :param field: how messages call it; they never quote its values, which are personal data
    :raises ValidationError: naming the field, the problem and the remedy
    """
    if not isinstance(subscriber, Mapping):
        raise ValidationError(f"{field} must be an object with an 'email' or an 'id'.")
    unknown = sorted(set(map(str, subscriber)) - flodesk.SUBSCRIBER_FIELDS)
    if unknown:
        known = ", ".join(sorted(flodesk.SUBSCRIBER_FIELDS))
        raise ValidationError(f"{field} has unknown fields {', '.join(unknown)}; known are {known}.")
    email = subscriber.get("email")
    if not email and not subscriber.get("id"):
        raise ValidationError(f"{field} has neither 'email' nor 'id'; one of them is needed.")
    for name in TEXT_FIELDS & set(subscriber):
        if not isinstance(subscriber[name], (str, type(None))):
            raise ValidationError(f"{field}.{name} must be text; put it in quotes.")
    if not isinstance(subscriber.get("double_optin"), (bool, type(None))):
        raise ValidationError(f"{field}.double_optin must be true or false.")
    custom = subscriber.get("custom_fields")
    custom = {} if custom is None else custom
    if not isinstance(custom, Mapping) or not all(isinstance(value, str) for value in custom.values()):
        raise ValidationError(f"{field}.custom_fields must map field keys to text; convert numbers and dates to text.")
    if subscriber.get("segment_ids") is not None:
        validation.texts(f"{field}.segment_ids", subscriber["segment_ids"], most=flodesk.MAX_SEGMENTS, least=0)
    return _in_the_vendors_form({name: value for name, value in subscriber.items() if value is not None}, field)


def _in_the_vendors_form(body: dict[str, Any], field: str) -> dict[str, Any]:
    if body.get("email"):
        body["email"] = email_address(f"{field}.email", body["email"])
    if body.get("optin_timestamp"):
        body["optin_timestamp"] = opt_in_time(f"{field}.optin_timestamp", body["optin_timestamp"])
    return body
