# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A made-up delivery, to try a receiver with: from the address to the inbox, with the real secret."""

from __future__ import annotations

import json
import uuid
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.vendors.base import Webhooks
from airflow_provider_mkt.webhooks.senders import Sender, sender_of
from airflow_provider_mkt.webhooks.signature import PREFIX, sign

EVENT = "webhook.test"
TIMEOUT = 10.0


def deliver(conn_id: str, url: str, event: str = EVENT) -> int:
    """Deliver a made-up event to a receiver.

    :param conn_id: the connection whose secret or token proves it
    :param url: address of the receiver up to and with ``/mkt``
    :param event: the event's name
    :return: the HTTP status of the answer
    :raises ValidationError: when the connection has no secret and no token
    :raises ApiError: when there was no answer
    """
    import requests

    from airflow_provider_mkt.client.exchange import DirectSession

    sender = sender_of(conn_id)
    if sender is None:
        raise ValidationError(
            f"Nobody may deliver to connection {conn_id!r}: it is unknown, or has no webhook secret and no token."
        )
    body = json.dumps(_payload(sender.facts, event)).encode()
    address = f"{url.rstrip('/')}/webhooks/{conn_id}"
    proof = sender.proofs[0]
    try:
        with DirectSession() as session:
            answer = session.post(
                address if sender.facts.signed else f"{address}/{proof}",
                data=body,
                headers={"Content-Type": "application/json", **_signed(sender, proof, body)},
                timeout=TIMEOUT,
            )
    except requests.RequestException as error:
        raise ApiError(f"No receiver answers at {address}: {type(error).__name__}") from None
    return answer.status_code


def _payload(facts: Webhooks, event: str) -> dict[str, Any]:
    """Return a body with everything in its place that the vendor's deliveries have there."""
    payload: dict[str, Any] = {}
    number = f"test_{uuid.uuid4().hex[:12]}"
    for path in (*facts.identity, *facts.subject[:1]):
        _put(payload, path, number)
    _put(payload, facts.event[0], event)
    return payload


def _put(payload: dict[str, Any], path: str, value: str) -> None:
    *outer, last = path.split(".")
    for name in outer:
        payload = payload.setdefault(name, {})
    payload[last] = value


def _signed(sender: Sender, secret: str, body: bytes) -> dict[str, str]:
    signature = sender.facts.signature
    if signature is None:
        return {}
    if not signature.timed:
        return {signature.header: PREFIX + sign(secret, body)}
    now = str(int(clock.now()))
    return {signature.header: f"t={now},v1={sign(secret, f'{now}.'.encode() + body)}"}
