# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors for Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.tasks.private_fields import PrivateFields
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from typing import NoReturn

    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SensorParameters
    from airflow_provider_mkt.waiting.flodesk import AddressWatch, SegmentSizeWatch, SubscriberWatch

MAX_SUBSCRIBERS = 1_000_000_000


class FlodeskSegmentSizeSensor(WatchSensor):
    """Waits until a segment has enough active subscribers.

    Returns ``segment_id`` and ``total_active_subscribers``.

    :param segment_id: the segment
    :param minimum: how many active subscribers it has to have
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("segment_id", "minimum", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        segment_id: str,
        minimum: int | str,
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.segment_id = segment_id
        self.minimum = minimum

    def watch(self) -> SegmentSizeWatch:
        """Return the segment."""
        from airflow_provider_mkt.waiting.flodesk import SegmentSizeWatch

        # A template renders to text.
        given = self.minimum
        number = int(given) if isinstance(given, str) and given.isdecimal() else given
        minimum = validation.count("minimum", number, most=MAX_SUBSCRIBERS)
        return SegmentSizeWatch(validation.text("segment_id", self.segment_id), minimum)


class FlodeskSubscriberStatusSensor(PrivateFields, WatchSensor):
    """Waits until a subscriber has one of the target statuses; fails when they end in another one.

    By default that is a confirmed subscription. Somebody who is not subscribed yet is waited for when named by address;
    an id that Flodesk does not know is an error. Returns ``subscriber_id`` and ``status``.

    A trigger never gets an address. When deferrable, the sensor is rescheduled, and looks from a worker, until the
    address has subscribed; from then on the triggerer watches the subscriber's id.

    :param id_or_email: Flodesk's id, or the e-mail address, which is rendered but neither stored nor shown
    :param target_statuses: any of ``active``, ``unsubscribed``, ``unconfirmed``, ``bounced``, ``complained``,
        ``cleaned`` and ``archived``
    :param flodesk_conn_id: connection
    """

    template_fields: Sequence[str] = ("target_statuses", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        id_or_email: str,
        target_statuses: Sequence[str] | str = ("active",),
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[SensorParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.keep_private(id_or_email=id_or_email)
        self.target_statuses = target_statuses
        self._subscriber = ""
        self._since: float | None = None

    def execute(self, context: Context) -> Any:
        """Wait."""
        self._begin(context)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any], deadline: float | None = None) -> Any:
        """Go on when the trigger has something to tell."""
        self._begin(context)
        return super().execute_complete(context, event, deadline)

    def _begin(self, context: Context) -> None:
        from airflow_provider_mkt.waiting.flodesk import who

        self._subscriber = who(self.private("id_or_email", context))
        first = context["ti"].get_first_reschedule_date(context)
        self._since = first.timestamp() if first else None

    def watch(self) -> AddressWatch | SubscriberWatch:
        """Return the subscriber."""
        from airflow_provider_mkt.waiting.flodesk import AddressWatch, SubscriberWatch

        kind = AddressWatch if "@" in self._subscriber else SubscriberWatch
        return kind(
            self._subscriber,
            validation.statuses("target_statuses", self.target_statuses, flodesk.SHOWN_STATUSES, closed=True),
        )

    def defer_or(
        self, planned: AirflowRescheduleException, deadline: float, first_look: float | None = None
    ) -> NoReturn:
        """Defer by the subscriber's id. Who has not subscribed has none: look again later, from a worker."""
        from airflow_provider_mkt.hooks.flodesk import FlodeskHook
        from airflow_provider_mkt.waiting.flodesk import found_subscriber

        if "@" in self._subscriber:
            with suppress(NotFoundError):
                self._subscriber = FlodeskHook(self.conn_id).client.run(found_subscriber(self._subscriber))["id"]
        if "@" in self._subscriber:
            raise planned
        # The rescheduling before is part of the timeout.
        since = self._since if self._since is not None else clock.now()
        super().defer_or(planned, min(deadline, since + self.timeout), first_look)
