# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt budgets reset`` and ``airflow mkt db``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.migrations import STEPS
from airflow_provider_mkt.state.database.store import Store

REFUSED = Outcome(Certainty.THROTTLED, 429, retry_after=86_400.0)


@pytest.fixture(autouse=True)
def path(vendors: Sandbox, nothing_untold: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shared store of the test's own."""
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    path = tmp_path / "shared.db"
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{path}")
    yield path
    for each in made.values():
        each.close()


class TestReset:
    def quieten(self) -> None:
        identity = FlowSocialHook().account.identity
        for account in (identity, ("flodesk", "https://api.flodesk.com/v1", "key")):
            SharedBudget(account, {"default": Limit(10, 60.0)}).observe(("default",), REFUSED)

    def quiet(self) -> dict[str, bool]:
        return {use.label.partition(" ")[0]: use.quiet > 0 for use in snapshot()}

    @pytest.mark.parametrize("account", ["flow_social ", "flow_social_default"])
    def test_of_one_account_by_its_label_or_its_connection(self, run: Callable[..., str], account: str) -> None:
        self.quieten()
        assert "1 rate budget:" in run("budgets", "reset", account)
        assert self.quiet() == {"flow_social": False, "flodesk": True}

    def test_of_all(self, run: Callable[..., str]) -> None:
        self.quieten()
        run("budgets", "reset")
        assert self.quiet() == {"flow_social": False, "flodesk": False}

    def test_a_connection_that_nothing_was_sent_through(self, run: Callable[..., str]) -> None:
        assert "0 rate budgets" in run("budgets", "reset", "flinque_default")

    def test_of_none(self, run: Callable[..., str]) -> None:
        self.quieten()
        with pytest.raises(SystemExit, match=r"'nobody' is neither.*Known: flodesk https://") as caught:
            run("budgets", "reset", "nobody")
        assert "key" not in str(caught.value)
        assert self.quiet() == {"flow_social": True, "flodesk": True}

    @pytest.mark.parametrize("account", ["flow_social", "flow_social_default"])
    def test_only_one_is_shown(self, run: Callable[..., str], account: str) -> None:
        self.quieten()
        assert [each["vendor"] for each in json.loads(run("budgets", "show", account, "-o", "json"))] == ["flow_social"]

    def test_one_that_there_is_not_is_no_empty_list(self, run: Callable[..., str]) -> None:
        self.quieten()
        with pytest.raises(SystemExit, match=r"'nobody' is neither a connection"):
            run("budgets", "show", "nobody")
        assert json.loads(run("budgets", "show", "flinque_default", "-o", "json")) == []

    def test_showing_changes_nothing(self, run: Callable[..., str]) -> None:
        self.quieten()
        assert "flodesk" in run("budgets")
        assert self.quiet() == {"flow_social": True, "flodesk": True}


class TestDatabase:
    def test_check_makes_nothing(self, run: Callable[..., str], path: Path) -> None:
        with pytest.raises(SystemExit, match=r"has schema version 0.*run `airflow mkt db upgrade`"):
            run("db", "check")
        assert not path.exists()

    def test_upgrade_makes_the_tables_once(self, run: Callable[..., str]) -> None:
        assert f"was brought from schema version 0 to {len(STEPS)}." in run("db", "upgrade")
        assert "was up to date" in run("db", "upgrade")
        assert f"has schema version {len(STEPS)}, this code needs {len(STEPS)}." in run("db", "check")

    def test_a_newer_one_is_told(self, run: Callable[..., str]) -> None:
        run("db", "upgrade")
        stores.store().run(lambda connection: connection.execute(text("UPDATE mkt_version SET version = 99")))
        stores.store()._prepared = False
        with pytest.raises(SystemExit, match=r"schema version 99.*upgrade the package"):
            run("db", "check")
        with pytest.raises(SystemExit, match="newer version of this provider"):
            run("db", "upgrade")

    def test_an_older_one_is_told(self, run: Callable[..., str]) -> None:
        run("db", "upgrade")
        stores.store().run(lambda connection: connection.execute(text("UPDATE mkt_version SET version = 1")))
        with pytest.raises(SystemExit, match=r"schema version 1.*run `airflow mkt db upgrade`"):
            run("db", "check")

    def test_a_store_that_cannot_be_reached(self, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "_stores", {})
        monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        for command in ("check", "upgrade"):
            with pytest.raises(SystemExit, match="cannot be reached"):
                run("db", command)
