# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What each status of each vendor means to those who wait."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import ApiError, NotFoundError, ServerError, ValidationError
from airflow_provider_mkt.waiting.base import TOLERATED, FailedPolls, Verdict, WaitState, Watch, overall
from airflow_provider_mkt.waiting.flinque import CampaignWatch as InfluencerCampaignWatch
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import GRACE, SyncWatch, digest
from airflow_provider_mkt.waiting.flow_living import QUEUE_DELAY, CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch

PENDING, UNKNOWN, DONE, FAILED = WaitState.PENDING, WaitState.UNKNOWN, WaitState.DONE, WaitState.FAILED


def seen(watch: Watch, answers: Sequence[Any]) -> Verdict:
    """Look once; each call gets the next answer, or the next error."""
    talk = watch.poll()
    rest = list(answers)
    try:
        call = next(talk)
        while True:
            assert isinstance(call, Call)
            answer = rest.pop(0)
            call = talk.throw(answer) if isinstance(answer, Exception) else talk.send(answer)
    except StopIteration as end:
        assert rest == []
        verdict: Verdict = end.value
        return verdict


def campaign(*statuses: str, targets: Sequence[str] = ("published", "completed"), ids: bool = False) -> Verdict:
    watch = CampaignWatch([f"queue_{number}" for number in range(len(statuses))], list(targets))
    found = {"campaign_id": "camp_1"} if ids else {}
    return seen(watch, [{"status": status, "message": f"it is {status}", **found} for status in statuses])


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", PENDING),
        ("in_progress", PENDING),
        ("published", DONE),
        ("completed", DONE),
        ("paused", PENDING),
        ("failed", FAILED),
        ("cancelled", FAILED),
        ("under_review", UNKNOWN),
        ("PUBLISHED", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_campaign(status: str, state: WaitState) -> None:
    assert campaign(status).state is state


@pytest.mark.parametrize(
    ("status", "targets", "state"),
    [
        ("paused", ["paused"], DONE),
        ("published", ["paused"], PENDING),
        ("completed", ["paused"], FAILED),
        ("completed", ["published"], FAILED),
        ("cancelled", ["cancelled"], DONE),
        ("failed", ["failed"], DONE),
        ("published", ["completed"], PENDING),
        ("under_review", ["under_review"], DONE),
    ],
)
def test_campaign_with_other_targets(status: str, targets: list[str], state: WaitState) -> None:
    assert campaign(status, targets=targets).state is state


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("published", "completed"), DONE),
        (("published", "queued"), PENDING),
        (("failed", "queued"), PENDING),
        (("failed", "published"), FAILED),
        (("failed", "under_review"), UNKNOWN),
        (("published", "under_review"), UNKNOWN),
        (("failed", "failed"), FAILED),
    ],
)
def test_campaign_in_parts(statuses: tuple[str, ...], state: WaitState) -> None:
    verdict = campaign(*statuses)
    assert verdict.state is state
    assert all(f"queue_{number}: {status}" in verdict.message for number, status in enumerate(statuses))


def test_campaign_is_untouched_only_when_all_of_it_failed_without_a_trace() -> None:
    assert campaign("failed", "failed").untouched
    assert not campaign("failed", "failed", ids=True).untouched
    assert not campaign("failed", "cancelled").untouched
    assert not campaign("failed", "published").untouched


def test_campaign_tells_why_it_failed() -> None:
    assert "it is failed" in campaign("failed", "published").message
    assert "it is published" not in campaign("failed", "published").message


def test_new_campaign_may_not_be_known_yet() -> None:
    young = CampaignWatch(["queue_1"], ["published"], time.time() - QUEUE_DELAY + 5)
    assert seen(young, [NotFoundError("404")]).state is PENDING
    for old in (CampaignWatch(["queue_1"], ["published"], time.time() - QUEUE_DELAY - 5), CampaignWatch(["q"], ["p"])):
        with pytest.raises(NotFoundError):
            seen(old, [NotFoundError("404")])


