# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for FloKit. Vendor document: FloKit API reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.client.paging import MAX_PAGE, Offsets, Unpaged
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flokit

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth


class FlokitHook(MarketingHook):
    """Follows and triggers syncs of data integrations, sends events, reads reports and actions.

    :param flokit_conn_id: connection whose password is an API key; triggering and sending need a read-write key
    """

    vendor = flokit.VENDOR
    conn_name_attr = "flokit_conn_id"
    default_conn_name = "flokit_default"
    conn_type = "flokit"
    hook_name = flokit.VENDOR.name

    def __init__(self, flokit_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flokit_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: the API key as bearer."""
        from airflow_provider_mkt.client.auth import BearerAuth

        return BearerAuth(account.password)

    def list_integrations(self) -> Iterator[dict[str, Any]]:
        """Yield the workspace's integrations."""
        return self.rows(flokit.LIST_INTEGRATIONS(), Unpaged())

    def get_integration(self, integration_id: str) -> dict[str, Any]:
        """Read an integration with its sync statistics.

        :param integration_id: e.g. ``int_7a``
        :return: ``id``, ``type``, ``status``, ``last_synced_at``, ``error_message``, ``sync_stats``
        """
        return self.fetch(flokit.GET_INTEGRATION(path={"integration_id": integration_id}))

    def trigger_sync(self, integration_id: str, idempotency_key: str | None = None) -> dict[str, Any]:
        """Start a sync. It runs at the vendor; there is no way to read it by its id, only the integration's status.

        :param integration_id: the integration
        :param idempotency_key: sent along, should the vendor heed it; it does not say so. By default a new key
        :return: ``status`` and ``sync_id``
        :raises OutcomeUnknownError: when it is unknown whether it started
        """
        call = flokit.TRIGGER_SYNC(
            path={"integration_id": integration_id}, idempotency_key=validation.key(idempotency_key)
        )
        return self.fetch(call)

    def send_event(self, event: Mapping[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Send one event. With the same key it is stored once, however often this is called within 24 hours.

        :param event: ``event`` (its name), ``user_id`` or ``anonymous_id`` or both, ``timestamp`` (when it happened)
            and optionally ``properties``; a ``transaction_id`` among them lets the vendor find duplicates
        :param idempotency_key: names this event; by default a new key, which covers the retries of this call only
        :return: ``event_id``
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        """
        return self.fetch(flokit.SEND_EVENT(body=event_body(event), idempotency_key=validation.key(idempotency_key)))

    def send_events(self, events: Sequence[Mapping[str, Any]], idempotency_key: str | None = None) -> dict[str, Any]:
        """Send up to 1,000 events in one request. Some may be rejected: read ``errors``.

        The vendor does not say that batches honour a key, so a batch whose answer was lost is not sent again. Where
        that matters, send the events one by one.

        :param events: as for :meth:`send_event`
        :param idempotency_key: sent along, should the vendor heed it; by default a new key
        :return: ``accepted``, ``rejected``, ``event_ids`` of the accepted ones, ``errors`` with ``index`` and reason
        :raises OutcomeUnknownError: when it is unknown whether the events were stored
        """
        if isinstance(events, (str, bytes, Mapping)) or not isinstance(events, Sequence):
            raise ValidationError("events must be a list.")
        if not 1 <= len(events) <= flokit.MAX_EVENTS:
            raise ValidationError(
                f"events has {len(events)} entries; a batch takes 1 to {flokit.MAX_EVENTS}. Split it."
            )
        body = {"events": [event_body(event, f"events[{index}]") for index, event in enumerate(events)]}
        return self.fetch(flokit.SEND_EVENTS(body=body, idempotency_key=validation.key(idempotency_key)))

    def get_payback_report(
        self, start_date: date | str, end_date: date | str, *, group_by: str = "campaign", cohort_window_days: int = 30
    ) -> dict[str, Any]:
        """Read what was spent and how soon it pays back. The vendor refreshes it every six hours.

        :param start_date: first day, ``YYYY-MM-DD``
        :param end_date: last day, at most 366 days on (assumed)
        :param group_by: ``campaign``, ``creative``, ``country``, ``offer`` or ``paywall``
        :param cohort_window_days: length of the window in days
        :return: ``data``, one row for each cohort, and ``meta`` with the currency
        """
        window = validation.count("cohort_window_days", cohort_window_days, most=flokit.MAX_SPAN)
        span = report_span("start_date", start_date, "end_date", end_date)
        query = {
            **span,
            "group_by": validation.choice("group_by", group_by, flokit.GROUPS),
            "cohort_window_days": window,
        }
        return self.fetch(flokit.GET_PAYBACK_REPORT(query=query))

    def get_cohort_report(
        self, cohort_start: date | str, cohort_end: date | str, *, group_by: str = "campaign"
    ) -> dict[str, Any]:
        """Read weekly retention and lifetime value. The form of the answer is not documented.

        :param cohort_start: first day, ``YYYY-MM-DD``
        :param cohort_end: last day, at most 366 days on (assumed)
        :param group_by: as for :meth:`get_payback_report`
        """
        span = report_span("cohort_start", cohort_start, "cohort_end", cohort_end)
        query = {**span, "group_by": validation.choice("group_by", group_by, flokit.GROUPS)}
        return self.fetch(flokit.GET_COHORT_REPORT(query=query))

    def list_actions(self, status: str | None = None, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield growth actions. The vendor gives access to them on request.

        :param status: only ``draft``, ``ready``, ``approved``, ``running`` or ``rolled_back`` ones
        :param per_page: rows per request, at most 100
        """
        if status is not None:
            validation.choice("status", status, flokit.ACTION_STATUSES)
        return self.rows(flokit.LIST_ACTIONS(query={"status": status}), Offsets(per_page))

    def get_action(self, action_id: str) -> dict[str, Any]:
        """Read an action with the reasons for it.

        :param action_id: the action
        """
        return self.fetch(flokit.GET_ACTION(path={"action_id": action_id}))

    def get_workspace(self) -> dict[str, Any]:
        """Read the key's workspace. The form of the answer is not documented."""
        return self.fetch(flokit.GET_WORKSPACE())

    def check(self) -> str:
        """List the integrations, which a read-only key may."""
        return f"FloKit accepts the API key; the workspace has {len(list(self.list_integrations()))} integrations."


def event_body(event: Mapping[str, Any], field: str = "event") -> dict[str, Any]:
    """Return the checked body of an event; fields as in :meth:`FlokitHook.send_event`.

    :param event: the event
    :param field: how messages call it
    :raises ValidationError: naming the field, the problem and the remedy
    """
    validation.known_fields(field, event, flokit.EVENT_FIELDS)
    body: dict[str, Any] = {"event": validation.text(f"{field}.event", event.get("event"))}
    for name in ("user_id", "anonymous_id"):
        if event.get(name) is not None:
            body[name] = validation.text(f"{field}.{name}", event[name], longest=flokit.MAX_TEXT)
    if len(body) == 1:
        raise ValidationError(f"{field} has neither 'user_id' nor 'anonymous_id'; one of them is needed.")
    happened = validation.parsed(f"{field}.timestamp", event.get("timestamp"))
    if happened > clock.utcnow() + timedelta(seconds=flokit.AHEAD):
        raise ValidationError(f"{field}.timestamp lies in the future; give the moment at which the event happened.")
    body["timestamp"] = validation.moment(f"{field}.timestamp", happened)
    if event.get("properties"):
        properties = validation.json_object(f"{field}.properties", event["properties"], "{'country': 'DE'}")
        if len(properties) > flokit.MAX_PROPERTIES:
            raise ValidationError(
                f"{field}.properties has {len(properties)} entries; at most {flokit.MAX_PROPERTIES} are allowed."
            )
        body["properties"] = properties
    return body


def report_span(start_field: str, start: Any, end_field: str, end: Any) -> dict[str, str]:
    """Return the checked days of a report, by field name.

    :raises ValidationError: naming the field, the problem and the remedy
    """
    first, last = validation.day(start_field, start), validation.day(end_field, end)
    validation.in_order(start_field, first, end_field, last)
    if (date.fromisoformat(last) - date.fromisoformat(first)).days >= flokit.MAX_SPAN:
        raise ValidationError(
            f"{end_field} is more than {flokit.MAX_SPAN} days after {start_field}; ask in several parts."
        )
    return {start_field: first, end_field: last}
