# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a person is shown: nothing of the data is markup, and what is long is shown elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Upload
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.state.launches.approvals import Asked
from airflow_provider_mkt.submission.approval import asked_of
from airflow_provider_mkt.submission.digest import plan_digest
from airflow_provider_mkt.submission.question import MAX_REQUESTS, Question
from airflow_provider_mkt.vendors import VENDORS
from tests.unit.state.launches.test_register import launch
from tests.unit.submission.vendor import KEYED

ACCOUNT = Account(VENDORS[0], "conn", "https://vendor.example/v1", "login", 's3cret"of\\it', {})
EXTRAS = dict.fromkeys(ACCOUNT.vendor.all_extras)
ACCOUNT = Account(VENDORS[0], "conn", ACCOUNT.base_url, ACCOUNT.login, ACCOUNT.password, EXTRAS)
HOSTILE = "# Big\n```\n<script>alert(1)</script> [x](http://evil.example) ![i](http://evil.example/i.png) **b** a|b"


def asked(body: Any, **parts: Any) -> Asked:
    return asked_of(ACCOUNT, launch(**parts), KEYED(body=body, query={"a": 1, "b": None}))


def test_the_request_is_shown_as_it_would_be_sent() -> None:
    shown = json.loads(asked({"text": "Ü", "n": [1, None]}).request)
    assert shown == {
        "method": "POST",
        "url": "https://vendor.example/v1/things",
        "query": {"a": 1},
        "body": {"text": "Ü", "n": [1, None]},
    }


def test_no_secret_is_shown() -> None:
    found = asked({"text": f"key: {ACCOUNT.password}"})
    assert "s3cret" not in found.request + Question([found]).body
    assert json.loads(found.request)["body"] == {"text": "key: ***"}


def test_a_file_is_shown_by_its_content(tmp_path: Any) -> None:
    upload = Upload(tmp_path / "house.jpg", "image/jpeg", sha256="f" * 64)
    found = asked_of(ACCOUNT, launch(), KEYED(file=upload))
    assert json.loads(found.request)["file"] == {"name": "house.jpg", "sha256": "f" * 64}


def test_nothing_of_the_data_is_markup() -> None:
    question = Question([asked({"text": f"{HOSTILE} ````"}, what=HOSTILE)])
    words, _, rest = question.body.partition("The request:\n\n")
    assert "\n#" not in words
    for sign in ("<script", "[x]", "![", "**b**", "```", "http:"):
        assert sign not in words.replace("\\" + sign[0], "")
    fence, _, code = rest.partition("json\n")
    assert fence == "`````"
    assert code.endswith(f"\n{fence}")
    assert fence not in code.removesuffix(fence)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"amount": 1_500_000, "currency": "GBP"}, "- Costs: 1,500.00 GBP"),
        ({"currency": "GBP"}, "- Costs: not known here"),
        ({"goes_live": ""}, "- Goes live: at once"),
        ({"audience": 12_000}, "- Reaches: 12,000"),
        ({"triggered_by": "ana@example.com"}, "- Started by: ana\\@example.com"),
    ],
)
def test_words(parts: dict[str, Any], told: str) -> None:
    assert told in Question([asked({}, **parts)]).body.split("\n")


def test_what_costs_nothing_says_nothing_of_that() -> None:
    assert "Costs" not in Question([asked({})]).body


def test_several_requests_are_one_question() -> None:
    both = [asked({"n": 1}, amount=1_000, currency="GBP"), asked({"n": 2}, amount=2_500, currency="GBP")]
    question = Question(both)
    assert question.subject == "Launch 2 requests at Vendor? 3.50 GBP"
    assert question.code == plan_digest([each.digest for each in both])
    assert question.body.count("```json") == 2
    assert Question(both[::-1]).code != question.code
    assert Question(both[:1]).code == both[0].digest


def test_a_page_has_an_end() -> None:
    long = [asked({"n": number, "text": "x" * (MAX_REQUESTS // 3)}) for number in range(5)]
    body = Question(long).body
    assert body.count("```json") == 2
    assert body.endswith("`airflow mkt approvals show` has the other requests.")
    assert body.count("- What:") == 5