@pytest.mark.parametrize(
    ("status", "state"),
    [("queued", PENDING), ("flowing", PENDING), ("done", DONE), ("blocked", FAILED), ("draft", UNKNOWN)],
)
def test_post(status: str, state: WaitState) -> None:
    verdict = seen(PostWatch(["post_1"], ["done"]), [{"id": "post_1", "status": status}])
    assert verdict.state is state
    # A blocked post may have been delivered on some of its networks.
    assert not verdict.untouched
    assert verdict.answer == {"post_1": status}


def test_posts_with_other_targets() -> None:
    flowing = PostWatch(["post_1"], ["flowing"])
    assert seen(flowing, [{"status": "flowing"}]).state is DONE
    assert seen(flowing, [{"status": "done"}]).state is FAILED


def test_posts_that_differ() -> None:
    both = PostWatch(["post_1", "post_2"], ["done"])
    verdict = seen(both, [{"status": "blocked"}, {"status": "done"}])
    assert verdict.state is FAILED
    assert not verdict.untouched
    assert seen(both, [{"status": "blocked"}, {"status": "queued"}]).state is PENDING


MANY = [f"post_{number}" for number in range(250)]


def listed(*statuses: str) -> dict[str, Any]:
    return {"data": [{"id": post_id, "status": status} for post_id, status in zip(MANY, statuses, strict=False)]}


def test_one_of_many_posts_that_is_under_way_is_enough() -> None:
    foreign = {"data": [{"id": f"other_{number}", "status": "queued"} for number in range(100)]}
    verdict = seen(PostWatch(MANY, ["done"]), [foreign, listed("queued")])
    assert verdict.state is PENDING
    assert verdict.message == "Flow Social: not all of 250 posts have gone out"


def test_many_posts_are_settled_by_the_list() -> None:
    pages = [{"data": [{"id": each, "status": "done"} for each in MANY[at : at + 100]]} for at in (0, 100, 200)]
    verdict = seen(PostWatch(MANY, ["done"], 1_780_000_000.0), [{"data": []}, *pages])
    assert verdict.state is DONE
    assert verdict.answer == dict.fromkeys(MANY, "done")
    assert verdict.message == "Flow Social posts 250 done"


def test_a_post_that_the_list_leaves_out_is_asked_for() -> None:
    """A list that is walked while it changes may skip rows, and nothing is taken for done unseen."""
    ids = MANY[:12]
    walked = [{"data": []}, listed(*["done"] * 11)]
    assert seen(PostWatch(ids, ["done"], 1.0), [*walked, {"status": "done"}]).state is DONE
    assert seen(PostWatch(ids, ["done"], 1.0), [*walked, {"status": "queued"}]).state is PENDING
    blocked = seen(PostWatch(ids, ["done"], 1.0), [*walked, {"status": "blocked"}])
    assert blocked.state is FAILED
    assert blocked.message == "Flow Social posts 1 blocked, 11 done (not as wanted: post_11)"
    assert not blocked.untouched
    with pytest.raises(NotFoundError):
        seen(PostWatch(ids, ["done"], 1.0), [*walked, NotFoundError("404")])


def test_a_list_that_does_not_filter_by_status_is_not_believed() -> None:
    ids = MANY[:12]
    done = listed(*["done"] * 12)
    assert seen(PostWatch(ids, ["done"], 1.0), [done, done]).state is DONE
    # With a post among them that is under way, the first answer is enough.
    assert seen(PostWatch(ids, ["done"], 1.0), [listed("done", "queued")]).state is PENDING


def test_many_posts_of_unknown_age_are_read_when_none_is_under_way() -> None:
    answers = [{"status": "done"}] * 12
    assert seen(PostWatch(MANY[:12], ["done"]), [{"data": []}, *answers]).state is DONE


