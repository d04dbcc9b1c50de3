# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From an Airflow connection to a checked vendor account. Everything wrong with it is said before a request is sent."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_mkt.client.secret import Secret
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.vendors.base import Extra, Vendor

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets

SCHEMES = ("http", "https")
LOOPBACK = re.compile(r"127(\.\d{1,3}){3}", re.ASCII)
TRUE, FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


@dataclass(frozen=True)
class Account:
    """A connection after its checks.

    :param vendor: whose account it is
    :param conn_id: id of the connection
    :param base_url: base of the API, without a trailing slash
    :param login: login, or ""
    :param password: password; not shown by ``repr``
    :param extras: the known extras, with their defaults; not shown by ``repr``
    """

    vendor: Vendor
    conn_id: str
    base_url: str
    login: str
    password: str = field(repr=False)
    extras: Mapping[str, Any] = field(repr=False)

    @property
    def secrets(self) -> list[str]:
        """Every secret of the connection."""
        hidden = [
            str(self.extras[name])
            for name, extra in self.vendor.all_extras.items()
            if extra.secret and self.extras[name]
        ]
        return [self.password, *hidden]

    @property
    def identity(self) -> tuple[str, ...]:
        """What the vendor counts by. The secret only enters as a digest."""
        digest = hashlib.sha256(self.password.encode()).hexdigest()[:16]
        return (self.vendor.conn_type, self.base_url, self.login, digest)


def account_of(vendor: Vendor, connection: Connection) -> Account:
    """Check ``connection`` and return the account that it describes.

    :raises ValidationError: naming the field, what is wrong with it, and what to do
    """
    where = f"Connection {connection.conn_id!r} ({vendor.name})"
    _check_type(where, vendor, connection)
    password = _secret(where, "password", vendor.password, connection.password)
    login = (connection.login or "").strip()
    if vendor.login_required and not login:
        raise ValidationError(f"{where}: the login is missing; enter the {vendor.login}.", vendor=vendor.name)
    return Account(
        vendor,
        connection.conn_id,
        _base_url(where, vendor, connection),
        login,
        password,
        _extras(where, vendor, connection),
    )


def _secret(where: str, name: str, label: str, value: Any) -> str:
    text = str(value or "")
    if not text.strip():
        raise ValidationError(f"{where}: the {name} is missing; enter the {label}.")
    if text != text.strip() or not text.isascii() or not text.isprintable():
        raise ValidationError(
            f"{where}: the {name} has a space at an end, a line break or a non-ASCII character; copy the {label} again."
        )
    return Secret(text)


def _check_type(where: str, vendor: Vendor, connection: Connection) -> None:
    """Refuse a connection of another type: its secret is for somebody else."""
    kind = connection.conn_type or ""
    if kind == vendor.conn_type:
        return
    written = vendor.conn_type.replace("_", "-")
    if not kind and "_" in vendor.conn_type:
        # Airflow finds no type in such a URI, and takes all of it, the key included, for the host.
        raise ValidationError(
            f"{where}: it has no type. Was it given as {vendor.conn_type}://…? A URI has no underscore there; write "
            f'{written}://… or JSON with "conn_type": "{vendor.conn_type}". Its key may have been shown as part of the '
            "host; replace the key."
        )
    raise ValidationError(
        f"{where}: it has the type {kind!r}, and {vendor.conn_type!r} is needed; name a connection "
        "of that type, or correct its type."
    )


