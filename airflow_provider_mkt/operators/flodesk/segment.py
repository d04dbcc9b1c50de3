# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Segments of Flodesk; import it from ``operators.flodesk``. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.operators.submitting import InstantOperator
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flodesk import FlodeskHook
    from airflow_provider_mkt.state.exclusive import ExclusiveLease
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict


class FlodeskCreateSegmentOperator(InstantOperator["FlodeskHook"]):
    """Makes sure that there is a segment of a name: takes the one that is there, or creates it, once.

    Flodesk allows several segments of one name; this operator never makes a second one: tasks that share the store
    take turns on a name. Returns ``segment_id`` and ``created`` (false for one that was there). After a lost answer the
    next try looks for the segment by its name; until the vendor lists it, another task may still make one.

    :param name: what people call it; upper and lower case are different names
    :param color: one of :meth:`FlodeskHook.list_segment_colors`, for a new one
    :param reuse: take a segment of that name that is there already; otherwise that is an error. True or false, as text
        too
    :param flodesk_conn_id: connection
    :raises StoreError: when the shared store cannot be used; nothing was sent then, or the next try settles it
    """

    template_fields: Sequence[str] = ("name", "color", "reuse", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        name: str,
        color: str | None = None,
        reuse: bool | str = True,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[SubmittingParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.name = name
        self.color = color
        self.reuse = reuse
        self._turn: ExclusiveLease | None = None

    def execute(self, context: Context) -> Any:
        """Create it, or take the one that is there. Of all tasks, one at a time does so for a name."""
        from airflow_provider_mkt.state.database.shared import store
        from airflow_provider_mkt.state.exclusive import ExclusiveLease

        reuse, name = validation.flag("reuse", self.reuse), validation.text("name", self.name).strip()
        key = "/".join(("segment", *self.hook.account.identity, name))
        try:
            with ExclusiveLease(store(), key) as self._turn:
                return super().execute(context)
        except SegmentExistsError as there:
            if not reuse or len(there.segment_ids) > 1:
                raise
            self.log.info("Flodesk has a segment called %r already: %s.", self.name, there.segment_ids[0])
            return {"segment_id": there.segment_ids[0], "created": False}

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the segment."""
        from airflow_provider_mkt.submission.request import SubmissionRequest

        # Stripped, as Flodesk may do it: what is looked for later has to be what is there.
        body = {"name": validation.text("name", self.name).strip()}
        if self.color is not None:
            body["color"] = validation.text("color", self.color)
        return SubmissionRequest(
            vendor=flodesk.VENDOR.name,
            what="segment",
            body=body,
            call=lambda frozen, _: flodesk.CREATE_SEGMENT(body=frozen),
            receipt=lambda answer: {"segment_id": answer["id"]},
            reference=body["name"],
            id_field="segment_id",
            prepare=lambda: self._none_there(body["name"]),
            trace=trace_segment,
            confirm=self._still_our_turn,
            echoed=frozenset({"name"}),
        )

    def _none_there(self, name: str) -> dict[str, Any]:
        """Refuse to make a second one: whatever has the name later is ours."""
        there = self.hook.client.run(_segments_called(name))
        if there:
            raise SegmentExistsError([str(segment.get("id")) for segment in there], name)
        return {}

    def _still_our_turn(self) -> None:
        """Refuse to make one after this process stood still, and another task's turn came."""
        if self._turn is not None:
            self._turn.ensure_owner()

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the segment's id."""
        return {"segment_id": record.receipt["segment_id"], "created": True}


class SegmentExistsError(ValidationError):
    """Flodesk has a segment of that name.

    :param segment_ids: the segments
    :param name: their name
    """

    def __init__(self, segment_ids: list[str], name: str) -> None:
        several = "; which one is meant cannot be told" if len(segment_ids) > 1 else ""
        super().__init__(
            f"name: Flodesk has a segment called {name!r} already ({', '.join(segment_ids)}){several}. Use its id, "
            "rename it at Flodesk, or choose another name.",
            vendor=flodesk.VENDOR.name,
        )
        self.segment_ids = segment_ids


def trace_segment(record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
    """Ask Flodesk what became of a segment: its receipt, ABSENT, or None when that cannot be told."""
    from airflow_provider_mkt.submission.request import ABSENT

    found = yield from _segments_called(record.body["name"])
    if not found:
        return ABSENT
    # There was none before, so two of them mean that somebody else made one meanwhile.
    return {"segment_id": found[0]["id"]} if len(found) == 1 and isinstance(found[0].get("id"), str) else None


def _segments_called(name: str) -> Generator[Call, Any, list[dict[str, Any]]]:
    from airflow_provider_mkt.client.paging import find_rows
    from airflow_provider_mkt.hooks.flodesk.audience import pages

    def named(row: Mapping[str, Any]) -> bool:
        if not isinstance(row.get("name"), str):
            raise ApiError(
                "Flodesk's list of segments shows no names; nothing is concluded from it.", vendor=flodesk.VENDOR.name
            )
        return bool(row["name"].strip() == name)

    rows = yield from find_rows(flodesk.LIST_SEGMENTS(), pages(100), named, most=1_000)
    return rows
