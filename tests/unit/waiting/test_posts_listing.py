# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the list of posts is asked for, and what is concluded from its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError, NotFoundError, ServerError, ValidationError
from airflow_provider_mkt.waiting.flow_social import LATE, MAX_QUIET, Posts
from tests.unit.waiting.test_listing import NOW, walked


def post(number: int, due_in: float, status: str = "queued") -> dict[str, Any]:
    return {"id": f"r{number}", "status": status, "scheduledFor": int((NOW + due_in) * 1000)}


def test_posts_are_asked_for_by_what_may_have_become_of_them() -> None:
    known = {
        "r1": post(1, -30, "flowing"),
        "r2": post(2, -10),
        "r3": post(3, 600),
        "r4": post(4, -301),
        "r5": post(5, 7200),
        "r6": post(6, -10, "publishing"),
        "r7": None,
    }
    asked = {str(each.call.query.get("filter[status][in]")): sorted(each.ids) for each in Posts().parts(known, NOW)[:2]}
    assert asked == {"blocked,done": ["r1"], "blocked,done,flowing": ["r2", "r3"]}
    late, other = Posts().parts(known, NOW)[2:]
    assert sorted(late.ids) == ["r4", "r6"]
    assert "filter[status][in]" not in late.call.query
    assert sorted(other.ids) == ["r5", "r7"]


def listed(*rows: dict[str, Any]) -> Callable[[Call], Any]:
    """A vendor with such posts, which heeds filters of the status and sorts by the time at which posts go out."""

    def answer(call: Call) -> Any:
        if call.path:
            return next(row for row in rows if row["id"] == call.path["post_id"])
        statuses = str(call.query.get("filter[status][in]", "queued,flowing,done,blocked")).split(",")
        begin = 100 * (int(call.query["page"]) - 1)
        shown = sorted((row for row in rows if row["status"] in statuses), key=lambda row: -row["scheduledFor"])
        return {"data": shown[begin : begin + 100]}

    return answer


def test_posts_that_flow_or_go_out_soon_cost_a_request_each_time() -> None:
    """Five thousand of them lie on fifty pages: those would use up the rate limit before anything has ended."""
    flowing = {f"r{each}": post(each, -each / 100, "flowing") for each in range(2_500)}
    soon = {f"r{each}": post(each, 1 + each / 100) for each in range(2_500, 5_000)}
    known = {**flowing, **soon}
    news = {"r7": post(7, -0.07, "done"), "r8": post(8, -0.08, "blocked"), "r2600": post(2_600, 27.0, "done")}
    earlier = [post(each, -60 - each, "done") for each in range(6_000, 6_200)]
    found, calls = walked(Posts(), list(known), listed(*{**known, **news}.values(), *earlier), known=known)
    assert len(calls) == 2
    assert found == {**known, **news}


def test_a_change_is_found_behind_many_that_nobody_waits_for() -> None:
    """What the list did not come to is not as it was: nobody would be told."""
    strangers = [post(each, -20 - each / 100, "done") for each in range(1_000)]
    known = {f"r{each}": post(each, -60, "flowing") for each in (2_001, 2_002)}
    news = [post(each, -60, "done") for each in (2_001, 2_002)]
    found, calls = walked(Posts(), list(known), listed(*strangers, *news), known=known)
    assert found == {row["id"]: row for row in news}
    assert len(calls) == 4, "two pages in vain, then one by one"


def test_what_ends_between_two_walks_is_told_in_this_look() -> None:
    """The list of what has ended was read a moment before it did."""
    known = {"r1": post(1, -20, "flowing"), "r2": post(2, -10)}

    def answer(call: Call) -> Any:
        ended_only = call.query["filter[status][in]"] == "blocked,done"
        return {"data": [post(0, -60, "done")] if ended_only else [post(1, -20, "done")]}

    found, _ = walked(Posts(), list(known), answer, known=known)
    assert {each: row["status"] for each, row in found.items()} == {"r1": "done", "r2": "queued"}


def capped(call: Call, rows: list[dict[str, Any]]) -> Any:
    """A vendor that gives 50 posts where 100 were asked for."""
    begin = 50 * (int(call.query["page"]) - 1)
    return {"data": rows[begin : begin + 50]}


def same_page(_: Call, rows: list[dict[str, Any]]) -> Any:
    return {"data": rows[:100]}


def unsorted(call: Call, rows: list[dict[str, Any]]) -> Any:
    begin = 100 * (int(call.query["page"]) - 1)
    return {"data": rows[::-1][begin : begin + 100]}


@pytest.mark.parametrize(("vendor", "told"), [(capped, 200), (same_page, 100), (unsorted, 100)])
def test_only_a_list_that_keeps_what_is_documented_proves_that_nothing_has_changed(
    vendor: Callable[[Call, list[dict[str, Any]]], Any], told: int
) -> None:
    known = {f"r{each}": post(each, -20 - each, "flowing") for each in range(200)}
    rows = [{**row, "status": "done"} for row in known.values()]

    def answer(call: Call) -> Any:
        return {**rows[0], "id": call.path["post_id"]} if call.path else vendor(call, rows)

    found, _ = walked(Posts(), list(known), answer, known=known)
    assert all(row["status"] == "done" for row in found.values()), "nothing is said to be as it was"
    assert len(found) >= told


