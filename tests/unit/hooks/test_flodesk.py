# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Two OAuth connections to one Flodesk account, by the hook."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.exceptions import AuthenticationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as store


def oauth(sandbox: Sandbox, conn_id: str) -> FlodeskHook:
    known = sandbox.credentials()["flodesk"]
    fields = {
        **sandbox.connections["flodesk_default"],
        "login": known["client_id"],
        "password": known["client_secret"],
        "extra": json.dumps({"refresh_token": known["refresh_token"]}),
    }
    return FlodeskHook(conn_id, connection=Connection(conn_id=conn_id, **fields))


def test_the_refresh_token_of_another_connection_is_not_spent(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setattr(store, "_stores", {})
    names = [f"flodesk_{uuid.uuid4().hex}" for _ in range(2)]
    # Both are configured before either is used.
    first, second = (oauth(sandbox, name) for name in names)
    assert first.test_connection()[0]
    with pytest.raises(AuthenticationError, match=r"given to another connection before.*airflow mkt authorize"):
        next(iter(second.list_segments()), None)
    assert first.test_connection()[0]
    assert len(sandbox.ledger("flodesk", "token.issued", "refresh_token")) == 1