def test_many_posts_with_a_target_on_the_way() -> None:
    flowing = seen(PostWatch(MANY[:12], ["queued", "flowing"], 1.0), [listed(*["queued"] * 11, "flowing")])
    assert flowing.state is DONE


@pytest.mark.parametrize(
    ("status", "state"),
    [("pending", PENDING), ("processing", PENDING), ("ready", DONE), ("failed", FAILED), ("archived", UNKNOWN)],
)
def test_report(status: str, state: WaitState) -> None:
    rows = [{"id": "re_2", "status": "ready"}, {"id": "re_1", "status": status}]
    verdict = seen(ReportWatch("re_1"), [{"data": rows}])
    assert verdict.state is state
    assert verdict.untouched is (state is FAILED)


@pytest.mark.parametrize(
    ("status", "targets", "state"),
    [
        ("draft", ["active", "completed"], PENDING),
        ("paused", ["active", "completed"], PENDING),
        ("active", ["active", "completed"], DONE),
        ("completed", ["active", "completed"], DONE),
        ("archived", ["active", "completed"], FAILED),
        ("active", ["paused"], PENDING),
        ("completed", ["paused"], FAILED),
        ("archived", ["archived"], DONE),
        ("draft", ["draft"], DONE),
        ("under_review", ["active"], UNKNOWN),
        ("under_review", ["under_review"], DONE),
        ("Active", ["active"], UNKNOWN),
        (None, ["active"], UNKNOWN),
    ],
)
def test_influencer_campaign(status: str | None, targets: list[str], state: WaitState) -> None:
    verdict = seen(InfluencerCampaignWatch("ca_1", targets), [{"id": "ca_1", "status": status}])
    assert verdict.state is state
    assert not verdict.untouched
    assert verdict.message == f"Flinque campaign ca_1: {status}"


def test_report_on_a_later_page_or_on_none() -> None:
    first = {"data": [{"id": "re_9", "status": "ready"}], "meta": {"page": 1, "per_page": 1, "total": 2}}
    second = {"data": [{"id": "re_1", "status": "ready"}], "meta": {"page": 2, "per_page": 1, "total": 2}}
    assert seen(ReportWatch("re_1"), [first, second]).state is DONE
    missing = seen(ReportWatch("re_7"), [first, second])
    assert missing.state is UNKNOWN
    assert "lists no report re_7" in missing.message


def integration(status: str, synced: str | None = None, error: str | None = None) -> list[dict[str, Any]]:
    return [{"id": "int_1", "status": status, "last_synced_at": synced, "error_message": error}]


BEFORE, AFTER = "2026-06-08T09:00:00.000Z", "2026-06-08T09:05:00.000Z"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (integration("syncing", BEFORE), PENDING),
        (integration("syncing", AFTER), PENDING),
        (integration("connected", BEFORE), PENDING),
        (integration("connected", None), PENDING),
        (integration("connected", "yesterday"), PENDING),
        (integration("connected", AFTER), DONE),
        (integration("connected", "2026-06-08T11:05:00+02:00"), DONE),
        (integration("connected", "2026-06-08T11:00:00+02:00"), PENDING),
        (integration("error", BEFORE, "no access"), FAILED),
        (integration("error", AFTER, "no access"), FAILED),
        (integration("disconnected", AFTER), FAILED),
        (integration("migrating", AFTER), UNKNOWN),
    ],
)
def test_sync(answer: list[dict[str, Any]], state: WaitState) -> None:
    verdict = seen(SyncWatch("int_1", BEFORE), answer)
    assert verdict.state is state
    assert not verdict.untouched


def test_any_sync_counts_without_a_moment() -> None:
    assert seen(SyncWatch("int_1"), integration("connected", BEFORE)).state is DONE
    assert seen(SyncWatch("int_1"), integration("connected", None)).state is PENDING


