# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the vendors say after the run: what exists, in which state, and how often it was made.

The state is read from the vendors' own APIs, with the sandbox's credentials and none of the provider's code. How often
something happened comes from the sandbox's ledger of side effects, which no vendor shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from scripts.demo.http import call
from scripts.demo.vendors import EFFECTS, PAGE_SIZE, SIGN_IN, Effect, Headers

UNREAD = "-"
SHOWN_TOGETHER = 3
AUDIENCE_VENDOR = "flodesk"


@dataclass(frozen=True)
class Row:
    """One thing that happened at a vendor.

    :param vendor: connection type
    :param what: in words
    :param ids: the vendor's ids
    :param state: what the vendor says now; :data:`UNREAD` for effects that leave nothing to read
    :param good: whether that is how it should end
    :param times: how often it was really done; anything but 1 is a fault
    """

    vendor: str
    what: str
    ids: tuple[str, ...]
    state: str
    good: bool
    times: int


class Reader:
    """The vendors at one sandbox.

    :param sandbox: its address
    :param connections: its connections by id, as ``--print-connections`` shows them
    """

    def __init__(self, sandbox: str, connections: Mapping[str, Mapping[str, Any]]) -> None:
        self._sandbox = sandbox
        self._connections = {str(one["conn_type"]): one for one in connections.values()}
        self._headers: dict[str, Headers] = {}
        self._lists: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def rows(self) -> list[Row]:
        """Return everything in the ledger that counts, in the order in which it happened.

        :raises HttpStatusError, UnreachableError: a vendor refused or did not answer
        """
        entries = call("GET", f"{self._sandbox}/__sandbox__/ledger")
        # Before the reads below, which sign in and so add to the ledger.
        times = {_key(row): int(row["times"]) for row in call("GET", f"{self._sandbox}/__sandbox__/ledger/summary")}
        found = []
        for entry in entries:
            effect = EFFECTS.get((entry["vendor"], entry["effect"]), Effect(what=str(entry["effect"])))
            if effect.counts:
                found += self._rows_of(entry, effect, times[_key(entry)])
        return found

    def audiences(self, rows: Sequence[Row]) -> list[str]:
        """Return one line for each Flodesk segment that holds a subscriber of ``rows``, with its size there."""
        ours = {one for row in rows if row.vendor == AUDIENCE_VENDOR for one in row.ids}
        if not ours:
            return []
        joined = Counter(
            str(segment["id"])
            for subscriber in self._list(AUDIENCE_VENDOR, "/subscribers", "data")
            if subscriber["id"] in ours
            for segment in subscriber.get("segments") or []
        )
        return [
            f"{AUDIENCE_VENDOR}: segment {one['name']!r} has {one['total_active_subscribers']} active subscribers, "
            f"{joined[one['id']]} of them from this run"
            for one in self._list(AUDIENCE_VENDOR, "/segments", "data")
            if one["id"] in joined
        ]

    def _rows_of(self, entry: Mapping[str, Any], effect: Effect, times: int) -> list[Row]:
        vendor = str(entry["vendor"])
        ids = [str(entry["reference"])] if effect.by_reference else [str(one) for one in entry["ids"]]
        if not effect.path:
            return [Row(vendor, effect.what, tuple(ids), UNREAD, not effect.fault, times)]
        states = [(one, self._state(vendor, effect, one)) for one in ids]
        return [Row(vendor, effect.what, (one,), state, state in effect.good, times) for one, state in states]

    def _state(self, vendor: str, effect: Effect, wanted: str) -> str:
        if effect.rows is None:
            found = self._get(vendor, effect.path.format(id=wanted))
        else:
            rows = self._list(vendor, effect.path, effect.rows)
            found = next((row for row in rows if str(row.get("id")) == wanted), None)
        for name in effect.state:
            found = found.get(name) if isinstance(found, Mapping) else None
        return "not found" if found is None else str(found)

    def _list(self, vendor: str, path: str, name: str) -> list[Mapping[str, Any]]:
        """Return all rows of a list, read once; the vendors' page parameters are alike."""
        rows = self._lists.get((vendor, path))
        if rows is None:
            rows = []
            page = 0
            while len(rows) == page * PAGE_SIZE:
                page += 1
                answer = self._get(vendor, path, {"page": str(page), "per_page": str(PAGE_SIZE)})
                rows += answer[name]
            self._lists[(vendor, path)] = rows
        return rows

    def _get(self, vendor: str, path: str, query: Mapping[str, str] | None = None) -> Any:
        connection = self._connections[vendor]
        if vendor not in self._headers:
            self._headers[vendor] = SIGN_IN[vendor](connection)
        return call("GET", f"{connection['host']}{path}", query=query, headers=self._headers[vendor])


def faults(rows: Sequence[Row], expected: Sequence[str]) -> list[str]:
    """Return what is wrong, in words; empty when everything happened exactly once and ended well.

    :param expected: vendors at which something must have happened
    """
    silent = [f"nothing happened at {vendor}" for vendor in expected if vendor not in {row.vendor for row in rows}]
    repeated = [f"{row.vendor}: {row.what} {row.ids[0]} happened {row.times} times" for row in rows if row.times != 1]
    ended = [f"{row.vendor}: {row.what} {row.ids[0]} is {row.state}" for row in rows if not row.good]
    return [*silent, *repeated, *ended]


def together(rows: Sequence[Row]) -> list[Row]:
    """Join neighbours that differ in their ids only."""
    joined: list[Row] = []
    for row in rows:
        last = joined[-1] if joined else None
        if last and (last.vendor, last.what, last.state, last.times) == (row.vendor, row.what, row.state, row.times):
            joined[-1] = Row(row.vendor, row.what, last.ids + row.ids, row.state, row.good, row.times)
        else:
            joined.append(row)
    return joined


def table(rows: Sequence[Row]) -> Table:
    """Return the table for the end of a demo."""
    result = Table(title="Read back from the vendors", title_justify="left")
    for name in ("vendor", "what", "id", "how many", "state there", "times done"):
        result.add_column(name, justify="right" if name in ("how many", "times done") else "left")
    for row in together(sorted(rows, key=lambda one: (one.vendor, one.what, one.state, one.times))):
        result.add_row(
            row.vendor,
            row.what,
            _ids(row.ids),
            str(len(row.ids)),
            Text(row.state, style="green" if row.good else "bold red"),
            Text("once" if row.times == 1 else str(row.times), style="green" if row.times == 1 else "bold red"),
        )
    return result


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= SHOWN_TOGETHER else f"{ids[0]} … {ids[-1]}"


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return (str(row["vendor"]), str(row["effect"]), str(row["reference"]))
