# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether an account's credentials can be read on their way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import Account

log = logging.getLogger(__name__)

_warned: set[tuple[str, str, str]] = set()
"""What this process has warned of: connection, host and problem."""


def check_transport(account: Account, bases: Mapping[str, str]) -> None:
    """Warn, once per process, when credentials go to another machine in plain http or without a check of certificates.

    :param account: whose credentials they are
    :param bases: where they are sent; "" for what is not configured
    :raises ValidationError: when an address has credentials of its own in it; they are not quoted
    """
    from airflow_provider_mkt.client.redirect import is_loopback  # loads urllib3

    for name, url in bases.items():
        try:
            odd, near, plain = "@" in urlsplit(url).netloc, is_loopback(url), urlsplit(url).scheme == "http"
        except ValueError:
            odd, near, plain = True, False, False
        if odd:
            where = "the host" if name == "api" else f"the address of {name}"
            raise ValidationError(
                f"Connection {account.conn_id!r} ({account.vendor.name}): {where} must be a base URL like "
                f"{account.vendor.base_url}, without a user name or a password.",
                vendor=account.vendor.name,
            )
        if url and not near:
            _warn(account, url, plain)


def _warn(account: Account, url: str, plain: bool) -> None:
    if not plain and account.extras["verify"] is not False:
        return
    from airflow_provider_mkt.client.redirect import host_of  # loads urllib3

    problem = "in plain http" if plain else "without a check of its certificate"
    remedy = "use https" if plain else "set the extra 'verify' to true, or to the path of a CA bundle"
    warning = account.conn_id, host_of(url), problem
    if warning not in _warned:
        _warned.add(warning)
        log.warning(
            "Connection %r (%s) sends its credentials to %s %s: anybody on the way can read them; %s.",
            account.conn_id,
            account.vendor.name,
            host_of(url),
            problem,
            remedy,
        )
