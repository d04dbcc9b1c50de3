# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Caps: how much money launches may spend, for each launch, run, day and month. They are never exceeded.

The money is reserved in the transaction that admits a launch, so no number of workers can exceed a cap together. What
was accepted or may have happened counts; what certainly did not happen is given back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection, text

from airflow_provider_mkt.exceptions import CapReachedError, LaunchRefusedError
from airflow_provider_mkt.state.launches.launch import MILLS, Launch

PERIODS = ("launch", "run", "day", "month")
CURRENCY = re.compile(r"[A-Z]{3}")
PART = re.compile(r"(\w+)\s+(\d{1,12}(?:\.\d{1,2})?)", re.ASCII)
LOCK = 0x6D6B63
"""PostgreSQL's advisory lock under which money is reserved, beside a number for the currency."""
MOST_USED = 3
"""DAGs that a refusal names as those that have used a cap."""
_SINCE = "counted_at >= :since"
_WHERE: dict[str, str] = {
    "run": "deployment = :deployment AND dag_id = :dag_id AND run_id = :run_id",
    "day": _SINCE,
    "month": _SINCE,
}
_COUNTED = "FROM mkt_launch WHERE counted_at IS NOT NULL AND currency = :currency AND launch <> :launch"


@dataclass(frozen=True)
class Cap:
    """The most that may be spent.

    :param period: one of :data:`PERIODS`
    :param limit: thousandths of the currency
    :param currency: of three letters
    :param account: the account, as the register names it; "" for all accounts together
    """

    period: str
    limit: int
    currency: str
    account: str = ""

    def __str__(self) -> str:
        whose = "this account" if self.account else "all accounts together"
        return f"{amount_of(self.limit)} {self.currency} a {self.period} for {whose}"

    def covers(self, launch: Launch) -> bool:
        """Tell whether it is for a launch."""
        return self.currency == launch.currency and self.account in ("", launch.account)


@dataclass(frozen=True)
class Use:
    """How far a cap is used.

    :param cap: the cap
    :param spent: thousandths of the currency, without the launch that was asked about
    :param resets: when it is whole again, in Unix time; None for a launch or a run
    :param by: the DAGs that have used most, with how much
    """

    cap: Cap
    spent: int
    resets: float | None
    by: Sequence[tuple[str, int]] = ()

    @property
    def left(self) -> int:
        """How much may still be spent; never below 0, also where a cap was lowered."""
        return max(0, self.cap.limit - self.spent)


def amount_of(mills: int) -> str:
    """Return an amount for people."""
    return f"{mills / MILLS:,.2f}"


def caps_of(text_: str, currency: str, account: str = "") -> tuple[Cap, ...]:
    """Return the caps that are written as ``launch 2000, run 4000, day 5000, month 60000``.

    :raises ValueError: saying what is wrong
    """
    found = dict(_parts(text_))
    if odd := sorted(set(found) - set(PERIODS)):
        raise ValueError(f"{odd[0]!r} is no cap; there are {', '.join(PERIODS)}")
    if found and CURRENCY.fullmatch(currency) is None:
        raise ValueError(f"the currency of the caps must be three capital letters such as GBP, got {currency!r}")
    return tuple(Cap(period, found[period], currency, account) for period in PERIODS if period in found)


def common_caps(text_: str) -> tuple[Cap, ...]:
    """Return the caps for all accounts, written as ``GBP: day 10000, month 100000; EUR: day 500``.

    :raises ValueError: saying what is wrong
    """
    found: list[Cap] = []
    for part in filter(str.strip, text_.split(";")):
        currency, colon, caps = part.partition(":")
        if not colon:
            raise ValueError(f"{part.strip()!r} does not begin with a currency and a colon, such as 'GBP: day 10000'")
        found += caps_of(caps, currency.strip())
    return tuple(found)


