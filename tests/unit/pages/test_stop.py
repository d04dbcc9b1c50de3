# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The stop switch on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_mkt.control.records import AirflowDatabase
from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import UNKNOWN
from airflow_provider_mkt.state.launches.stops import VARIABLE, Stops
from tests.unit.pages.conftest import Browser, launch, put
from tests.unit.pages.test_launch import audited

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]


@pytest.fixture(autouse=True)
def _no_stop(no_records: None) -> Iterator[None]:
    yield
    from airflow.models.variable import Variable

    Variable.delete(VARIABLE)


def kept() -> list[dict[str, Any]]:
    """Return the stops in Airflow's variable."""
    from airflow.models.variable import Variable

    return list(Variable.get(VARIABLE, default_var=[], deserialize_json=True))


def test_stopping_everything_asks_first(browser: Browsers, store: Any) -> None:
    put(store, launch(1, state=UNKNOWN))
    person = browser("ada")
    asked = person.post("/stop", {"token": person.token(), "everything": "yes"})
    assert "Stop everything?" in asked.text
    assert "1 launch is live" in asked.text
    assert Stops().in_force() == []
    done = person.post("/stop", {**person.fields_of(asked.text), "reason": "wrong prices"})
    assert "Not confirmed" in done.text
    [stop] = Stops().in_force()
    assert (stop.scope, stop.reason, stop.stopped_by) == ("everything", "wrong prices", "ada")
    assert [each["reason"] for each in kept()] == ["wrong prices"]
    assert audited()[-1] == ("mkt_stop", "ada", "wrong prices")
    with pytest.raises(LaunchRefusedError):
        admit(launch(2))


def test_trying_again_begins_no_second_stop(browser: Browsers, store: Any) -> None:
    put(store, launch(1, state=UNKNOWN))
    person = browser("ada")
    first = person.post("/stop", {"token": person.token(), "everything": "yes", "sure": "yes", "reason": "prices"})
    person.post("/stop", person.fields_of(first.text))
    assert len(Stops().in_force()) == len(kept()) == 1


def test_it_says_so_when_records_cannot_be_read(browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AirflowDatabase, "submissions", lambda *_: iter([(Instance("d", "r", "t", -1), "0", "{")]))
    person = browser("ada")
    done = person.post("/stop", {"token": person.token(), "everything": "yes", "sure": "yes", "reason": "prices"})
    assert "1 record in Airflow&#39;s database cannot be read" in done.text


def test_a_run_is_stopped_from_its_launch(browser: Browsers, store: Any) -> None:
    put(store, launch(1, state=UNKNOWN), launch(2, state=UNKNOWN, run_id="r2"))
    person = browser("sam")
    path = f"/launches/{launch(1).launch}"
    asked = person.post(f"{path}/stop", {"token": person.token()})
    assert "Stop DAG spring, run r1?" in asked.text
    assert "1 launch is live" in asked.text
    person.post(f"{path}/stop", {**person.fields_of(asked.text), "reason": "wrong prices"})
    [stop] = Stops().in_force()
    assert (stop.dag_id, stop.run_id) == ("spring", "r1")


def test_without_a_reason_nothing_is_stopped(browser: Browsers, store: Any) -> None:
    person = browser("ada")
    answer = person.post("/stop", {"token": person.token(), "everything": "yes", "sure": "yes", "reason": " "})
    assert answer.status_code == 400
    assert Stops().in_force() == []


@pytest.mark.parametrize("scope", [{"everything": "yes"}, {"vendor": "Flow Social"}, {"conn_id": "c"}, {"run_id": "r"}])
def test_who_may_edit_dags_may_not_stop_more_than_those(scope: dict[str, str], browser: Browsers, store: Any) -> None:
    person = browser("uma")
    answer = person.post("/stop", {"token": person.token(), "sure": "yes", "reason": "x", **scope})
    assert answer.status_code == 403
    assert Stops().in_force() == kept() == []


def test_who_may_edit_one_dag_may_not_stop_another(browser: Browsers, store: Any) -> None:
    person = browser("sam")
    for dag_id, status in (("autumn", 403), ("spring", 200)):
        form = {"token": person.token(), "sure": "yes", "reason": "x", "dag_id": dag_id}
        assert person.post("/stop", form).status_code == status
    assert [each.dag_id for each in Stops().in_force()] == ["spring"]


@pytest.mark.parametrize("form", [{}, {"vendor": "Nobody"}, {"dag_id": "d" * 251}, {"run_id": "r\0"}])
def test_what_cannot_be_stopped(form: dict[str, str], browser: Browsers, store: Any) -> None:
    person = browser("ada")
    answer = person.post("/stop", {"token": person.token(), "sure": "yes", "reason": "x", **form})
    assert answer.status_code == 400
    assert Stops().in_force() == kept() == []


def test_resuming_asks_first(browser: Browsers, store: Any) -> None:
    person = browser("ada")
    person.post("/stop", {"token": person.token(), "everything": "yes", "sure": "yes", "reason": "prices"})
    [stop] = Stops().in_force()
    asked = person.post("/resume", {"token": person.token(), "number": str(stop.id)})
    assert "Resume everything?" in asked.text
    assert len(Stops().in_force()) == 1
    person.post("/resume", {**person.fields_of(asked.text), "reason": "prices are right"})
    assert Stops().in_force() == kept() == []
    assert audited()[-1] == ("mkt_resume", "ada", "prices are right")
    assert "prices are right" in person.get("/stop").text


def test_who_may_not_resume(browser: Browsers, store: Any) -> None:
    Stops().add({}, "prices", "ada")
    person = browser("uma")
    assert "Resume" not in person.get("/stop").text
    [stop] = Stops().in_force()
    answer = person.post("/resume", {"token": person.token(), "sure": "yes", "number": str(stop.id), "reason": "x"})
    assert answer.status_code == 403
    assert Stops().in_force() == [stop]
