# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Each delivery becomes one event, exactly once.

===============================================  =====================================
its DAGs                                         the delivery
===============================================  =====================================
one is not paused                                becomes an event
all are paused                                   waits, with those behind it
there is none                                    is kept, and can be replayed later
the process dies between event and inbox         is due again, and is no second event
two API servers hand over at the same time       is one event
one delivery cannot be written                   those of other events are not held up
===============================================  =====================================
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_mkt.state.inbox import HANDED_OVER, PENDING, UNWANTED, Delivery, Inbox
from airflow_provider_mkt.webhooks import handover
from airflow_provider_mkt.webhooks.handover import hand_over
from tests.unit.webhooks.consumers import events_of, queued, resume, scheduled_on

# No other test in the same Airflow database has assets of this connection.
CONN, EVENT = "flinque_handover", "report.ready"

pytestmark = pytest.mark.slow


def deliver(inbox: Inbox, *identities: str, event: str = EVENT) -> None:
    for identity in identities:
        payload = {"id": identity, "data": {"id": "re_1", "owner_email": "jane.doe@example.com"}}
        inbox.add([Delivery("account", CONN, event, "", identity, payload)])


def identities(asset_id: int) -> list[Any]:
    return [each["delivery_id"] for each in events_of(asset_id)]


def states(inbox: Inbox) -> list[str]:
    return [row.state for row in sorted(inbox.find(), key=lambda row: row.id)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to wait is due again at once."""
    monkeypatch.setattr(handover, "PAUSED_AGAIN", 0.0)
    monkeypatch.setattr(handover, "FAILED_AGAIN", 0.0)


def test_one_event_each_and_a_run_for_dags_that_are_not_paused(inbox: Inbox) -> None:
    with scheduled_on(CONN, EVENT, handover_ready=False, handover_resting=True) as asset:
        deliver(inbox, "one", "two", "one")
        assert hand_over(inbox) == 2
        assert hand_over(inbox) == 0
        assert identities(asset) == ["one", "two"]
        assert "handover_ready" in queued(asset)
        assert "jane.doe" not in json.dumps(events_of(asset))
    assert states(inbox) == [HANDED_OVER] * 2


def test_what_comes_while_all_are_paused_waits_in_its_order(inbox: Inbox) -> None:
    with scheduled_on(CONN, EVENT, handover_resting=True) as asset:
        deliver(inbox, "one", "two")
        assert hand_over(inbox) == 0
        assert identities(asset) == []
        assert states(inbox) == [PENDING] * 2
        resume("handover_resting")
        deliver(inbox, "three")
        assert hand_over(inbox) == 3
        assert identities(asset) == ["one", "two", "three"]


def test_without_a_dag_it_is_kept_for_one_that_is_written_later(inbox: Inbox) -> None:
    deliver(inbox, "one")
    assert hand_over(inbox) == 0
    assert states(inbox) == [UNWANTED]
    with scheduled_on(CONN, EVENT, handover_ready=False) as asset:
        assert hand_over(inbox) == 0
        inbox.replay(inbox.find()[0].id)
        assert hand_over(inbox) == 1
        assert [(each["delivery_id"], each["replay"]) for each in events_of(asset)] == [("one", 1)]


def test_a_process_that_dies_before_the_inbox_knows(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduled_on(CONN, EVENT, handover_ready=False) as asset:
        deliver(inbox, "one", "two")
        with monkeypatch.context() as dying:
            dying.setattr(inbox, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                hand_over(inbox)
        assert identities(asset) == ["one"]
        hand_over(inbox)
        assert identities(asset) == ["one", "two"]
    assert states(inbox) == [HANDED_OVER] * 2


def test_two_api_servers_at_the_same_time(inbox: Inbox) -> None:
    names = [f"evt_{number}" for number in range(20)]

    def until_all_are_handed_over(_: int) -> None:
        while inbox.due(limit=1):
            hand_over(inbox)

    with scheduled_on(CONN, EVENT, handover_ready=False) as asset:
        deliver(inbox, *names)
        with ThreadPoolExecutor(2) as servers:
            list(servers.map(until_all_are_handed_over, range(2)))
        assert sorted(identities(asset)) == sorted(names)


def test_one_that_cannot_be_written_holds_up_its_own_kind_only(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    emit = handover.emit

    def failing(row: Any, payload: dict[str, Any]) -> Any:
        if row.identity == "one":
            raise ConnectionError("Airflow's database is away")
        return emit(row, payload)

    with (
        scheduled_on(CONN, EVENT, handover_ready=False) as asset,
        scheduled_on(CONN, "other", handover_too=False) as more,
    ):
        deliver(inbox, "one", "two")
        deliver(inbox, "three", event="other")
        monkeypatch.setattr(handover, "emit", failing)
        assert hand_over(inbox) == 1
        assert (identities(asset), identities(more)) == ([], ["three"])
        monkeypatch.setattr(handover, "emit", emit)
        assert hand_over(inbox) == 2
        assert identities(asset) == ["one", "two"]