def _base_url(where: str, vendor: Vendor, connection: Connection) -> str:
    """Return the base URL that host, schema and port describe; each of them is used, or refused.

    The host is the whole URL or a part of it. The schema is ``http`` or ``https``, or, where a connection's URI has a
    path, that path.
    """
    host, schema = (connection.host or "").strip(), (connection.schema or "").strip().strip("/")
    if not host:
        if not schema and not connection.port:
            return vendor.base_url
        told = "schema" if schema else "port"
        raise ValidationError(f"{where}: there is a {told} but no host; enter a base URL as host, or no {told}.")
    scheme, path = (schema.lower(), "") if schema.lower() in SCHEMES else ("", schema)
    parts = _parts(host, scheme)
    if parts is None or any(sign.isspace() or sign in "?#@:\\" for sign in path):
        raise ValidationError(f"{where}: the host must be a base URL like {vendor.base_url}, or empty for that one.")
    there = {"schema": parts.scheme, "port": parts.port, "path in the schema": parts.path.strip("/")}
    for name, given in (("schema", scheme), ("port", connection.port), ("path in the schema", path)):
        if given and there[name] and given != there[name]:
            raise ValidationError(f"{where}: the {name} and the host disagree; put the whole base URL into the host.")
    port = parts.port or connection.port
    if not 0 < (port or 1) < 65_536:
        raise ValidationError(f"{where}: the host must be a base URL like {vendor.base_url}, or empty for that one.")
    netloc = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    end = parts.path.rstrip("/") or (f"/{path}" if path else "")
    vendors_own = urlsplit(vendor.base_url)
    if not end and not port and netloc == vendors_own.hostname:
        # Without its version the vendor's own host has no API.
        end = vendors_own.path
    return f"{parts.scheme}://{netloc}{f':{port}' if port else ''}{end}"


def _parts(host: str, scheme: str) -> SplitResult | None:
    """Return the parts of a host, which may be a whole URL; None when it is no base URL."""
    try:
        url = host if "://" in host else f"{scheme or _usual_scheme(host)}://{host}"
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    odd = "@" in parts.netloc or parts.netloc.endswith(":") or any(sign.isspace() for sign in url)
    if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment or odd:
        return None
    return parts


def _usual_scheme(host: str) -> str:
    """Return the scheme of a host that has none: this machine serves http, others https."""
    name = urlsplit(f"//{host}").hostname or ""
    return "http" if name in ("localhost", "::1") or LOOPBACK.fullmatch(name) else "https"


def _extras(where: str, vendor: Vendor, connection: Connection) -> dict[str, Any]:
    known = vendor.all_extras
    try:
        # Airflow's extra_dejson takes text that is not JSON for an empty extra.
        given = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValidationError(f'{where}: the extra is not a JSON object; write it as {{"key": "value"}}.')
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}."
            raise ValidationError(f"{where}: the extra has an unknown key {name!r}; {meant}")
    return {name: _extra(where, name, extra, given.get(name)) for name, extra in known.items()}


def _extra(where: str, name: str, extra: Extra, value: Any) -> Any:
    if value is None or value == "":
        value = extra.default
    if value is None:
        return None
    if name == "verify":
        return _verify(where, value)
    if extra.numeric:
        return _number(where, name, extra, value)
    if isinstance(value, (bool, dict, list)):
        raise ValidationError(f"{where}: the extra {name!r} must be text; enter the {extra.label} in quotes.")
    if extra.secret:
        return _secret(where, f"extra {name!r}", extra.label, value)
    if extra.choices and str(value).lower() not in extra.choices:
        raise ValidationError(f"{where}: the extra {name!r} must be one of {', '.join(extra.choices)}, got {value!r}.")
    return str(value).lower() if extra.choices else str(value)


def _number(where: str, name: str, extra: Extra, value: Any) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if (
        isinstance(value, bool)
        or not 0 < number <= extra.largest
        or (extra.kind == "integer" and not number.is_integer())
    ):
        kind = "whole number" if extra.kind == "integer" else "number"
        raise ValidationError(
            f"{where}: the extra {name!r} must be a {kind} above 0, up to {extra.largest:g}, got {value!r}."
        )
    return int(number) if extra.kind == "integer" else number


def _verify(where: str, value: Any) -> bool | str:
    text = str(value)
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    try:
        exists = Path(text).exists()
    except OSError:
        exists = False
    if not exists:
        raise ValidationError(f"{where}: the extra 'verify' names the CA bundle {text!r}, which does not exist.")
    return text


def account_name(account: Account) -> str:
    """Return what the webhooks of ``account`` go by: the login, or the connection's id where there is none.

    The password has no part in it: a key that is replaced must not make the webhooks' secrets unknown.
    """
    return f"{account.vendor.conn_type}/{account.base_url}/{account.login or account.conn_id}"


def secrets_of(account: Account) -> WebhookSecrets:
    """Return what is kept of the webhooks of ``account``."""
    from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets  # loads SQLAlchemy

    return WebhookSecrets(account_name(account))
