# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions on both databases: stores of the first version, and real processes, some of them killed."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import migrations
from airflow_provider_mkt.state.database import store as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.key_rotation import Reencrypted, reencrypt_all
from airflow_provider_mkt.state.tokens.table import change
from airflow_provider_mkt.state.webhook_secrets import WebhookSecrets
from tests.integration.state.crowd import PROCESSES, crowd
from tests.unit.context import Task

URL = "https://airflow.example.com/mkt/webhooks/flinque_default"
EVENTS = ["report.ready"]


def test_store_of_the_first_version(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tokens and budgets stay; the new table works at once."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", migrations.STEPS[:1])
        patch.setattr(stores, "STEPS", migrations.STEPS[:1])
        first = Store(url)
        change(first, "account", lambda row, now: row.set_access(Encryptor(old), "access", 10.0, 0.8, now))
        assert first.run(migrations.version) == 1
        first.close()
    store = Store(url)
    assert store.run(migrations.version) == len(migrations.STEPS) > 1
    secrets = WebhookSecrets("account", lambda: store, lambda: Encryptor(old))
    assert secrets.rows() == []
    secrets.keep("wh_1", URL, EVENTS, "geheim", made_by="k" * 36)
    assert reencrypt_all(store, Encryptor(f"{new},{old}")) == Reencrypted(2, 0)
    rotated = WebhookSecrets("account", lambda: store, lambda: Encryptor(new))
    assert [rotated.secret(each) for each in rotated.rows()] == ["geheim"]
    assert change(store, "account", lambda row, _: Encryptor(new).decrypt(row.access or "")) == "access"
    rotated.retire(["wh_1"])
    assert [each.retired for each in rotated.rows()] == [True]
    store.close()


def ensure(url: str, connection: str, key: str, name: str, start: Any) -> None:
    """Run the operator in a process of its own."""
    os.environ["AIRFLOW__MKT__STATE_URL"] = url
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = key
    os.environ["AIRFLOW_CONN_FLINQUE_DEFAULT"] = connection
    from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator

    operator = FlinqueEnsureWebhookOperator(task_id="ensure", url=URL, events=EVENTS)
    start.wait()
    operator.execute(Task(run_id=name).context)


def lapse(connection: Connection) -> None:
    """Let the leases of killed processes run out now."""
    connection.execute(text("UPDATE mkt_token SET lease_until = 0"))


@pytest.mark.proof
def test_processes_at_once(url: str, sandbox: Sandbox) -> None:
    connection, key = json.dumps(sandbox.connections["flinque_default"]), Fernet.generate_key().decode()
    sandbox.fault("POST /flinque/v1/webhooks", "delay", seconds=0.5)
    with crowd(ensure, [(url, connection, key, f"run {number}") for number in range(4)]) as processes:
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len(sandbox.ledger("flinque", "webhook.created")) == 1


@pytest.mark.proof
def test_process_killed_while_the_vendor_works(url: str, sandbox: Sandbox) -> None:
    """The vendor executes what nobody waits for any more; the next task cleans up after it."""
    connection, key = json.dumps(sandbox.connections["flinque_default"]), Fernet.generate_key().decode()
    sandbox.fault("POST /flinque/v1/webhooks", "delay", seconds=60, when="after")
    with crowd(ensure, [(url, connection, key, "killed")]):
        for _ in range(600):
            if sandbox.ledger("flinque", "webhook.created"):
                break
            PROCESSES.Event().wait(0.1)
    sandbox.clear_faults()
    assert len(sandbox.ledger("flinque", "webhook.created")) == 1
    store = Store(url)
    store.run(lapse)
    with crowd(ensure, [(url, connection, key, "next")]) as (process,):
        process.join(120)
        assert process.exitcode == 0
    effects = [entry["effect"] for entry in sandbox.ledger("flinque") if entry["effect"].startswith("webhook.")]
    assert effects == ["webhook.created", "webhook.created", "webhook.deleted"]
    account = WebhookSecrets(_account(sandbox), lambda: store, lambda: Encryptor(key))
    assert [each.webhook_id for each in account.rows() if account.secret(each)] == ["wh_2"]
    store.close()


def _account(sandbox: Sandbox) -> str:
    made = sandbox.connections["flinque_default"]
    return f"flinque/{made['host']}/{made['login']}"
