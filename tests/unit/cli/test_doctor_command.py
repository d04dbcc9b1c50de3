# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt doctor``: each thing that breaks a promise is found, and says what to do."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from airflow_provider_mkt.cli import doctor_command
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.vendors import VENDORS

HEALTHY = {
    "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "2",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__MKT__DEPLOYMENT": "test",
}


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's database holds no connection; those of the sandbox are in the environment."""
    for name, value in HEALTHY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(doctor_command, "_stored", lambda _: {})


def findings(capsys: pytest.CaptureFixture[str], status: int = 0, *, offline: bool = False) -> dict[str, Any]:
    capsys.readouterr()
    ended = 0
    try:
        doctor_command.doctor(Namespace(offline=offline, output="json"))
    except SystemExit as end:
        ended = end.code  # type: ignore[assignment]
    found = json.loads(capsys.readouterr().out)
    assert ended == status, found
    assert all(each["remedy"] for each in found if each["state"] != "ok")
    return {each["check"]: each for each in found}


def test_a_healthy_one(vendors: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(capsys)
    assert {each["state"] for each in found.values()} == {"ok"}
    assert {"versions", "plugin", "store", "clock", "settings"} <= set(found)
    assert {vendor.default_conn_id for vendor in VENDORS} <= set(found)
    assert len(vendors.requests()) >= len(VENDORS)


def test_offline_asks_no_vendor(vendors: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(vendors.requests())
    assert "not tried" in findings(capsys, offline=True)["flinque_default"]["found"]
    assert len(vendors.requests()) == before


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize(
    "setting",
    [
        ("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "True", 1, "launches a second time"),
        ("AIRFLOW__CORE__FERNET_KEY", "", 1, "cannot be stored"),
        ("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "0", 0, "waits for a person"),
        ("AIRFLOW__MKT__VENDOR_PAGES", "{", 0, "[mkt] vendor_pages is no JSON"),
        ("AIRFLOW__CORE__FERNET_KEY", "abc", 1, "fernet_key is not valid"),
        ("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "many", 1, 'Please check "default_task_retries"'),
        ("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "maybe", 1, 'Please check "clear_on_success"'),
        ("AIRFLOW__MKT__DEPLOYMENT", "a b", 1, "it must be a name of up to 40 letters"),
        ("AIRFLOW__MKT__CAPS", "nonsense", 1, "[mkt] caps: 'nonsense' does not begin with a currency"),
        ("AIRFLOW__MKT__APPROVAL_ABOVE", "lots", 1, "[mkt] approval_above: 'lots' is no amount"),
    ],
)
def test_settings_that_break_promises(
    setting: tuple[str, str, int, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value, status, words = setting
    monkeypatch.setenv(name, value)
    assert words in findings(capsys, status, offline=True)["settings"]["found"]


def test_a_file_shared_by_many_hosts(
    vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert "CeleryExecutor runs tasks on others too" in findings(capsys, 1, offline=True)["store"]["found"]


def test_a_store_that_is_down(
    vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "sqlite:////nowhere/at/all.db")
    monkeypatch.setattr(stores, "_stores", {})
    assert findings(capsys, 1, offline=True)["store"]["state"] == "problem"


def test_a_clock_that_is_wrong(
    vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.now
    monkeypatch.setattr(Store, "now", lambda used: real(used) + 90)
    assert "differs from the store's by 90 s" in findings(capsys, 1, offline=True)["clock"]["found"]


def test_connections(vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_FLODESK_DEFAULT", raising=False)
    wrong = {"conn_type": "flinque", "login": "me", "password": "x", "extra": {"plam": "free"}}
    monkeypatch.setenv("AIRFLOW_CONN_INFLUENCERS", json.dumps(wrong))
    monkeypatch.setattr(doctor_command, "_stored", lambda _: {"influencers": "flinque"})
    found = findings(capsys, 1, offline=True)
    assert found["influencers"]["state"] == "problem"
    assert "did you mean 'plan'?" in found["influencers"]["found"]
    assert found["flodesk_default"]["state"] == "warning"


def test_a_key_that_is_refused(
    vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**vendors.connections["flodesk_default"], "password": "not-the-key"}
    monkeypatch.setenv("AIRFLOW_CONN_FLODESK_DEFAULT", json.dumps(connection))
    assert findings(capsys, 1)["flodesk_default"]["state"] == "problem"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"caps": "nonsense", "currency": "GBP"}, "'caps': 'nonsense' is no name with an amount"),
        ({"caps": "day 500"}, "the currency of the caps must be three capital letters"),
        ({"plan_amounts": "facebookv2 dear"}, "'plan_amounts': 'facebookv2 dear' is no name with an amount"),
    ],
)
def test_amounts_that_keep_launches_from_beginning(
    extra: dict[str, str], words: str, vendors: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    connection = vendors.connections["flow_living_default"]
    given = json.loads(connection["extra"]) if isinstance(connection["extra"], str) else connection["extra"]
    monkeypatch.setenv("AIRFLOW_CONN_FLOW_LIVING_DEFAULT", json.dumps({**connection, "extra": {**given, **extra}}))
    found = findings(capsys, 1, offline=True)["flow_living_default"]
    assert found["state"] == "problem"
    assert words in found["found"]


@pytest.mark.usefixtures("vendors")
def test_a_connection_of_any_name_in_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOCIAL_UK", json.dumps({"conn_type": "flow_social"}))
    monkeypatch.setenv("AIRFLOW_CONN_SOMEBODY_ELSES", json.dumps({"conn_type": "http"}))
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "{nonsense")
    found = findings(capsys, 1, offline=True)
    assert "the password is missing" in found["social_uk"]["found"]
    assert not {"somebody_elses", "broken"} & set(found)


@pytest.mark.usefixtures("vendors")
def test_a_database_of_airflow_that_does_not_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: tuple[str, ...]) -> dict[str, str]:
        raise OperationalError("SELECT", {}, Exception("no such table: connection"))

    monkeypatch.setattr(doctor_command, "_stored", down)
    found = findings(capsys, 1, offline=True)
    assert "airflow db migrate" in found["Airflow's database"]["remedy"]
    assert found["flinque_default"]["state"] == "ok"