def test_error_from_before_the_request_is_not_its_result_for_a_minute() -> None:
    now = time.time()
    fresh, old = (SyncWatch("int_1", BEFORE, digest("no access"), now - age) for age in (GRACE - 5, GRACE + 5))
    assert seen(fresh, integration("error", BEFORE, "no access")).state is PENDING
    assert seen(fresh, integration("error", BEFORE, "another")).state is FAILED
    assert seen(old, integration("error", BEFORE, "no access")).state is FAILED
    assert "no access" not in repr(fresh)


def test_moment_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValidationError, match="since must be a date and time"):
        seen(SyncWatch("int_1", "yesterday"), integration("connected", AFTER))


# What they share


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([DONE], DONE),
        ([DONE, PENDING, FAILED], PENDING),
        ([DONE, PENDING, FAILED, UNKNOWN], UNKNOWN),
        ([DONE, FAILED], FAILED),
    ],
)
def test_parts_are_settled_together(states: list[WaitState], expected: WaitState) -> None:
    assert overall(states) is expected


@pytest.mark.parametrize(
    "watch",
    [
        CampaignWatch(["queue_1"], ["published"], 1.5),
        PostWatch(["post_1"], ["done"]),
        PostWatch(["post_1"], ["done"], 1.5),
        ReportWatch("re_1"),
        SyncWatch("int_1", BEFORE, "no access", 1.5),
    ],
)
def test_watches_travel_as_plain_data(watch: Watch) -> None:
    from airflow.sdk.module_loading import import_string

    arguments = json.loads(json.dumps(watch.arguments()))
    assert import_string(watch.path)(**arguments) == watch


@pytest.mark.parametrize("state", list(WaitState))
def test_verdicts_travel_as_plain_data(state: WaitState) -> None:
    verdict = Verdict(state, "status", "message", {"a": [1]}, untouched=True)
    assert Verdict.of(json.loads(json.dumps(verdict.event()))) == verdict
    assert verdict.final is (state in (DONE, FAILED))


@pytest.mark.parametrize("state", list(WaitState))
def test_verdicts_of_tasks_deferred_by_an_earlier_version_are_read(state: WaitState) -> None:
    """As version 0.1 wrote them."""
    event = {"stand": state.value, "status": "s", "message": "m", "answer": {"a": [1]}, "untouched": False}
    assert Verdict.of(event) == Verdict(state, "s", "m", {"a": [1]})
    assert ApiError.from_event(event) is None


def test_verdicts_show_no_secrets() -> None:
    told = "rejected fd_pk_0123456789abcdef of ada@example.com with hunter22"
    answer = {"status": "error", "error_message": told, "details": [{"note": told}]}
    many = {f"queue_{number}": {"status": "published"} for number in range(150)}
    shown = Verdict(FAILED, "error", told, answer).redacted(Redactor(["hunter22"]))
    assert all(secret not in repr(shown) for secret in ("hunter22", "0123456789abcdef", "ada@example.com"))
    assert shown.answer["status"] == "error"
    assert Verdict(DONE, "published", "", many).redacted(Redactor()).answer == many
    assert Verdict(DONE, "published", "", None).redacted(Redactor()).answer is None


def test_patience_ends_at_ten_failures_in_a_row() -> None:
    patience = FailedPolls()
    error = ServerError("503")
    assert [patience.give_up_on(error) for _ in range(TOLERATED - 1)] == [False] * 9
    patience.reset(Verdict(PENDING, "queued", "queued"))
    assert [patience.give_up_on(error) for _ in range(TOLERATED)] == [*[False] * 9, True]


def test_patience_ends_at_once_with_what_cannot_be_cured() -> None:
    assert FailedPolls().give_up_on(NotFoundError("404"))


def test_news_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    patience = FailedPolls()
    with caplog.at_level("INFO", "airflow_provider_mkt"):
        for status in ("queued", "queued", "strange", "strange", "queued"):
            state = UNKNOWN if status == "strange" else PENDING
            patience.reset(Verdict(state, status, f"campaign: {status}"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "campaign: queued"),
        ("WARNING", "campaign: strange"),
        ("INFO", "campaign: queued"),
    ]
