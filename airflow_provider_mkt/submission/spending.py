# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a launch costs, and the caps that it has to fit into: by the connection and by the configuration."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.state.launches.caps import Cap, amounts_of, caps_of, common_caps
from airflow_provider_mkt.state.launches.launch import MILLS, Effect, Launch

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.account import Account

OPTION = ("mkt", "caps")
ABOVE = ("mkt", "approval_above")
LIMIT = re.compile(r"(\d{1,12}(?:\.\d{1,2})?)\s+([A-Z]{3})", re.ASCII)


def cost_of(account: Account, effect: Effect) -> int | None:
    """Return what a launch costs, in thousandths; None when it spends nothing, or that is not known here.

    :raises ValidationError: when the connection's ``plan_amounts`` cannot be read
    """
    if not effect.spends:
        return None
    return plan_amounts(account).get(effect.plan) if effect.amount is None else round(effect.amount * MILLS)


def plan_amounts(account: Account) -> dict[str, int]:
    """Return what the plans of an account cost, in thousandths, as its connection says.

    :raises ValidationError: when that cannot be read
    """
    try:
        return amounts_of(str(account.extras.get("plan_amounts") or ""))
    except ValueError as error:
        raise _problem(account, "plan_amounts", error) from None


def currency_of(account: Account, effect: Effect) -> str:
    """Return the currency that a launch spends; "" where nobody says."""
    return effect.currency or str(account.extras.get("currency") or "")


def account_caps(account: Account) -> tuple[Cap, ...]:
    """Return the caps of the connection.

    :raises ValidationError: when they cannot be read
    """
    written, currency = str(account.extras.get("caps") or ""), str(account.extras.get("currency") or "")
    try:
        return caps_of(written, currency, account_name(account))
    except ValueError as error:
        raise _problem(account, "caps", error) from None


def configured_caps() -> tuple[Cap, ...]:
    """Return the caps for all accounts together, ``[mkt] caps``.

    :raises ValidationError: when they cannot be read
    """
    from airflow.sdk import conf  # reads the configuration

    try:
        return common_caps(str(conf.get(*OPTION, fallback="") or ""))
    except ValueError as error:
        raise ValidationError(f"[mkt] caps: {error}. Nothing was sent.") from None


def approval_limits() -> dict[str, int]:
    """Return the amounts above which a launch needs an approval, in thousandths, by currency; ``[mkt] approval_above``.

    :raises ValidationError: when they cannot be read
    """
    from airflow.sdk import conf  # reads the configuration

    limits: dict[str, int] = {}
    for part in filter(str.strip, str(conf.get(*ABOVE, fallback="") or "").split(",")):
        match = LIMIT.fullmatch(part.strip())
        if match is None or match[2] in limits:
            raise ValidationError(
                f"[mkt] approval_above: {part.strip()!r} is no amount with a currency of its own, such as '500 GBP'. "
                "Several are separated by commas. Nothing was sent."
            )
        limits[match[2]] = round(float(match[1]) * MILLS)
    return limits


def caps_for(account: Account, launch: Launch) -> tuple[Cap, ...]:
    """Return the caps that a launch that spends money has to fit into.

    :raises ValidationError: when there are caps, and the currency of the launch is not known
    """
    caps = (*account_caps(account), *configured_caps())
    if caps and not launch.currency:
        raise ValidationError(
            f"There are caps on what launches spend, and the currency of connection {account.conn_id!r} is not known. "
            "Nothing was sent. Enter it into the extra 'currency'."
        )
    return tuple(cap for cap in caps if cap.covers(launch))


def day_zone() -> tzinfo:
    """Return the time zone in which days and months begin: ``[core] default_timezone``."""
    from airflow.sdk import conf

    name = str(conf.get("core", "default_timezone", fallback="utc")).strip()
    if name.lower() == "system":
        return datetime.now(timezone.utc).astimezone().tzinfo or timezone.utc
    return timezone.utc if name.lower() == "utc" else ZoneInfo(name)


def _problem(account: Account, name: str, error: ValueError) -> ValidationError:
    return ValidationError(f"Connection {account.conn_id!r}: the extra {name!r}: {error}. Nothing was sent.")
