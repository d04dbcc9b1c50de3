# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An inbox of its own for each test, and deliveries as each vendor sends them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.inbox import Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    store, encryptor = Store(f"sqlite:///{tmp_path}/state.db"), Encryptor(Fernet.generate_key().decode())
    return Inbox(lambda: store, lambda: encryptor)
