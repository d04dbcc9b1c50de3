# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Secrets of webhooks: kept encrypted, by account, until a day after they were replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.state import webhook_secrets
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, digest
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.key_rotation import Reencrypted, reencrypt_all
from airflow_provider_mkt.state.tokens.table import change
from airflow_provider_mkt.state.webhook_secrets import RETIRED_KEPT, WebhookSecrets
from tests.unit.state.conftest import Clock

URL = "https://airflow.example.com/mkt/webhooks/mine"


@pytest.fixture
def secrets(store: Store, encryptor: Encryptor) -> WebhookSecrets:
    return WebhookSecrets("account", lambda: store, lambda: encryptor)


def test_kept_and_read_again(secrets: WebhookSecrets, clock: Clock) -> None:
    secrets.keep("wh_1", URL, ["b", "a"], "geheim", made_by="key")
    clock.now += 5
    (kept,) = secrets.rows()
    assert (kept.webhook_id, kept.address, kept.events) == ("wh_1", digest(URL), {"a", "b"})
    assert (kept.made_by, kept.retired, round(kept.age)) == ("key", False, 5)
    assert secrets.secret(kept) == "geheim"


def test_vendor_that_does_not_sign(secrets: WebhookSecrets) -> None:
    secrets.keep("hook_1", URL, ["a"], None)
    (kept,) = secrets.rows()
    assert secrets.secret(kept) is None


def test_accounts_do_not_see_each_other(secrets: WebhookSecrets, store: Store, encryptor: Encryptor) -> None:
    other = WebhookSecrets("other", lambda: store, lambda: encryptor)
    secrets.keep("wh_1", URL, ["a"], "mine")
    other.keep("wh_1", URL, ["a"], "theirs")
    other.retire(["wh_1"])
    assert [(secrets.secret(each), each.retired) for each in secrets.rows()] == [("mine", False)]
    assert [(other.secret(each), each.retired) for each in other.rows()] == [("theirs", True)]


def test_latest_first(secrets: WebhookSecrets, clock: Clock) -> None:
    for number in (1, 2, 3):
        secrets.keep(f"wh_{number}", URL, ["a"], "geheim")
        clock.now += 1
    assert [each.webhook_id for each in secrets.rows()] == ["wh_3", "wh_2", "wh_1"]


def test_retired_secret_is_kept_for_a_day(secrets: WebhookSecrets, clock: Clock) -> None:
    secrets.keep("wh_1", URL, ["a"], "old")
    secrets.retire(["wh_1", "wh_unheard-of"])
    clock.now += RETIRED_KEPT / 2
    secrets.retire(["wh_1"])
    clock.now += RETIRED_KEPT / 2 - 1
    secrets.keep("wh_2", URL, ["a"], "new")
    assert [(each.webhook_id, each.retired) for each in secrets.rows()] == [("wh_2", False), ("wh_1", True)]
    clock.now += 2
    secrets.keep("wh_3", URL, ["a"], "newer")
    assert [each.webhook_id for each in secrets.rows()] == ["wh_3", "wh_2"]


def test_kept_again_is_no_longer_retired(secrets: WebhookSecrets) -> None:
    secrets.keep("wh_1", URL, ["a"], "old")
    secrets.retire(["wh_1"])
    secrets.keep("wh_1", URL, ["b"], "new")
    (kept,) = secrets.rows()
    assert (secrets.secret(kept), kept.retired, kept.events) == ("new", False, {"b"})


def test_stored_sealed_under_digests(secrets: WebhookSecrets, store: Store, path: Path) -> None:
    secrets.keep("wh_1", URL, ["a"], "geheim")
    store.close()
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"wh_1" in stored
    for hidden in (b"geheim", b"example.com", b"account\x00"):
        assert hidden not in stored
    assert "geheim" not in repr(secrets.rows())


def test_new_fernet_key(store: Store) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    WebhookSecrets("account", lambda: store, lambda: Encryptor(old)).keep("wh_1", URL, ["a"], "geheim")
    WebhookSecrets("account", lambda: store, lambda: Encryptor(old)).keep("wh_2", URL, ["a"], None)
    change(store, "token", lambda row, now: row.set_access(Encryptor(old), "access", 10.0, 0.8, now))
    assert reencrypt_all(store, Encryptor(f"{new},{old}")) == Reencrypted(2, 0)
    rotated = WebhookSecrets("account", lambda: store, lambda: Encryptor(new))
    assert [rotated.secret(each) for each in rotated.rows() if each.encrypted] == ["geheim"]
    assert change(store, "token", lambda row, _: Encryptor(new).decrypt(row.access or "")) == "access"


def test_lost_fernet_key_is_a_secret_that_nobody_knows(
    secrets: WebhookSecrets, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.keep("wh_1", URL, ["a"], "geheim")
    other = WebhookSecrets("account", lambda: store, lambda: Encryptor(Fernet.generate_key().decode()))
    (kept,) = other.rows()
    assert other.secret(kept) is None
    assert "wh_1 cannot be read" in caplog.text
    assert "add the former key" in caplog.text


def test_saving_is_repeated(secrets: WebhookSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, failures = webhook_secrets._keep, [StoreError(StoreFailure.UNREACHABLE), StoreError(StoreFailure.LOCKED)]

    def flickers(*args: object, **values: object) -> None:
        if failures:
            raise failures.pop()
        keep(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(webhook_secrets, "_keep", flickers)
    secrets.keep("wh_1", URL, ["a"], "geheim")
    assert len(secrets.rows()) == 1


def test_saving_is_given_up(secrets: WebhookSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreError(StoreFailure.FULL)

    monkeypatch.setattr(webhook_secrets, "_keep", fails)
    monkeypatch.setattr(webhook_secrets, "SAVE_PATIENCE", 0.2)
    with pytest.raises(StoreError, match="no space left"):
        secrets.keep("wh_1", URL, ["a"], "geheim")


def test_many_processes_keep_at_once(make_store: Callable[..., Store], encryptor: Encryptor) -> None:
    for number in range(5):
        store = make_store()
        WebhookSecrets("account", lambda: store, lambda: encryptor).keep(f"wh_{number}", URL, ["a"], "x")  # noqa: B023
    assert len(WebhookSecrets("account", make_store, lambda: encryptor).rows()) == 5
