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


def test_each_that_has_to_be_read_by_itself_has_its_turn() -> None:
    ids = [f"r{each}" for each in range(30)]
    known: dict[str, Any] = {}
    there = account(50)

    def answer(call: Call) -> Any:
        if not call.path:
            raise NotFoundError("no such route", status=404)
        return there(call)

    for _ in range(2):
        known.update(walked(Campaigns(), ids, answer, known=known)[0])
    assert sorted(known) == sorted(ids), "those that are not known come first"
    read_again: set[str] = set()
    while len(read_again) < len(ids):
        read_again |= walked(Campaigns(), ids, answer, known=known)[0].keys()


def test_what_lies_among_others_costs_at_most_twice_as_much() -> None:
    """Every page shows one of them, after more and more pages that show none."""
    pages, at = [], 0
    for gap in range(40):
        at += gap + 1
        pages.append(at)
    ids = [f"r{100 * page}" for page in pages]
    found, calls = walked(Campaigns(), ids, account(1_000_000))
    assert len(calls) <= 2 * len(ids)
    assert len(found) >= MAX_SINGLES
