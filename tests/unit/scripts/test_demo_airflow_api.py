# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The demo's own client of Airflow's API, against a server that notes what it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.demo import airflow_api
from scripts.demo.airflow_api import AirflowApi


@pytest.mark.parametrize(("sign_in", "how"), [(None, "GET"), ({"username": "ada", "password": "ada"}, "POST")])
def test_the_first_call_signs_in_and_is_what_was_asked_for(
    sign_in: dict[str, str] | None, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, Any]] = []

    def call(method: str, url: str, *, body: Any = None, **_: Any) -> dict[str, str]:
        asked.append((method, url, body))
        return {"access_token": "t"}

    monkeypatch.setattr(airflow_api, "call", call)
    AirflowApi("http://a", sign_in=sign_in).add_connections({"one": {"conn_type": "flinque"}})
    (first, token, given), (second, added, sent) = asked
    assert (first, token, given) == (how, "http://a/auth/token", sign_in)
    assert (second, added) == ("POST", "http://a/api/v2/connections")
    assert sent["connection_id"] == "one"
