# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How far a list is walked: as far as what is watched needs it, never as far as the account goes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.exceptions import ApiError, AuthenticationError, NotFoundError, ServerError, ValidationError
from airflow_provider_mkt.waiting.flinque import UNLISTED_PAUSE, Campaigns, Reports
from airflow_provider_mkt.waiting.flokit import Integrations
from airflow_provider_mkt.waiting.flow_social import LATE, MAX_QUIET, Posts
from airflow_provider_mkt.waiting.listing import MAX_SINGLES, Listing, read

NOW = 1_800_000_000.0


def account(rows: int, size: int = 100) -> Callable[[Call], Any]:
    """A vendor with that many rows, newest first: r0, r1 …"""

    def answer(call: Call) -> Any:
        if call.path:
            thing = next(iter(call.path.values()))
            if int(thing[1:]) >= rows:
                raise NotFoundError("no such thing", status=404)
            return {"id": thing, "status": "active"}
        page = int(call.query.get("page", 1))
        shown = [{"id": f"r{each}", "status": "active"} for each in range((page - 1) * size, min(page * size, rows))]
        return {"data": shown, "meta": {"page": page, "per_page": size, "total": rows}}

    return answer


def walked(
    listing: Listing,
    wanted: Collection[str],
    answer: Callable[[Call], Any],
    watched: Collection[str] = (),
    known: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], list[Call]]:
    talk = read(listing, {each: (known or {}).get(each) for each in wanted}, {*wanted, *watched}, NOW)
    calls: list[Call] = []
    try:
        call = next(talk)
        while True:
            calls.append(call)
            assert call.priority is Priority.POLL
            try:
                given = answer(call)
            except ApiError as error:
                call = talk.throw(error)
            else:
                call = talk.send(given)
    except StopIteration as end:
        return end.value, calls


def test_a_page_tells_a_hundred() -> None:
    ids = [f"r{each}" for each in range(100)]
    found, calls = walked(Campaigns(), ids, account(1_000_000))
    assert sorted(found) == sorted(ids)
    assert len(calls) == 1


def test_one_alone_is_read_by_itself() -> None:
    found, calls = walked(Campaigns(), ["r900000"], account(1_000_000))
    assert found["r900000"]["status"] == "active"
    assert len(calls) == 1


@pytest.mark.parametrize("number", [2, 5, MAX_SINGLES])
def test_what_lies_deep_costs_at_most_twice_as_much(number: int) -> None:
    ids = [f"r{900_000 + 1000 * each}" for each in range(number)]
    found, calls = walked(Campaigns(), ids, account(1_000_000))
    assert sorted(found) == sorted(ids)
    assert len(calls) <= 2 * number


def test_many_that_lie_deep_are_read_in_several_looks() -> None:
    ids = [f"r{900_000 + 1000 * each}" for each in range(100)]
    found, _ = walked(Campaigns(), ids, account(1_000_000))
    assert len(found) == MAX_SINGLES, "the others are looked for again, and nobody else waits for them"


def test_what_comes_along_is_taken() -> None:
    found, _ = walked(Campaigns(), ["r1", "r2"], account(50), watched=["r7"])
    assert sorted(found) == ["r1", "r2", "r7"]


def test_a_bad_id_is_an_error_of_its_own() -> None:
    found, calls = walked(Campaigns(), ["r1", "r2", "r999"], account(50))
    assert isinstance(found.pop("r999"), NotFoundError)
    assert sorted(found) == ["r1", "r2"]
    assert len(calls) == 2


def test_a_report_that_is_not_listed_is_nothing() -> None:
    found, calls = walked(Reports(), ["r999"], account(250))
    assert found == {"r999": None}
    assert len(calls) == 3
    assert Reports().quiet_for(None, NOW) == UNLISTED_PAUSE


def test_a_vendor_that_takes_no_page_size() -> None:
    there = account(50, 20)

    def answer(call: Call) -> Any:
        if "per_page" in call.query:
            raise ValidationError("unknown parameter per_page", status=400)
        return there(call)

    found, calls = walked(Campaigns(), ["r1", "r30"], answer)
    assert sorted(found) == ["r1", "r30"]
    assert len(calls) == 3


def test_a_list_that_may_not_be_read() -> None:
    there = account(50)

    def answer(call: Call) -> Any:
        if not call.path:
            raise NotFoundError("no such route", status=404)
        return there(call)

    assert sorted(walked(Campaigns(), ["r1", "r2"], answer)[0]) == ["r1", "r2"]
    with pytest.raises(NotFoundError):
        walked(Reports(), ["r1", "r2"], answer)


@pytest.mark.parametrize(("error", "everybodys"), [(AuthenticationError("401"), True), (ServerError("500"), False)])
def test_an_error_of_one_is_told_from_that_of_all(error: ApiError, everybodys: bool) -> None:
    there = account(50)

    def answer(call: Call) -> Any:
        if call.path:
            raise error
        return there(call)

    if everybodys:
        with pytest.raises(type(error)):
            walked(Campaigns(), ["r1", "r99"], answer)
    else:
        assert walked(Campaigns(), ["r1", "r99"], answer)[0]["r99"] is error


def test_the_whole_of_a_short_list() -> None:
    def answer(_: Call) -> Any:
        return {"integrations": [{"id": "a", "status": "connected"}, {"id": "b", "status": "syncing"}]}

    assert sorted(walked(Integrations(), ["a", "b"], answer)[0]) == ["a", "b"]


# Posts


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
    found, calls = walked(Posts(), list(known), listed(*{**known, **news}.values()), known=known)
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
