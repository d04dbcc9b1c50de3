# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docker-compose.yaml: accepted by docker-compose, complete, pinned, and without any secret of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import make_env

ROOT = Path(__file__).resolve().parents[2]
NO_SECRETS = {"AIRFLOW__CORE__AUTH_MANAGER", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"}
ROLES = ROOT / "scripts" / "database_roles.sh"
COMPOSE_FILE = ROOT / "docker-compose.yaml"
TOOL = shutil.which("docker-compose")
needs_tool = pytest.mark.skipif(
    TOOL is None, reason="docker-compose is not installed (Debian and Ubuntu: apt install docker-compose)"
)

AIRFLOW_SERVICES = {
    "airflow-apiserver": "api-server",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag-processor",
    "airflow-triggerer": "triggerer",
    "airflow-worker": "celery worker",
}
SERVICES = {*AIRFLOW_SERVICES, "airflow-init", "postgres", "redis"}
SECRET_FILE = re.compile(r"(?:^cat )?/run/secrets/([a-z-]+)$")
SECRET_SETTING = re.compile(r"PASSWORD|SECRET|FERNET|_KEY|AUTH$|SQL_ALCHEMY_CONN|RESULT_BACKEND|_URL")


def _services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return services


def _config(env_file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert TOOL is not None
    return subprocess.run(
        [TOOL, "--file", str(COMPOSE_FILE), "--env-file", str(env_file), *options, "config"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=env_file.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
    )


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "images.env"
    path.write_text(f"AIRFLOW_IMAGE=apache/airflow@sha256:{'0' * 64}\n", encoding="utf-8")
    return path


def test_services_are_those_of_a_distributed_airflow() -> None:
    services = _services()
    assert {name for name, one in services.items() if "profiles" not in one} == SERVICES
    assert services["sandbox"]["profiles"] == ["sandbox"]
    assert {name: services[name]["command"] for name in AIRFLOW_SERVICES} == AIRFLOW_SERVICES


def test_every_service_but_the_first_step_restarts_and_is_checked() -> None:
    for name, one in _services().items():
        if name == "airflow-init":
            assert one["restart"] == "no"
        else:
            assert one["restart"] == "unless-stopped", name
            assert one["healthcheck"]["test"], name


def test_airflow_starts_after_its_database_is_migrated() -> None:
    services = _services()
    for name in AIRFLOW_SERVICES:
        conditions = {other: row["condition"] for other, row in services[name]["depends_on"].items()}
        assert conditions["airflow-init"] == "service_completed_successfully"
        assert conditions["postgres"] == conditions["redis"] == "service_healthy"


def test_images_are_pinned_and_alike() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    base = re.search(r"^        (\d+\.\d+\.\d+)\) ;; \\$", dockerfile, re.MULTILINE)
    assert base is not None
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    locked = re.search(r"^apache-airflow==(\S+)", lock, re.MULTILINE)
    assert locked is not None
    assert base[1] == locked[1], "the image and the tests use different versions of Airflow"
    for name, one in _services().items():
        tag = one["image"].partition(":")[2]
        assert tag, f"{name} has no tag"
        assert tag != "latest", name
        if "build" in one:
            assert tag == base[1], name


def test_dags_cannot_be_changed_from_inside_and_logs_and_exports_are_shared() -> None:
    for name in AIRFLOW_SERVICES:
        volumes = _services()[name]["volumes"]
        assert "./dags:/opt/airflow/dags:ro" in volumes
        assert "airflow-logs:/opt/airflow/logs" in volumes
        assert "airflow-exports:/opt/airflow/exports" in volumes


def test_ports_are_open_to_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in _services().items() if "ports" in one}
    assert set(published) == {"airflow-apiserver", "sandbox"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_secrets_are_files_and_go_to_those_only_who_need_them() -> None:
    compose = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    assert set(compose["secrets"]) == set(make_env.content())
    for name, row in compose["secrets"].items():
        assert row == {"file": f"${{MKT_SECRETS:-./secrets}}/{name}"}
    for name, one in compose["services"].items():
        read = set(re.findall(r"/run/secrets/([a-z-]+)", str(one.get("command")) + str(one.get("healthcheck"))))
        for setting, value in (one.get("environment") or {}).items():
            if SECRET_SETTING.search(setting) and setting not in NO_SECRETS:
                found = SECRET_FILE.match(str(value))
                assert found, f"{name}: {setting} is written into the file"
                assert setting.endswith("_CMD" if value.startswith("cat ") else "_FILE"), f"{name}: {setting}"
                read.add(found[1])
        if name == "postgres":
            read |= set(re.findall(r"/run/secrets/([a-z-]+)", ROLES.read_text(encoding="utf-8")))
        assert read == set(one.get("secrets", [])), name


def test_workers_hold_no_rights_on_airflows_database_and_none_on_tables() -> None:
    services = _services()
    assert not {"database-url", "mkt-owner-url", "jwt-secret", "postgres-password"} & set(
        services["airflow-worker"]["secrets"]
    )
    owners = [name for name, one in services.items() if "mkt-owner-url" in one.get("secrets", [])]
    assert owners == ["airflow-init"]


def test_what_would_stop_a_cluster_is_set() -> None:
    for name in AIRFLOW_SERVICES:
        settings = _services()[name]["environment"]
        assert settings["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] == "true"
        days = int(settings["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) / 86_400
        assert days > 60, "the calendar DAG waits for 60 days"
    assert "/data" in _services()["redis"]["command"][-1]
    assert "redis-data:/data" in _services()["redis"]["volumes"]
    script = _services()["airflow-init"]["command"]
    assert script[:2] == ["bash", "-ec"], "a failed migration must stop the start"
    assert script[2].splitlines()[:2] == ["airflow db migrate", "airflow mkt db check"]


def test_checks_that_start_an_airflow_are_rare() -> None:
    for name, one in _services().items():
        if re.search(r"airflow jobs|celery ", str(one.get("healthcheck", {}).get("test"))):
            assert one["healthcheck"]["interval"] == "5m", name


def test_the_image_runs_as_no_root_and_has_what_its_services_need() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["airflow"]
    assert "[celery,postgres,sandbox]" in dockerfile
    assert "mkdir -p /opt/airflow/exports" in dockerfile


def test_image_is_built_without_the_secrets_of_this_folder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in lines
    assert not [line for line in lines if line.startswith("!") and re.search("env|secret", line)]
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


@needs_tool
def test_docker_compose_accepts_it(env_file: Path) -> None:
    answer = _config(env_file, "--profile", "sandbox")
    assert answer.returncode == 0, answer.stderr
    assert set(yaml.safe_load(answer.stdout)["services"]) == {*SERVICES, "sandbox"}


@needs_tool
def test_docker_compose_asks_for_the_digest_of_the_base_image(env_file: Path) -> None:
    text = env_file.read_text(encoding="utf-8")
    env_file.write_text(text.replace("AIRFLOW_IMAGE", "OTHER"), encoding="utf-8")
    answer = _config(env_file)
    assert answer.returncode != 0
    assert "AIRFLOW_IMAGE is not set" in answer.stderr


def test_a_password_that_begins_with_a_dash_is_no_option() -> None:
    """One of 64 random passwords does: nobody could sign in to that deployment, as no user was made."""
    command = COMPOSE_FILE.read_text(encoding="utf-8")
    assert '--password="$$(cat /run/secrets/admin-password)"' in command
    assert "--password " not in command
