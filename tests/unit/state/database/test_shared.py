# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where ``[mkt] state_url`` may come from, in new processes with a configuration of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_mkt.provider_info import get_provider_info
from airflow_provider_mkt.state.database import dialects
from airflow_provider_mkt.state.database.shared import configured_url, warn_if_not_shared
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

URL = "postgresql://mkt:geheim@db.example/mkt"
SHOW = """
from airflow_provider_mkt.state.database.shared import configured_url
from airflow_provider_mkt.state.errors import StoreError
try:
    print(configured_url())
except StoreError as error:
    print(error)
"""
BACKEND = f"""
from airflow.secrets import BaseSecretsBackend


class Vault(BaseSecretsBackend):
    def get_config(self, key):
        if key == "down":
            raise ConnectionError("cannot sign in with geheim")
        return {{"mkt/state-url": "{URL}"}}.get(key)
"""
VAULT = {"AIRFLOW__SECRETS__BACKEND": "vault_of_test.Vault"}
FILES = {
    "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
    "AIRFLOW__SECRETS__BACKEND_KWARGS": '{"configs_file_path": "configs.env"}',
}
GIVEN: dict[str, tuple[dict[str, str], str]] = {
    "variable, command": ({"AIRFLOW__MKT__STATE_URL_CMD": f"echo {URL}"}, ""),
    "variable, custom backend": ({**VAULT, "AIRFLOW__MKT__STATE_URL_SECRET": "mkt/state-url"}, ""),
    "variable, local files": ({**FILES, "AIRFLOW__MKT__STATE_URL_SECRET": "state_url"}, ""),
    "airflow.cfg, command": ({}, f"state_url_cmd = echo {URL}"),
    "airflow.cfg, local files": (FILES, "state_url_secret = state_url"),
}
LACKING: dict[str, tuple[dict[str, str], str, str]] = {
    "no such secret": ({**VAULT, "AIRFLOW__MKT__STATE_URL_SECRET": "other"}, "", "AIRFLOW__MKT__STATE_URL_SECRET gave"),
    "no backend": ({}, "state_url_secret = mkt/state-url", "state_url_secret gave nothing"),
    "the backend is down": (VAULT, "state_url_secret = down", "state_url_secret: AirflowConfigException"),
}


def shown(folder: Path, variables: dict[str, str], line: str) -> str:
    (folder / "airflow.cfg").write_text(f"[mkt]\n{line}\n", encoding="utf-8")
    (folder / "vault_of_test.py").write_text(BACKEND, encoding="utf-8")
    (folder / "configs.env").write_text(f"state_url={URL}\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**kept, "AIRFLOW_HOME": str(folder), "PYTHONPATH": str(folder), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.proof
@pytest.mark.parametrize("case", GIVEN)
def test_the_url_may_come_from(case: str, tmp_path: Path) -> None:
    assert shown(tmp_path, *GIVEN[case]) == URL


@pytest.mark.proof
@pytest.mark.parametrize("case", LACKING)
def test_a_source_that_gives_nothing_is_no_reason_to_use_a_file(case: str, tmp_path: Path) -> None:
    """Else every host would quietly have rate limits and tokens of its own."""
    variables, line, said = LACKING[case]
    told = shown(tmp_path, variables, line)
    assert StoreFailure.NO_URL.value in told
    assert said in told
    assert "geheim" not in told


@pytest.mark.parametrize("command", ["false geheim", "true", "no-such-command-geheim"])
def test_a_command_that_fails(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL_CMD", command)
    with pytest.raises(StoreError) as caught:
        configured_url()
    assert caught.value.failure is StoreFailure.NO_URL
    assert "AIRFLOW__MKT__STATE_URL_CMD" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_option_is_declared_sensitive() -> None:
    """Only those may come from a command or a secret; Airflow hides them wherever it shows its configuration."""
    assert get_provider_info()["config"]["mkt"]["options"]["state_url"]["sensitive"] is True


CONFIGURED = "from airflow_provider_mkt.state.database.shared import store; print(store().url.database)"


@pytest.mark.slow
def test_the_default_is_a_file_in_airflow_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__MKT")}
    shown = subprocess.run(
        [sys.executable, "-c", CONFIGURED],
        env={**environment, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == str(tmp_path / "mkt_state.db")


@pytest.mark.parametrize(
    ("executor", "url", "lonely"),
    [
        ("LocalExecutor", "sqlite:////tmp/x", None),
        ("CeleryExecutor", "sqlite:////tmp/x", "CeleryExecutor"),
        ("LocalExecutor,KubernetesExecutor", "sqlite:////tmp/x", "KubernetesExecutor"),
        ("far:a.b.EdgeExecutor", "sqlite:////tmp/x", "EdgeExecutor"),
        ("CeleryExecutor", "postgresql+psycopg2://h/d", None),
    ],
)
def test_a_file_under_a_distributed_executor_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, executor: str, url: str, lonely: str | None
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    monkeypatch.setattr(dialects, "find_spec", lambda name: name)
    with caplog.at_level(logging.WARNING):
        warn_if_not_shared(Store(url))
    assert [lonely is not None and f"but {lonely} runs tasks" in caplog.text] == [lonely is not None]