def test_posts_that_end_during_the_walk_move_the_others_on() -> None:
    """The next page begins with posts that were read already."""
    known = {f"r{each}": post(each, -100 - each / 10, "flowing") for each in range(250)}
    rows = [{**row, "status": "done"} for row in known.values() if int(row["id"][1:]) % 2]
    strangers = [post(1_000 + each, -each / 10, "done") for each in range(200)]

    def answer(call: Call) -> Any:
        assert not call.path, "nothing is to be read by itself"
        page = int(call.query["page"])
        new = [post(5_000 + each, 10 - each / 100, "done") for each in range(7 * page)]
        return {"data": [*new, *strangers, *rows][100 * page - 100 : 100 * page]}

    found, calls = walked(Posts(), list(known), answer, known=known)
    assert found == {**known, **{row["id"]: row for row in rows}}
    assert len(calls) == 4


@pytest.mark.parametrize("error", [ServerError("500", status=500), ValidationError("unknown operator", status=400)])
def test_where_the_filter_fails_the_list_is_read_without_it(error: ApiError) -> None:
    known = {f"r{each}": post(each, -20 - each, "flowing") for each in range(150)}
    there = listed(*({**row, "status": "done"} for row in known.values()))

    def answer(call: Call) -> Any:
        if "filter[status][in]" in call.query:
            raise error
        return there(call)

    found, calls = walked(Posts(), list(known), answer, known=known)
    assert {row["status"] for row in found.values()} == {"done"}
    assert len(found) == 150
    assert len(calls) == 3


def test_a_vendor_that_is_down_is_not_asked_for_each() -> None:
    known = {f"r{each}": post(each, -20, "flowing") for each in range(150)}
    asked: list[Call] = []

    def answer(call: Call) -> Any:
        asked.append(call)
        raise ServerError("500", status=500)

    with pytest.raises(ServerError):
        walked(Posts(), list(known), answer, known=known)
    assert len(asked) == 2


@pytest.mark.parametrize("odd", [["done"], {}, None, 7])
def test_an_odd_status_breaks_no_loop(odd: Any) -> None:
    known = {"r1": {**post(1, -20), "status": odd}, "r2": post(2, -20, "flowing")}
    found, _ = walked(Posts(), list(known), listed(post(1, -20, "done"), post(2, -20, "done")), known=known)
    assert {row["status"] for row in found.values()} == {"done"}


def test_what_is_due_in_a_while_does_not_lengthen_the_walk() -> None:
    """Only what can still come counts for how many pages are read in vain."""
    strangers = [post(each, -20 - each / 100, "done") for each in range(1_000)]
    soon = {f"r{each}": post(each, 500) for each in range(2_000, 3_000)}
    known = {**soon, "r5000": post(5_000, -200)}
    found, calls = walked(Posts(), list(known), listed(*strangers, *known.values()), known=known)
    assert found == known
    assert len(calls) <= 3


def test_a_filter_that_is_not_heeded_costs_what_the_posts_lie_on() -> None:
    known = {f"r{each}": post(each, 500 - each) for each in range(250)}

    def answer(call: Call) -> Any:
        begin = 100 * (int(call.query["page"]) - 1)
        return {"data": [post(each, 500 - each) for each in range(begin, begin + 100)]}

    found, calls = walked(Posts(), list(known), answer, known=known)
    assert found == known
    assert len(calls) == 3


def test_what_goes_out_soon_is_read_one_by_one_where_the_list_takes_no_filter() -> None:
    known = {"r1": post(1, 40), "r2": post(2, 50)}

    def answer(call: Call) -> Any:
        if not call.path:
            raise ValidationError("unknown operator", status=400)
        return {"id": call.path["post_id"], "status": "done"}

    found, _ = walked(Posts(), list(known), answer, known=known)
    assert {each["status"] for each in found.values()} == {"done"}


def test_a_post_that_stays_away_long_after_its_time_is_looked_for_itself() -> None:
    """Deleted, or moved: no list of what has changed shows it."""

    def answer(call: Call) -> Any:
        if call.path:
            raise NotFoundError("no such post", status=404)
        return {"data": []}

    for overdue, gone in ((LATE - 1, False), (LATE + 1, True)):
        known = {f"r{each}": post(each, -overdue) for each in (1, 2)}
        found, _ = walked(Posts(), list(known), answer, known=known)
        assert [isinstance(row, NotFoundError) for row in found.values()] == [gone, gone]


def test_everybody_asks_the_same() -> None:
    def asked(known: dict[str, Any], now: float) -> list[str]:
        return [str(each.call.query) for each in Posts().parts(known, now)]

    one = {"r1": post(1, -100, "flowing"), "r2": post(2, -20)}
    other = {"r3": post(3, -50, "flowing"), "r4": post(4, 90)}
    assert asked(one, NOW) == asked(other, NOW + 7)


def test_the_walk_ends_behind_the_earliest() -> None:
    known = {f"r{each}": post(each, -20) for each in (1, 2, 3)}
    earlier = [post(each, -21 - each / 10, "done") for each in range(10, 500)]
    found, calls = walked(Posts(), list(known), listed(*known.values(), *earlier), known=known)
    assert found == known
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("row", "quiet"),
    [
        (post(1, 899), 0.0),
        (post(1, 1_200), 600.0),
        (post(1, 86_400), MAX_QUIET),
        (post(1, -5), 0.0),
        (post(1, 1_200, "flowing"), 0.0),
        (None, 0.0),
        ({"id": "r1", "status": "queued"}, 0.0),
        (NotFoundError("gone"), 0.0),
    ],
)
def test_a_post_whose_time_is_far_off_is_left_alone(row: Any, quiet: float) -> None:
    assert Posts().quiet_for(row, NOW) == pytest.approx(quiet)
