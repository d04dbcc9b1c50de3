# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Addresses that a curious person types, and texts of strangers: a page says what is wrong, or shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_mkt.control import report
from airflow_provider_mkt.state.inbox import Delivery, Inbox
from airflow_provider_mkt.state.launches.approvals import Approvals
from airflow_provider_mkt.state.launches.stops import Stops
from airflow_provider_mkt.submission.summary import in_order
from tests.unit.pages.conftest import Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
EDGES = ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+00:00"]
TURNED = "\u202e\u2066\x1b[31m\x9b"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/launches", {"until": "9999-12-31"}),
        ("/launches", {"text": "x" * 10_000}),
        ("/launches", {"after": "1_1e999_\0"}),
        ("/launches", {"text": "\0\ud800"}),
        ("/launches", {"zone": "../../../etc/passwd"}),
        ("/launches", {"zone": "x" * 5_000}),
        ("/deliveries", {"before": "9" * 30}),
        ("/deliveries", {"before": "9" * 5_000}),
        ("/deliveries", {"before": "\u0663"}),
        ("/deliveries", {"conn_id": "\0", "event": "\0"}),
        ("/deliveries/" + "9" * 5_000, {}),
        ("/task", {"dag": "spring", "run": "r1", "task": "publish", "index": "9" * 5_000}),
        ("/task", {"dag": "spring", "run": "\0", "task": "publish", "index": "1"}),
        ("/calendar", {"date": "9999-12-31"}),
        ("/launches/%00", {}),
    ],
)
def test_no_address_is_an_error_of_the_server(path: str, query: dict[str, str], browser: Browsers, store: Any) -> None:
    put(store, launch())
    sent = urlencode({name: value.encode(errors="surrogatepass") for name, value in query.items()})
    answer = browser("ada").client.get(f"/mkt-ui{path}?{sent}")
    assert answer.status_code in (200, 400, 404)
    assert len(answer.text) < 12_000


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("goes_live", EDGES)
def test_what_goes_live_at_the_end_of_the_calendar_is_shown(
    goes_live: str, zone: str, browser: Browsers, store: Any
) -> None:
    put(store, launch(goes_live=goes_live))
    for path in ("/launches", f"/launches/{launch().launch}", "/calendar"):
        assert browser("ada").get(path, zone=zone).status_code == 200


def test_no_text_turns_round_what_stands_beside_it(browser: Browsers, store: Any) -> None:
    odd = {"what": f"{TURNED}post", "reference": TURNED, "run_id": f"r{TURNED}", "triggered_by": TURNED}
    put(store, launch(**odd, channel=TURNED, goes_live="2026-05-28T20:00:00Z", vendor_ids=f'{{"{TURNED[:2]}": "x"}}'))
    Stops().add({}, TURNED, TURNED)
    Inbox().add([Delivery("a", f"c{TURNED}", "e", "", "i", {TURNED: TURNED})])
    reader = browser("ada")
    pages = [
        reader.get("/launches").text,
        reader.get(f"/launches/{launch().launch}").text,
        *(reader.get("/calendar", date="2026-05-28", view=view).text for view in ("month", "week", "day")),
        reader.get("/stop").text,
        reader.get("/deliveries").text,
        reader.get("/deliveries/1").text,
        report.html(10_000),
    ]
    for page in pages:
        assert not set(page) & set(TURNED) - set("[31m")
        assert "\\u202e" in page


def test_texts_of_all_languages_stay_as_they_are() -> None:
    text = "Größe 4\u202f€, 家\u3000族 \U0001f469\u200d\U0001f467, עברית\nline\ttab"
    assert in_order(text) == text


@pytest.mark.parametrize("origin", ["http://[", "http://testserver.evil.example", "null"])
def test_an_odd_origin_is_a_foreign_one(origin: str, browser: Browsers, store: Any) -> None:
    person = browser("ada")
    assert person.post("/stop", {"token": person.token()}, Origin=origin).status_code == 403


@pytest.mark.parametrize("ask", ["a", "0", "f" * 31, "%", "A" * 32])
def test_part_of_a_question_s_name_has_no_question_read(
    ask: str, browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("all questions that begin so are read")

    monkeypatch.setattr(Approvals, "find", read)
    assert browser("vera").get(f"/approvals/{ask}").status_code == 404
