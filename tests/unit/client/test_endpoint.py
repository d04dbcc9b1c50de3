# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Routes and addresses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Endpoint, Safety

READ = Endpoint("GET", "/things/{thing}/parts/{part}", Safety.READ)


@given(st.text(min_size=1), st.text(min_size=1))
def test_values_cannot_leave_their_place(thing: str, part: str) -> None:
    call = READ(path={"thing": thing, "part": part})
    try:
        url = call.url("https://vendor.test/v1/")
    except ValueError:
        return
    assert url.startswith("https://vendor.test/v1/things/")
    assert url.count("/") == 7
    assert not set(url) & set("?#\\ \n")
    assert ".." not in url.split("/")


@pytest.mark.parametrize("value", ["", " ", "\n", ".", "..", None])
def test_empty_values_would_address_another_route(value: Any) -> None:
    with pytest.raises(ValueError, match="thing"):
        READ(path={"thing": value, "part": "x"}).url("https://vendor.test")


def test_a_keyed_call_needs_its_key() -> None:
    keyed = Endpoint("POST", "/posts", Safety.KEYED)
    assert keyed(idempotency_key="k").safety is Safety.KEYED
    assert keyed().safety is keyed(idempotency_key="").safety is Safety.ONCE


@pytest.mark.parametrize(
    "parts",
    [
        {"query": {"apiKey": "s3cret"}},
        {"body": {"client_secret": "s3cret"}},
        {"headers": {"Authorization": "Basic s3cret"}},
        {"link": "https://files.vendor.test/report?signature=s3cret"},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_secrets_are_not_in_the_repr(parts: dict[str, Any]) -> None:
    assert "s3cret" not in repr(READ(**parts))
