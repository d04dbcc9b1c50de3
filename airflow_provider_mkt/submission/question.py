# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a person is shown before something is launched: in words, and exactly as it would be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.state.launches.approvals import Approval, Asked
from airflow_provider_mkt.state.launches.launch import MILLS
from airflow_provider_mkt.submission.digest import plan_digest, shown

AGAIN = "Ask again"
"""The answer with which the task only looks whether it was answered elsewhere, and asks again if not."""
MAX_REQUESTS = 100_000
"""Characters of all requests that Airflow's page shows; ``airflow mkt approvals show`` has all of them."""
MAX_WORDS = 200
"""Requests that it describes in words."""
MAX_REASON = 1_000
MARKUP = re.compile(r"([\\`*_{}\[\]#!|<>~&:@])")
TICKS = re.compile("`+")
REASON: Mapping[str, Any] = {
    "reason": {
        "value": None,
        "description": "Why. Wanted for a refusal: whoever reads the log sees it.",
        "schema": {"type": ["null", "string"], "title": "Reason", "maxLength": MAX_REASON},
    }
}


@dataclass(frozen=True)
class Question:
    """Whether some requests may be launched.

    :param asked: the requests
    """

    asked: Sequence[Asked]

    @property
    def code(self) -> str:
        """The digest of all that the question is about."""
        digests = [each.digest for each in self.asked]
        return digests[0] if len(digests) == 1 else plan_digest(digests)

    @property
    def options(self) -> list[str]:
        """The answers. The yes comes first, the no last; both say what they are about."""
        return [yes_to(self.code), AGAIN, no_to(self.code)]

    @property
    def subject(self) -> str:
        """One line."""
        first = self.asked[0].launch
        if len(self.asked) == 1:
            money = money_of(first.amount, first.currency)
            return f"Launch at {first.vendor}? {first.what}{f', {money}' if money else ''}"
        return f"Launch {len(self.asked)} requests at {vendors_of(self.asked)}? {total_of(self.asked)}".rstrip()

    @property
    def body(self) -> str:
        """All of it in words, then as JSON, as Markdown in which nothing of the data is markup."""
        number = len(self.asked)
        lines = [
            f"Nothing is sent before somebody approves exactly this. The digest is `{shown(self.code)}`.",
            *(_words(at if number > 1 else 0, each) for at, each in enumerate(self.asked[:MAX_WORDS], 1)),
            *([f"… and {number - MAX_WORDS:,} more requests."] if number > MAX_WORDS else []),
        ]
        left = MAX_REQUESTS
        for at, each in enumerate(self.asked, 1):
            left -= len(each.request)
            if left < 0:
                lines.append("`airflow mkt approvals show` has the other requests.")
                break
            lines += [f"Request {at}:" if number > 1 else "The request:", _fenced(each.request)]
        return "\n\n".join(lines)


def yes_to(code: str) -> str:
    """Return the answer that approves."""
    return f"Approve {shown(code)}"


def no_to(code: str) -> str:
    """Return the answer that refuses."""
    return f"Refuse {shown(code)}"


def money_of(mills: int | None, currency: str) -> str:
    """Return an amount for people; "" where none is known."""
    return "" if mills is None else f"{mills / MILLS:,.2f} {currency}".rstrip()


def vendors_of(asked: Sequence[Asked]) -> str:
    """Return the vendors of some requests, in words."""
    return " and ".join(sorted({each.launch.vendor for each in asked}))


def total_of(asked: Sequence[Asked] | Sequence[Approval]) -> str:
    """Return what some requests cost together, for each currency; "" when nothing is known of that."""
    sums: dict[str, int] = {}
    for each in asked:
        row = each.launch if isinstance(each, Asked) else each
        if row.amount is not None:
            sums[row.currency] = sums.get(row.currency, 0) + row.amount
    return " and ".join(money_of(mills, currency) for currency, mills in sorted(sums.items()))


def _words(number: int, asked: Asked) -> str:
    launch = asked.launch
    spends = launch.amount is not None or launch.currency
    facts = {
        "What": launch.what,
        "Vendor": launch.vendor,
        "Account": launch.account,
        "Costs": money_of(launch.amount, launch.currency) or ("not known here" if spends else ""),
        "Goes live": launch.goes_live or "at once",
        "Reaches": "" if launch.audience is None else f"{launch.audience:,}",
        "Started by": launch.triggered_by,
    }
    items = [f"- {name}: {_plain(value)}" for name, value in facts.items() if value]
    return "\n".join([f"**{number}.**\n", *items] if number else items)


def _plain(text: str) -> str:
    """Return a text on one line, in which Markdown finds no markup."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> str:
    ticks = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{ticks}json\n{text}\n{ticks}"
