# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The view of the rate budgets, and the secrets of webhooks."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.cli import shared_state_command
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.hooks.account import secrets_of
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state import webhook_secrets
from airflow_provider_mkt.state.budgets import sliding_window
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from tests.unit.context import Task

URL = "https://airflow.example.com/mkt/webhooks/"


def test_budgets_shows_what_is_used(vendors: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    FlodeskHook().check()
    shared_state_command.budgets(argparse.Namespace(output="json"))
    assert "flodesk" in capsys.readouterr().out


@pytest.fixture
def shown(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Type ``airflow mkt budgets --output json`` and return what it prints."""

    def run() -> list[dict[str, Any]]:
        args = parser.parse_args(["mkt", "budgets", "--output", "json"])
        capsys.readouterr()
        args.func(args)
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    return run


@pytest.mark.usefixtures("own_store")
class TestBudgets:
    ACCOUNT = ("flow_social", "https://api.example.com/v1", "key-4711")

    @pytest.fixture(autouse=True)
    def bursts_go_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that a slot that is free now begins now."""
        monkeypatch.setattr(sliding_window, "SPREAD", 0.0)

    def budget(self, share: float = 1.0) -> SharedBudget:
        return SharedBudget(self.ACCOUNT, {"default": Limit(10, 600.0), "posts": Limit(6, 900.0)}, share)

    def test_figures_of_every_budget(self, shown: Callable[[], list[dict[str, Any]]]) -> None:
        """Half of the limits may be used: of each window of posts 3, so two have to wait, and with them the default."""
        budget = self.budget(share=0.5)
        for _ in range(5):
            budget.reserve(("default", "posts"))
        budget.reserve(("default",))
        budget.observe(("posts",), Outcome(Certainty.THROTTLED, 429, retry_after=300.0))
        default, posts = shown()
        names = ("vendor", "address", "account", "budget")
        labels = [tuple(each.pop(name) for name in names) for each in (default, posts)]
        quiet = posts.pop("quiet")
        assert 200.0 < quiet <= 300.0
        assert default == {"requests": 5, "window": 600.0, "stated": None, "used": 4, "queued": 2, "quiet": 0.0}
        assert posts == {"requests": 3, "window": 900.0, "stated": None, "used": 3, "queued": 2}
        digests = set()
        for label, name in zip(labels, ("default", "posts"), strict=True):
            vendor, url, digest, budget_name = label
            assert (vendor, url, budget_name) == (*self.ACCOUNT[:2], name)
            digests.add(digest)
        assert len(digests) == 1
        assert "4711" not in str(labels)

    def test_accounts_are_told_apart_without_their_secrets(self, shown: Callable[[], list[dict[str, Any]]]) -> None:
        self.budget().reserve(("default",))
        SharedBudget((*self.ACCOUNT[:2], "key-0815"), {"default": Limit(10, 600.0)}).reserve(("default",))
        rows = shown()
        assert len({row["account"] for row in rows}) == 2
        assert [row["used"] for row in rows] == [1, 1]
        assert not any(secret in json.dumps(rows) for secret in ("4711", "0815"))

    def test_nothing_was_used_yet(self, shown: Callable[[], list[dict[str, Any]]]) -> None:
        assert shown() == []

    def test_all_hooks_of_an_account_are_one(self, shown: Callable[[], list[dict[str, Any]]]) -> None:
        for _ in range(3):
            self.budget().reserve(("default",))
        assert [row["used"] for row in shown()] == [3]

    def test_a_store_that_is_down(self, shown: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "sqlite:////nowhere/at/all.db")
        with pytest.raises(SystemExit, match="shared state store"):
            shown()


@pytest.fixture
def own_store(
    vendors: Sandbox, nothing_untold: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A shared store of the test's own."""
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    yield
    for each in made.values():
        each.close()


def test_a_budget_of_an_earlier_test_tells_this_one_s_store_nothing(
    shown: Callable[[], list[dict[str, Any]]], request: pytest.FixtureRequest
) -> None:
    """It gives its unused slot back a second later, to whatever the shared store is by then."""
    budget = SharedBudget(("flow_social", "https://earlier.example.com/v1", "key"), {"default": Limit(1, 60.0)})
    budget.reserve(("default",))
    late = budget.reserve(("default",))

    async def cancelled() -> None:
        budget.give_back(("default",), late)

    asyncio.run(cancelled())
    request.getfixturevalue("own_store")
    for each in threading.enumerate():
        if each.name == "mkt-budget-idle":
            each.join(30.0)
    assert shown() == []


def subscribe(name: str = "mine") -> str:
    operator = FlowSocialEnsureWebhookOperator(task_id="a", url=URL + name, events=["post.failed"])
    return str(operator.execute(Task(run_id=name).context)["webhook_id"])


@pytest.mark.usefixtures("own_store")
def test_rotates_the_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    former, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", former)
    webhook_id = subscribe()
    secret = kept()[webhook_id]
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", f"{new},{former}")
    capsys.readouterr()
    shared_state_command.rotate_fernet_key(argparse.Namespace())
    assert "Encrypted 1 secret with the present key." in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", new)
    assert kept() == {webhook_id: secret}


@pytest.mark.usefixtures("own_store")
def test_rotating_without_the_former_key_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    subscribe()
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    with pytest.raises(SystemExit, match="add the former key at the end of the list"):
        shared_state_command.rotate_fernet_key(argparse.Namespace())


@pytest.mark.usefixtures("own_store")
class TestRotatingWithAnUnreadableSecret:
    """That of a webhook from before the former key."""

    @pytest.fixture
    def keys(self, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
        lost, former, new = (Fernet.generate_key().decode() for _ in range(3))
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", lost)
        subscribe("old")
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", former)
        subscribe("other")
        return former, new

    def test_it_is_left_and_the_others_are_encrypted(
        self, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        former, new = keys
        before = sorted(kept().values(), key=str)
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", f"{new},{former}")
        for _ in range(2):
            capsys.readouterr()
            shared_state_command.rotate_fernet_key(argparse.Namespace())
            assert "Encrypted 1 secret with the present key. 1 left as before" in capsys.readouterr().out
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", new)
        assert sorted(kept().values(), key=str) == before
        assert sum(each.encrypted is not None for each in secrets_of(FlowSocialHook().account).rows()) == 2

    def test_it_is_an_error_when_the_former_key_may_be_missing(self, keys: tuple[str, str]) -> None:
        """One key: whatever cannot be read may be what a rotation was to save."""
        with pytest.raises(SystemExit, match=r"Encrypted 1 .* 1 left as before.* add the former key at the end"):
            shared_state_command.rotate_fernet_key(argparse.Namespace())

    def test_one_of_a_webhook_that_was_retired_long_ago_is_dropped(
        self,
        keys: tuple[str, str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        former, new = keys
        secrets = secrets_of(FlowSocialHook().account)
        (lost,) = (each.webhook_id for each in secrets.rows() if secrets.secret(each) is None)
        secrets.retire([lost])
        monkeypatch.setattr(webhook_secrets, "RETIRED_KEPT", -1.0)
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", f"{new},{former}")
        capsys.readouterr()
        shared_state_command.rotate_fernet_key(argparse.Namespace())
        assert "left" not in capsys.readouterr().out
        assert lost not in kept()


def ask(conn_id: str = "flow_social_default", webhook_id: str | None = None) -> None:
    shared_state_command.webhook_secret(argparse.Namespace(conn_id=conn_id, webhook_id=webhook_id))


def kept() -> dict[str, str | None]:
    secrets = secrets_of(FlowSocialHook().account)
    return {each.webhook_id: secrets.secret(each) for each in secrets.rows()}


@pytest.mark.usefixtures("own_store")
class TestWebhookSecret:
    def test_prints_the_secret_and_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        webhook_id = subscribe()
        capsys.readouterr()
        ask()
        assert capsys.readouterr().out == f"{kept()[webhook_id]}\n"

    def test_one_of_several(self, capsys: pytest.CaptureFixture[str]) -> None:
        first, second = subscribe(), subscribe("other")
        with pytest.raises(SystemExit, match=f"several webhooks: {second}, {first}. Name one with --webhook-id"):
            ask()
        capsys.readouterr()
        ask(webhook_id=first)
        assert capsys.readouterr().out == f"{kept()[first]}\n"

    def test_replaced_ones_only_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        first, second = subscribe(), subscribe("other")
        secrets_of(FlowSocialHook().account).retire([first])
        capsys.readouterr()
        ask()
        ask(webhook_id=first)
        assert capsys.readouterr().out == f"{kept()[second]}\n{kept()[first]}\n"

    def test_none(self, connect: Callable[..., str]) -> None:
        with pytest.raises(SystemExit, match=r"no webhook secret for connection .* run one that ensures it\.$"):
            ask()
        with pytest.raises(SystemExit, match="no secret of webhook 'webhook_9'"):
            ask(webhook_id="webhook_9")
        connect("flow_social", extra={"webhook_secret": "whsec_entered-by-a-person"})
        with pytest.raises(SystemExit, match="one in its extra 'webhook_secret'") as caught:
            ask("changed")
        assert "entered" not in str(caught.value)

    def test_vendor_that_does_not_sign(self) -> None:
        with pytest.raises(SystemExit, match="Flodesk does not sign"):
            ask("flodesk_default")

    def test_other_connections(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", "http://example.com")
        with pytest.raises(SystemExit, match="another provider"):
            ask("other")
        with pytest.raises(SystemExit, match="unheard_of"):
            ask("unheard_of")

    def test_lost_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        subscribe()
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
        with pytest.raises(SystemExit, match="cannot be read with the present"):
            ask()

    def test_store_that_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "sqlite:////nowhere/at/all.db")
        with pytest.raises(SystemExit, match="shared state store"):
            ask()
