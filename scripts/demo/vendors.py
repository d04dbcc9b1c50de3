# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The vendors as the demo reads them: how to sign in, and where the state of each kind of thing stands."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.demo.http import call

Connection = Mapping[str, Any]
Headers = dict[str, str]

PAGE_SIZE = 100


@dataclass(frozen=True)
class Effect:
    """How to read back what an entry of the ledger stands for.

    :param what: in words
    :param path: where to ask, below the connection's host; empty = nothing to read
    :param rows: name of the list in the answer when ``path`` is a list, None when it names one thing by ``{id}``
    :param state: names that lead from the thing to its state
    :param good: the states in which it may be at the end
    :param by_reference: the ledger's reference is the id, not its ``ids``
    :param counts: False for what may happen any number of times
    :param fault: it should not happen at all
    """

    what: str
    path: str = ""
    rows: str | None = None
    state: tuple[str, ...] = ("status",)
    good: frozenset[str] = frozenset()
    by_reference: bool = False
    counts: bool = True
    fault: bool = False


_SIGNED_IN = Effect("signed in", counts=False)
_KEY_REUSED = Effect("idempotency key used for another request", fault=True)
_SUBSCRIBED = Effect("webhook subscription")
_SUBSCRIBER = Effect("subscriber", "/subscribers", rows="data", good=frozenset({"active", "unconfirmed"}))

EFFECTS: dict[tuple[str, str], Effect] = {
    ("flow_living", "token.issued"): _SIGNED_IN,
    ("flinque", "token.issued"): _SIGNED_IN,
    ("flodesk", "token.issued"): _SIGNED_IN,
    ("flow_social", "idempotency_conflict"): _KEY_REUSED,
    ("flokit", "idempotency_conflict"): _KEY_REUSED,
    ("flow_living", "campaign.published"): Effect(
        "property campaign", "/campaigns/status/{id}", good=frozenset({"published", "completed"})
    ),
    ("flow_social", "post.created"): Effect("post", "/posts", rows="data", good=frozenset({"done"})),
    ("flodesk", "subscriber.created"): _SUBSCRIBER,
    ("flodesk", "subscriber.updated"): _SUBSCRIBER,
    ("flokit", "sync.started"): Effect(
        "sync of integration", "/integrations", rows="integrations", good=frozenset({"connected"}), by_reference=True
    ),
    ("flinque", "webhook.created"): _SUBSCRIBED,
    ("flow_social", "webhook.created"): _SUBSCRIBED,
    ("flinque", "report.generated"): Effect("report", "/reports", rows="data", good=frozenset({"ready"})),
}


def _bearer(connection: Connection) -> Headers:
    return {"Authorization": f"Bearer {connection['password']}"}


def _basic(connection: Connection) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(f"{connection['password']}:".encode()).decode()}


def _flinque(connection: Connection) -> Headers:
    body = {
        "grant_type": "client_credentials",
        "client_id": connection["login"],
        "client_secret": connection["password"],
    }
    token = call("POST", f"{connection['host']}/oauth/token", body=body)["access_token"]
    return {"Authorization": f"Bearer {token}"}


def _flow_living(connection: Connection) -> Headers:
    version = {"Accept-Version": "v1"}
    query = {
        "organisationId": connection["login"],
        "apiKey": connection["password"],
        "requestType": connection["extra"]["request_type"],
    }
    answer = call("GET", f"{connection['host']}/auth/access-key/publickey", query=query, headers=version)
    return {**version, "Authorization": f"Bearer {answer['accessToken']}"}


SIGN_IN: dict[str, Callable[[Connection], Headers]] = {
    "flinque": _flinque,
    "flow_social": _bearer,
    "flodesk": _basic,
    "flow_living": _flow_living,
    "flokit": _bearer,
}
