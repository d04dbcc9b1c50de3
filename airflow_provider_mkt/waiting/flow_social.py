# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for Flow Social posts. A failed try is repeated by the vendor: only ``done`` and ``blocked`` are final."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_mkt.client.durations import CLOCK_SKEW
from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.client.paging import PageNumbers, find_rows
from airflow_provider_mkt.exceptions import ApiError, NotFoundError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.hooks.flow_social.posts import filter_query
from airflow_provider_mkt.vendors import flow_social
from airflow_provider_mkt.waiting.base import FINAL, Verdict, WaitState, Watch, overall, state_of
from airflow_provider_mkt.waiting.listing import Known, Listing, Part

FEW = 10
"""Posts up to which each is read by itself; more are looked for in the list of posts, a hundred to a request."""
LIST_MARGIN = 2 * CLOCK_SKEW
"""Seconds before ``since`` from which posts are listed. A few more rows cost little; posts that are not among them are
read one by one."""
SHOWN = 20
SOON = 900.0
"""Seconds before a post goes out from which it is looked for among those that have begun to: clocks differ."""
LATE = 300.0
"""Seconds after its time from which a post that has not ended is looked for among all: it may have been moved or
deleted, or have a status that is not documented."""
GRID = 60
"""Seconds to which the time in a list's filter is rounded, so that all who ask within a minute ask the same."""
BEGUN = frozenset(flow_social.POST_STATUSES) - {"queued"}
ENDED = frozenset(flow_social.POST_STATUSES) - flow_social.PENDING
MAX_QUIET = 900.0
"""Seconds after which a post is looked at although its time is further off: people move and delete posts."""


class Posts(Listing):
    """The list of posts: what has changed, by status and time; for the others all posts, the newest first."""

    name = "posts"

    def parts(self, wanted: Known, now: float) -> Sequence[Part]:
        """Return the walks. Only changes cost pages: of posts that wait for their time or flow, none is listed.

        The filters of the first two are the same whoever asks, so several triggerers ask once.
        """
        flowing: dict[str, float] = {}
        queued: dict[str, float] = {}
        late: dict[str, float] = {}
        others: list[str] = []
        for thing, row in wanted.items():
            at = _time_of(row)
            status = str(row.get("status")) if at is not None else ""
            if at is None or at > now + SOON:
                others.append(thing)
            elif status in flow_social.PENDING and at > now - LATE:
                (queued if status == "queued" else flowing)[thing] = at
            elif at <= now:
                late[thing] = at
            else:
                others.append(thing)
        parts = []
        if flowing:
            parts.append(_changed(ENDED, flowing))
        if queued:
            parts.append(_changed(BEGUN, queued))
        if late:
            parts.append(_by_time(late))
        if others:
            call = flow_social.LIST_POSTS(query={"sort": "-createdAt"}, priority=Priority.POLL)
            parts.append(Part(call, PageNumbers(), others))
        return parts

    def single(self, thing: str) -> Call:
        """Return the request that reads one post."""
        return flow_social.GET_POST(path={"post_id": thing}, priority=Priority.POLL)

    def quiet_for(self, row: Any, now: float) -> float:
        """Return half the time until a queued post goes out, at most a quarter of an hour; 0 when it does so soon."""
        at = _time_of(row)
        quiet = at is not None and row.get("status") == "queued" and at - now > SOON
        return min(MAX_QUIET, (at - now) / 2) if quiet and at is not None else 0.0


def _changed(statuses: frozenset[str], times: Mapping[str, float]) -> Part:
    """Return the walk for posts that may have come to one of some statuses, with the times at which they go out."""
    part = _latest_first({"status": {"in": sorted(statuses)}}, times)
    return replace(part, paging=PageNumbers(until_empty=True), as_before=True, instead=_by_time(times))


def _by_time(times: Mapping[str, float]) -> Part:
    until = math.ceil(max(times.values()) / GRID) * GRID
    return _latest_first({"scheduledFor": {"lte": until * 1000}}, times)


def _latest_first(filters: Mapping[str, Any], times: Mapping[str, float]) -> Part:
    call = flow_social.LIST_POSTS(query={**filter_query(filters), "sort": "-scheduledFor"}, priority=Priority.POLL)
    return Part(call, PageNumbers(), times, "scheduledFor", {thing: at * 1000 for thing, at in times.items()})


def _time_of(row: Any) -> float | None:
    """Return when a post goes out, as Unix time."""
    at = row.get("scheduledFor") if isinstance(row, dict) else None
    return at / 1000 if isinstance(at, (int, float)) and math.isfinite(at) else None