def amounts_of(text_: str) -> dict[str, int]:
    """Return amounts by name, written as ``facebookv2 1500, googlev1 900``, in thousandths.

    :raises ValueError: saying what is wrong
    """
    return dict(_parts(text_))


def _parts(text_: str) -> Iterator[tuple[str, int]]:
    for part in filter(str.strip, text_.split(",")):
        match = PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is no name with an amount, such as 'day 5000'")
        yield match[1], round(float(match[2]) * MILLS)


def lock(connection: Connection, currency: str, caps: Sequence[Cap]) -> None:
    """Have nobody else reserve money of a currency in this transaction. SQLite has one writer at a time anyway.

    The time is asked for afterwards, so that a launch counts in the period that it was checked for.
    """
    if caps and connection.dialect.name == "postgresql":
        number = int.from_bytes(currency.encode()[:3], "big")
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock, :number)"), {"lock": LOCK, "number": number})


def check_caps(connection: Connection, launch: Launch, caps: Sequence[Cap], now: float, zone: tzinfo) -> None:
    """Return when a launch fits into all caps.

    :param launch: what is about to leave; what an earlier try reserved for it does not count
    :param now: the store's time
    :param zone: in which days and months begin
    :raises CapReachedError: naming the cap, what is left, when it resets, and who has used it
    :raises LaunchRefusedError: when what the launch costs is not known
    """
    mine = [cap for cap in caps if cap.covers(launch)]
    if not mine:
        return
    if launch.amount is None:
        raise LaunchRefusedError(
            f"There is a cap of {mine[0]}, and what this launch costs is not known here. Nothing was sent. Name its "
            "budget, or enter the plan's amount into the extra 'plan_amounts' of the connection."
        )
    for cap in mine:
        use = use_of(connection, cap, now, zone, launch)
        if use.spent + launch.amount > cap.limit:
            raise CapReachedError(_refusal(use, launch.amount, zone))


def use_of(connection: Connection, cap: Cap, now: float, zone: tzinfo, launch: Launch | None = None) -> Use:
    """Return how far a cap is used.

    :param launch: the launch that asks: its run is meant, and it does not count itself
    """
    since, resets = bounds(cap.period, now, zone)
    if cap.period == "launch" or (cap.period == "run" and launch is None):
        return Use(cap, 0, None)
    own = "" if not cap.account else " AND account = :account"
    where = f"{_COUNTED} AND {_WHERE[cap.period]}{own}"
    values: dict[str, Any] = {"currency": cap.currency, "account": cap.account, "since": since, "launch": ""}
    if launch is not None:
        names = ("launch", "deployment", "dag_id", "run_id")
        values.update({name: getattr(launch, name) for name in names})
    rows = connection.execute(
        text(f"SELECT dag_id, SUM(amount) {where} GROUP BY dag_id ORDER BY 2 DESC"),
        values,
    ).all()
    by = [(str(dag_id), int(spent or 0)) for dag_id, spent in rows]
    return Use(cap, sum(spent for _, spent in by), resets, [each for each in by if each[1]][:MOST_USED])


def bounds(period: str, now: float, zone: tzinfo) -> tuple[float, float | None]:
    """Return when the present period began, and when the next one begins; None where there is none."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        begin, end = today, today + timedelta(days=1)
    elif period == "month":
        begin = today.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    else:
        return 0.0, None
    return begin.timestamp(), end.timestamp()


def _refusal(use: Use, amount: int, zone: tzinfo) -> str:
    cap = use.cap
    users = ", ".join(f"{dag_id} {amount_of(spent)}" for dag_id, spent in use.by)
    at = use.resets and datetime.fromtimestamp(use.resets, zone).isoformat(" ", "minutes")
    resets = f" It resets at {at}." if at else ""
    return (
        f"This launch costs {amount_of(amount)} {cap.currency}, and the cap is {cap}: {amount_of(use.left)} is left. "
        f"Nothing was sent.{resets}{f' Used by {users}.' if users else ''}"
    )
