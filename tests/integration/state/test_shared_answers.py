# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Five triggerers at one database: a question is asked once, whatever the database."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from cryptography.fernet import Fernet

from airflow_provider_mkt.state.answers import Shared, SharedAnswers, Wait
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor

QUESTIONS = 20


def test_of_five_one_asks(url: str) -> None:
    key = Fernet.generate_key().decode()

    def triggerer() -> int:
        store = Store(url)
        shared, asked = SharedAnswers(lambda: store, lambda: Encryptor(key)), 0
        for question in (f"q{each}" for each in range(QUESTIONS)):
            while isinstance(found := shared.take("a", question, 60.0), Wait):
                time.sleep(0.005)
            if found is None:
                asked += 1
                shared.keep("a", question, [question], 0.0)
            else:
                assert isinstance(found, Shared)
                assert found.answer == [question]
        store.close()
        return asked

    with ThreadPoolExecutor(5) as threads:
        assert sum(threads.map(lambda _: triggerer(), range(5))) == QUESTIONS
