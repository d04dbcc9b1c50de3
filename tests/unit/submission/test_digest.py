# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The digest of a request: equal for what is the same to the vendor, different for everything else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Call, Priority, Upload
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.submission.digest import plan_digest, request_digest
from airflow_provider_mkt.vendors import VENDORS
from tests.unit.submission.vendor import KEYED, LIST

ACCOUNT = Account(VENDORS[0], "conn", "https://vendor.example", "login", "key of the account", {})
CALL = KEYED(body={"name": "June", "budget": 5, "homes": ["a", "b"]}, query={"dry": None, "page": 1})
DIGEST = request_digest(ACCOUNT, CALL)


@pytest.mark.parametrize(
    "same",
    [
        replace(CALL, idempotency_key="another"),
        replace(CALL, priority=Priority.POLL),
        replace(CALL, query={"page": 1}),
        replace(CALL, body={"homes": ["a", "b"], "budget": 5, "name": "June"}),
    ],
    ids=["key", "priority", "what is left out", "order of names"],
)
def test_the_same_request_has_the_same_digest(same: Call) -> None:
    assert request_digest(ACCOUNT, same) == DIGEST
    assert len(DIGEST) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda account, call: (replace(account, password="another"), call),
        lambda account, call: (replace(account, login="another"), call),
        lambda account, call: (replace(account, base_url="https://other.example"), call),
        lambda account, call: (replace(account, vendor=VENDORS[1]), call),
        lambda account, call: (account, replace(call, body={**call.body, "budget": 6})),
        lambda account, call: (account, replace(call, body={**call.body, "budget": "5"})),
        lambda account, call: (account, replace(call, body={**call.body, "homes": ["b", "a"]})),
        lambda account, call: (account, replace(call, query={"page": 2})),
        lambda account, call: (account, replace(call, headers={"Request-Type": "live"})),
        lambda account, call: (account, replace(call, endpoint=LIST)),
        lambda account, call: (account, replace(call, endpoint=replace(KEYED, base="analytics"))),
    ],
    ids=["password", "login", "host", "vendor", "amount", "type", "order", "query", "header", "route", "base"],
)
def test_another_request_has_another_digest(change: Callable[[Account, Call], tuple[Account, Call]]) -> None:
    assert request_digest(*change(ACCOUNT, CALL)) != DIGEST


def test_path_values_count() -> None:
    route = replace(KEYED, path="/things/{thing}")
    one, other = (request_digest(ACCOUNT, route(path={"thing": name})) for name in ("a", "b"))
    assert one != other


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "house.jpg"
    path.write_bytes(b"a house")
    upload = KEYED(file=Upload(path, "image/jpeg"))
    before = request_digest(ACCOUNT, upload)
    checked = Upload(path, "image/jpeg", sha256=hashlib.sha256(b"a house").hexdigest())
    assert request_digest(ACCOUNT, KEYED(file=checked)) == before
    path.write_bytes(b"another house")
    assert request_digest(ACCOUNT, upload) != before


def test_the_key_of_the_account_cannot_be_tried_without_airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "another")
    assert request_digest(ACCOUNT, CALL) != DIGEST


def test_a_plan_is_its_requests_in_their_order() -> None:
    plans: list[Any] = [["a", "b"], ["b", "a"], ["ab"], ["a"], []]
    assert len({plan_digest(each) for each in plans}) == len(plans)
    assert plan_digest(iter(["a", "b"])) == plan_digest(["a", "b"])
