# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What there is to say about a vendor as a whole: names, connection form, limits, webhooks, transfers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.retry_after import RATE_HEADERS

MAX_NUMBER = 100_000.0
"""The largest number in an extra that has no limit of its own."""


@dataclass(frozen=True)
class Extra:
    """One key of a connection's ``extra``.

    :param label: what the connection form calls it
    :param kind: JSON-schema type
    :param default: used when the key is missing
    :param secret: hidden in the form, masked everywhere
    :param choices: the values allowed, when there are few
    :param description: what it is for, in a sentence without a full stop
    :param required: nothing works without it
    :param limits: the smallest and the largest number, or length of a text; a number must be above 0 in any case
    """

    label: str
    kind: str = "string"
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] | None = None
    description: str = ""
    required: bool = False
    limits: tuple[float, float] | None = None

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return self.kind in ("number", "integer")

    @property
    def largest(self) -> float:
        """The largest value of a number."""
        return self.limits[1] if self.limits else MAX_NUMBER

    def form_field(self) -> dict[str, Any]:
        """Return the field in the form that Airflow's connection pages read.

        They mark a field that may not be null with a star, and keep numbers and lengths of texts within the limits.
        """
        schema: dict[str, Any] = {"type": self.kind if self.required else [self.kind, "null"]}
        if self.numeric:
            schema.update(minimum=self.limits[0] if self.limits else 0, maximum=self.largest)
        elif self.limits:
            schema.update(minLength=int(self.limits[0]), maxLength=int(self.limits[1]))
        if self.default is not None:
            schema["default"] = self.default
        if self.secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = list(self.choices)
        told = self.description.replace("`", "")
        described = {"description": f"{told[:1].upper()}{told[1:]}."} if told else {}
        return {"label": self.label, "schema": schema, **described}


PREVIOUS_SECRET = "secret that the webhook had before; its deliveries are taken as well"  # noqa: S105 - a description
WEBHOOK_TOKEN = "text at the end of the webhook's address by which a delivery is known"  # noqa: S105 - a description
WEBHOOK_SECRET = "secret of the webhook, where it was not created from here"  # noqa: S105 - a description

COMMON_EXTRAS: Mapping[str, Extra] = {
    "timeout": Extra(
        "Seconds without an answer before giving up",
        "number",
        30,
        description="seconds to wait for an answer; connecting has 5 s of its own",
    ),
    "verify": Extra(
        "Check certificates: true, false, or the path of a CA bundle",
        default="true",
        description="true or false: check certificates; or the path of the CA bundle to check them against",
    ),
    "budget_share": Extra(
        "Part of the vendor's rate limit to use (0 to 1)",
        "number",
        1.0,
        limits=(0.0, 1.0),
        description="part of the vendor's rate limit to use, above 0, up to 1; leave room for other programs with the "
        "same key",
    ),
    "requests_per_minute": Extra(
        "Rate limit, if yours differs from the documented one",
        "integer",
        limits=(1.0, MAX_NUMBER),
        description="the main rate limit, where yours differs from the documented one",
    ),
    "previous_webhook_secret": Extra(
        "Previous webhook secret, during a rotation", secret=True, description=PREVIOUS_SECRET
    ),
}


SPENDING_EXTRAS: Mapping[str, Extra] = {
    "currency": Extra(
        "Currency of the account",
        limits=(3.0, 3.0),
        description="currency of the account, in three capital letters",
    ),
    "caps": Extra(
        "Caps on what launches spend",
        description="the most that launches of this account may spend: launch 2000, run 4000, day 5000, month 60000",
    ),
}
"""Extras of vendors whose launches spend money."""


@dataclass(frozen=True)
class Signature:
    """How deliveries are signed: HMAC-SHA256 in lower-case hex over the raw body, keyed with the subscription's secret.

    :param header: where the signature stands
    :param timed: the header is ``t=<Unix seconds>,v1=<hex>``, and the signed text is the time, a dot and the body;
        otherwise the header is the hex alone, perhaps behind ``sha256=``
    """

    header: str
    timed: bool = False


@dataclass(frozen=True)
class Webhooks:
    """How a vendor delivers events. A path leads into the JSON body: names with dots between them.

    :param events: what a subscription may name; empty: subscriptions are not made by the API
    :param signature: how deliveries are signed; None: not at all, and the address holds a token instead
    :param event: paths of the event's name; the first that is there counts
    :param identity: paths of what tells one event from another, all together; empty, or one is missing: the whole body
    :param subject: paths of the id of what the event is about; the first that is there counts
    :param sent: path of the moment of the event, in ISO 8601
    """

    events: tuple[str, ...] = ()
    signature: Signature | None = None
    event: tuple[str, ...] = ("type",)
    identity: tuple[str, ...] = ("id",)
    subject: tuple[str, ...] = ()
    sent: str = ""

    @property
    def signed(self) -> bool:
        """Whether deliveries are signed with a secret."""
        return self.signature is not None


@dataclass(frozen=True)
class Vendor:
    """A vendor: what Airflow, the documentation and the tests need to know of it.

    :param conn_type: connection type, module name and default connection id (``<conn_type>_default``)
    :param name: how people call it
    :param summary: what it is for, in a few words
    :param base_url: base of its API when the connection has no host
    :param docs_url: its documentation
    :param hook: name of the hook class in ``hooks/<conn_type>.py``
    :param login: label of the connection's login, None when it has none
    :param password: label of the connection's password
    :param extras: further keys of the connection
    :param limits: rate limits by budget name
    :param webhooks: how it delivers events, None when it does not
    :param sources: integrations from which transfers in ``transfers/<conn_type>`` move rows to it
    :param targets: integrations to which they move rows from it
    :param color: background of its tasks in Airflow's graph
    :param package: the package that has its modules: ``<package>.hooks.<conn_type>`` and so on
    :param rate_headers: what the names of its rate limit headers begin with, in lower case
    :param amount: names of the fields in the body of a launch that hold what it may spend, and the currency where the
        body says it
    """

    conn_type: str
    name: str
    base_url: str
    docs_url: str
    hook: str
    password: str
    login: str | None = None
    login_required: bool = False
    extras: Mapping[str, Extra] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    rate_headers: str = RATE_HEADERS
    summary: str = ""
    webhooks: Webhooks | None = None
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    color: str = "#f0ede4"
    package: str = "airflow_provider_mkt"
    amount: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Its page in the documentation."""
        return f"{self.conn_type.replace('_', '-')}.md"

    @property
    def default_conn_id(self) -> str:
        """The connection that is used when none is named."""
        return f"{self.conn_type}_default"

    @property
    def all_extras(self) -> Mapping[str, Extra]:
        """The vendor's extras and those common to all; the required ones come first, as the form shows them."""
        known = {**self.extras, **COMMON_EXTRAS}
        return dict(sorted(known.items(), key=lambda item: not item[1].required))
