# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a verified body says: which event, about what, and what tells it from other events."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, NoReturn

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.state.inbox import KEPT, Delivery
from airflow_provider_mkt.vendors.base import Webhooks
from airflow_provider_mkt.webhooks.assets import EVENT

UNKNOWN = "unknown"
"""The event of a body that names none: some vendors do not publish what they send."""
MAX_DEPTH = 50


def read(facts: Webhooks, body: bytes, *, account: str, conn_id: str, now: float) -> Delivery:
    """Return the delivery that ``body`` describes.

    :param facts: where the vendor writes what
    :param body: the verified body
    :param account: digest of the account's name
    :param conn_id: the connection in its address
    :param now: Unix time
    :raises ValidationError: when it is no JSON object that can be relied on, or too old for a repetition to be known
    """
    payload = _object(body)
    event = next(_texts(payload, facts.event), "")
    known = list(_texts(payload, facts.identity))
    whole = bool(facts.identity) and len(known) == len(facts.identity)
    identity = json.dumps(known) if whole else body.decode("utf-8")
    sent = next(_texts(payload, (facts.sent,)), "") if facts.sent else ""
    if sent and now - _moment(sent, now) > KEPT:
        raise ValidationError("The event is older than deliveries are kept.")
    subject = next(_texts(payload, facts.subject), "")
    return Delivery(
        account=account,
        conn_id=conn_id,
        event=event if EVENT.fullmatch(event) else UNKNOWN,
        subject=digest(subject) if subject else "",
        identity=digest(identity),
        payload=payload,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite
        )
        depth = _depth(payload)
    except (ValueError, RecursionError):
        raise ValidationError("The body is not JSON that can be relied on.") from None
    if not isinstance(payload, dict) or depth > MAX_DEPTH:
        raise ValidationError("The body is not a JSON object, or nested too deeply.")
    return payload


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that come twice: two programs may read such a body differently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    """Refuse a number beyond all that a program can hold: it would be read as infinity, which JSON cannot say again."""
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits[:40])


def _depth(data: Any) -> int:
    level, depth = [data], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [child for each in level for child in _children(each)]
    return depth


def _children(data: Any) -> Iterable[Any]:
    if isinstance(data, dict):
        return data.values()
    return data if isinstance(data, list) else ()


def _texts(payload: dict[str, Any], paths: Iterable[str]) -> Iterator[str]:
    """Yield what stands at ``paths``, as text; what is missing, or no text or number, is passed over."""
    for path in paths:
        found: Any = payload
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, (str, int, float)) and not isinstance(found, bool) and found != "":
            yield str(found)


def _moment(text: str, default: float) -> float:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return default
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