@dataclass(frozen=True)
class PostWatch(Watch):
    """One or more posts.

    :param post_ids: the posts
    :param targets: statuses that mean success
    :param since: no post was created before this Unix time; None when that is not known
    """

    post_ids: list[str]
    targets: list[str]
    since: float | None = None

    hook = FlowSocialHook
    listing = Posts()

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read every post. Of many, one that is under way is enough to know that waiting is not over."""
        statuses: dict[str, str] = {}
        if len(self.post_ids) > FEW:
            waiting = flow_social.PENDING - set(self.targets)
            if waiting and (found := (yield from self._listed(Priority.POLL, 1, sorted(waiting)))):
                return self._waiting(found)
            if self.since is not None:
                statuses = yield from self._listed(Priority.POLL, len(self.post_ids))
        for post_id in self.post_ids:
            if post_id not in statuses:
                answer = yield flow_social.GET_POST(path={"post_id": post_id}, priority=Priority.POLL)
                statuses[post_id] = answer["status"]
        return self._judged({post_id: statuses[post_id] for post_id in self.post_ids})

    def ids(self) -> list[str]:
        """Return the posts."""
        return self.post_ids

    def judge(self, rows: Mapping[str, Any]) -> Verdict:
        """Judge the posts' rows as :meth:`poll` does."""
        statuses = {post_id: str(rows[post_id].get("status")) for post_id in self.post_ids}
        waiting = flow_social.PENDING - set(self.targets)
        if len(self.post_ids) > FEW:
            for post_id, status in statuses.items():
                if status in waiting:
                    return self._waiting({post_id: status})
        return self._judged(statuses)

    def settled(self, row: Any) -> bool:
        """Tell whether one of the posts has reached its end."""
        status = row.get("status") if isinstance(row, dict) else None
        return isinstance(status, str) and self._state(status) in FINAL

    def _state(self, status: str) -> WaitState:
        failed = (flow_social.FAILED | set(flow_social.DELIVERED)) - set(self.targets)
        return state_of(status, self.targets, flow_social.PENDING, failed)

    def _listed(
        self, priority: Priority, most: int, statuses: Sequence[str] = ()
    ) -> Generator[Call, Any, dict[str, str]]:
        """Find the statuses of up to ``most`` of the posts in the list, those that go out last first.

        :param statuses: only posts of these, or all. A list that does not filter is not believed
        """
        filters: dict[str, Any] = {"status": {"in": list(statuses)}} if statuses else {}
        if self.since is not None:
            filters["createdAt"] = {"gte": int((self.since - LIST_MARGIN) * 1000)}
        query = {**filter_query(filters), "sort": "-scheduledFor,createdAt"}
        wanted = set(self.post_ids)
        call = flow_social.LIST_POSTS(query=query, priority=priority)

        def asked_for(row: dict[str, Any]) -> bool:
            return row.get("id") in wanted and (not statuses or row.get("status", statuses[0]) in statuses)

        rows = yield from find_rows(call, PageNumbers(), asked_for, most)
        return {row["id"]: str(row.get("status")) for row in rows}

    def _waiting(self, found: dict[str, str]) -> Verdict:
        # The same sentence at every poll: each new one is a line in the log.
        message = f"Flow Social: not all of {len(self.post_ids)} posts have gone out"
        return Verdict(WaitState.PENDING, ", ".join(found.values()), message, found)

    def _judged(self, statuses: dict[str, str]) -> Verdict:
        states = {post_id: self._state(status) for post_id, status in statuses.items()}
        told = ", ".join(f"{post_id}: {status}" for post_id, status in statuses.items())
        if len(statuses) > FEW:
            counts = ", ".join(f"{number} {status}" for status, number in sorted(Counter(statuses.values()).items()))
            odd = [post_id for post_id, state in states.items() if state in (WaitState.FAILED, WaitState.UNKNOWN)]
            told = f"{counts}" + (f" (not as wanted: {_shown(odd)})" if odd else "")
        return Verdict(
            overall(states.values()),
            ", ".join(sorted(set(statuses.values()))),
            f"Flow Social post{'s' if len(statuses) > FEW else ''} {told}",
            statuses,
            # A post goes to several networks: a blocked one may have been delivered on some.
            untouched=False,
        )

    def cancel(self) -> Generator[Call, Any, str]:
        """Delete the posts that are still queued, and confirm that by reading them again; published ones stay.

        :raises ApiError: naming what may still go out
        """
        before = yield from self._queued(self.post_ids)
        reasons: dict[str, str] = {}
        for calls, ids in _deletions(before):
            try:
                yield calls
            except NotFoundError:
                continue
            except ApiError as error:
                reasons.update(dict.fromkeys(ids, f" ({error})"))
        after = (yield from self._queued(before)) if before else []
        deleted = [post_id for post_id in before if post_id not in set(after)]
        if after:
            left = _shown([f"{post_id}{reasons.get(post_id, '')}" for post_id in after])
            raise ApiError(
                f"Not deleted: {left}. Deleted: {_shown(deleted)}. Delete the rest at Flow Social.",
                vendor=flow_social.VENDOR.name,
            )
        return f"deleted {_shown(deleted)}"

    def _queued(self, post_ids: Sequence[str]) -> Generator[Call, Any, list[str]]:
        """Return those posts that are still queued; one that cannot be read counts as queued."""
        if len(post_ids) > FEW:
            found = yield from self._listed(Priority.LAUNCH, len(self.post_ids), ["queued"])
            return [post_id for post_id in post_ids if post_id in found]
        queued = []
        for post_id in post_ids:
            try:
                post = yield flow_social.GET_POST(path={"post_id": post_id})
            except NotFoundError:
                continue
            except ApiError:
                post = {"status": "queued"}
            if post["status"] == "queued":
                queued.append(post_id)
        return queued


def _deletions(post_ids: Sequence[str]) -> list[tuple[Call, list[str]]]:
    """Return the requests that delete posts, each with its posts: few one by one, many by the hundred."""
    if len(post_ids) <= FEW:
        return [(flow_social.DELETE_POST(path={"post_id": post_id}), [post_id]) for post_id in post_ids]
    size = flow_social.MAX_IN_BATCH
    parts = [list(post_ids[start : start + size]) for start in range(0, len(post_ids), size)]
    return [(flow_social.DELETE_POSTS(body={"postIds": part}), part) for part in parts]


def _shown(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return (", ".join(texts[:SHOWN]) or "nothing") + more


def to_stop(receipt: dict[str, Any]) -> PostWatch | None:
    """Return what stops a launch with these ids; None when nothing does."""
    ids = receipt.get("post_ids") or [receipt.get("post_id")]
    posts = [str(each) for each in ids if each]
    return PostWatch(posts, []) if posts else None
