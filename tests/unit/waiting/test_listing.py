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
from airflow_provider_mkt.waiting.flow_social import MAX_QUIET, Posts
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


def test_posts_that_go_out_now_are_asked_for_together() -> None:
    known = {"r1": post(1, -30), "r2": post(2, 10), "r3": post(3, 7200)}
    due, other = Posts().parts(known, NOW)
    assert sorted(due.ids) == ["r1", "r2"]
    assert due.call.query["sort"] == "-scheduledFor"
    assert due.lowest == known["r1"]["scheduledFor"]
    assert list(other.ids) == ["r3"]


def test_posts_that_go_out_soon_cost_one_request_until_then() -> None:
    """Five thousand of them lie on fifty pages: those would use up the rate limit before anything has gone out."""
    known = {f"r{each}": post(each, 40 + each / 10) for each in range(5_000)}
    early = [post(7, 40.7, "done"), post(8, 40.8, "flowing")]

    def answer(call: Call) -> Any:
        assert call.query["filter[status][in]"] == "blocked,done,flowing"
        assert int(call.query["filter[scheduledFor][gte]"]) <= (NOW + 40) * 1000
        return {"data": early}

    found, calls = walked(Posts(), list(known), answer, known=known)
    assert len(calls) == 1
    assert found == {**known, "r7": early[0], "r8": early[1]}


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


def test_everybody_asks_the_same_within_a_minute() -> None:
    known = {"r1": post(1, -300)}
    beginning = NOW - NOW % 60 - 30 + 1
    asked = {str(Posts().parts(known, beginning + each)[0].call.query) for each in (0.0, 20.0, 58.0)}
    assert len(asked) == 1


def test_the_walk_ends_behind_the_earliest() -> None:
    def answer(call: Call) -> Any:
        if call.path:
            return {"id": "r1", "status": "blocked", "scheduledFor": 1}
        page = int(call.query["page"])
        return {"data": [post(1000 * page + each, -100 * page - each) for each in range(100)]}

    known = {f"r{each}": post(each, -20) for each in (1, 2, 3)}
    _, calls = walked(Posts(), list(known), answer, known=known)
    assert [bool(each.path) for each in calls] == [False, True, True, True]


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
