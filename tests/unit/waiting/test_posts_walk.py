# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts at a vendor with a clock of its own: each change is told in the next look, with requests that have a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError, NotFoundError
from airflow_provider_mkt.waiting.flow_social import LATE, MAX_QUIET, SOON, Posts
from airflow_provider_mkt.waiting.listing import MAX_SINGLES, read

BEGIN = 1_800_000_000.0
INTERVAL = 15.0
LONGEST = 2_000.0
STRANGERS = 250


@dataclass
class Post:
    """A post at the vendor; times in seconds from the beginning, by the vendor's clock."""

    at: float
    flows_for: float
    end: str
    moved_to: float | None = None
    moved_at: float = 0.0

    def row(self, name: str, now: float) -> dict[str, Any] | None:
        at = self.moved_to if self.moved_to is not None and now >= self.moved_at else self.at
        if self.end == "deleted" and now >= at:
            return None
        ended = now >= at + self.flows_for
        status = self.end if ended else "flowing" if now >= at else "queued"
        return {"id": name, "status": status, "scheduledFor": int((BEGIN + at) * 1000), "createdAt": int(BEGIN * 1000)}


class Vendor:
    """Heeds filters of the status and of the time, and sorts; a hundred posts to a page."""

    def __init__(self, posts: dict[str, Post], ahead: float) -> None:
        self.posts, self.ahead, self.now, self.calls = posts, ahead, 0.0, 0

    def rows(self) -> dict[str, dict[str, Any]]:
        now = self.now + self.ahead
        rows = {name: row for name, post in self.posts.items() if (row := post.row(name, now)) is not None}
        for each in range(STRANGERS):
            at = int((BEGIN + now - 2 * each) * 1000)
            rows[f"s{each}"] = {"id": f"s{each}", "status": "done", "scheduledFor": at, "createdAt": at}
        return rows

    def __call__(self, call: Call) -> Any:
        self.calls += 1
        rows = self.rows()
        if call.path:
            if call.path["post_id"] not in rows:
                raise NotFoundError("no such post", status=404)
            return rows[call.path["post_id"]]
        statuses = call.query.get("filter[status][in]")
        until = call.query.get("filter[scheduledFor][lte]")
        shown = [
            row
            for row in rows.values()
            if (statuses is None or row["status"] in str(statuses).split(","))
            and (until is None or row["scheduledFor"] <= int(str(until)))
        ]
        shown.sort(key=lambda row: -row[str(call.query["sort"]).lstrip("-")])
        begin = 100 * (int(call.query["page"]) - 1)
        return {"data": shown[begin : begin + 100]}


def look(vendor: Vendor, wanted: dict[str, Any], watched: dict[str, Any]) -> dict[str, Any]:
    talk = read(Posts(), wanted, watched, BEGIN + vendor.now)
    try:
        call = next(talk)
        while True:
            try:
                answer = vendor(call)
            except ApiError as error:
                call = talk.throw(error)
            else:
                call = talk.send(answer)
    except StopIteration as end:
        found: dict[str, Any] = end.value
        return found


def over(row: Any) -> bool:
    return isinstance(row, ApiError) or (isinstance(row, dict) and row["status"] in ("done", "blocked"))


def told(vendor: Vendor) -> dict[str, float]:
    """Look again and again; return when the end of each post was told."""
    known: dict[str, Any] = dict.fromkeys(vendor.posts)
    quiet: dict[str, float] = {}
    ends: dict[str, float] = {}
    while vendor.now < LONGEST + MAX_QUIET + LATE and known:
        wanted = {name: row for name, row in known.items() if quiet.get(name, 0.0) <= vendor.now}
        before = vendor.calls
        for name, row in (look(vendor, wanted, known) if wanted else {}).items():
            known[name] = row
            quiet[name] = vendor.now + Posts().quiet_for(row, BEGIN + vendor.now)
            if over(row):
                ends[name] = vendor.now
                del known[name]
        pages = 2 + (STRANGERS + len(vendor.posts)) // 100
        assert vendor.calls - before <= 4 * pages + MAX_SINGLES
        vendor.now += INTERVAL
    return ends


ONE = st.builds(
    Post,
    at=st.floats(10, LONGEST - 700),
    flows_for=st.sampled_from([0.0, 20.0, 60.0, 299.0, 700.0]),
    end=st.sampled_from(["done", "blocked", "deleted"]),
    moved_to=st.none() | st.floats(10, LONGEST - 700),
    moved_at=st.floats(0, 600),
)


@settings(deadline=None)
@given(st.lists(ONE, min_size=1, max_size=30), st.sampled_from([-200.0, -30.0, 0.0, 30.0, 200.0]))
def test_each_end_is_told(posts: list[Post], ahead: float) -> None:
    vendor = Vendor({f"p{each}": post for each, post in enumerate(posts)}, ahead)
    ends = told(vendor)
    assert ends.keys() == vendor.posts.keys(), "nobody waits for ever, whatever people do to their posts meanwhile"
    for name, post in vendor.posts.items():
        if post.moved_to is None and post.end != "deleted":
            ended = post.at + post.flows_for - ahead
            assert ends[name] < max(ended, 0.0) + INTERVAL + 0.01, "an end is told in the next look"
    assert abs(ahead) < SOON
