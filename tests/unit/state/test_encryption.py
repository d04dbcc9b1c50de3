# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is stored is encrypted, and survives the rotation of the key."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError

KEY = Fernet.generate_key().decode()


def test_secrets_survive_the_rotation_of_the_key() -> None:
    new = Fernet.generate_key().decode()
    encrypted = Encryptor(KEY).encrypt("secret")
    assert "secret" not in encrypted
    both = Encryptor(f"{new}, {KEY}")
    assert both.decrypt(encrypted) == "secret"
    assert Encryptor(new).decrypt(both.reencrypt(encrypted)) == "secret"
    with pytest.raises(StoreError, match=r"none of the keys in \[core\] fernet_key"):
        Encryptor(new).decrypt(encrypted)


@pytest.mark.parametrize("keys", ["", "{FERNET_KEY}", "short"])
def test_nothing_is_kept_without_a_key(keys: str) -> None:
    with pytest.raises(StoreError, match=r"without a valid \[core\] fernet_key"):
        Encryptor(keys)
