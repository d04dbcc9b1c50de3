# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What there is to say about a vendor as a whole: its connection form and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.retry_after import RATE_HEADERS


@dataclass(frozen=True)
class Extra:
    """One key of a connection's ``extra``.

    :param label: what the connection form calls it
    :param kind: JSON-schema type
    :param default: used when the key is missing
    :param secret: hidden in the form, masked everywhere
    :param choices: the values allowed, when there are few
    """

    label: str
    kind: str = "string"
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] | None = None

    def form_field(self) -> dict[str, Any]:
        """Return the field in the form that Airflow's connection pages read."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.default is not None:
            schema["default"] = self.default
        if self.secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = list(self.choices)
        return {"label": self.label, "schema": schema}


COMMON_EXTRAS: Mapping[str, Extra] = {
    "timeout": Extra("Seconds without an answer before giving up", "number", 30),
    "verify": Extra("Check certificates: true, false, or the path of a CA bundle", default="true"),
    "budget_share": Extra("Part of the vendor's rate limit to use (0 to 1)", "number", 1.0),
    "requests_per_minute": Extra("Rate limit, if yours differs from the documented one", "integer"),
    "previous_webhook_secret": Extra("Previous webhook secret, during a rotation", secret=True),
}


@dataclass(frozen=True)
class Vendor:
    """A vendor's account, as far as Airflow's connection form is concerned.

    :param conn_type: connection type, module name and default connection id (``<conn_type>_default``)
    :param name: how people call it
    :param base_url: base of its API when the connection has no host
    :param docs_url: its documentation
    :param hook: name of the hook class in ``hooks/<conn_type>.py``
    :param login: label of the connection's login, None when it has none
    :param password: label of the connection's password
    :param extras: further keys of the connection
    :param limits: rate limits by budget name
    :param rate_headers: what the names of its rate limit headers begin with, in lower case
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

    @property
    def all_extras(self) -> Mapping[str, Extra]:
        """The vendor's extras and those common to all."""
        return {**self.extras, **COMMON_EXTRAS}
