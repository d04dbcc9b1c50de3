# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docker-compose.yaml as a plan of processes: what each service runs, with which settings, and where its files are.

Host names and container paths become this machine's own. Nothing else of a command or a setting is changed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.demo.layout import PROJECT

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
HOME = "/opt/airflow"
"""AIRFLOW_HOME of the image."""
PROGRAMS = ("bash", "sh", "python")
"""What the image's entrypoint runs as it is; everything else is a command of Airflow."""


@dataclass(frozen=True)
class Service:
    """What a container of a service runs.

    :param command: program and arguments
    :param environment: the service's own settings
    :param volumes: source of each mounted path: the name of a volume, or a path that begins with "."
    :param health: the command of the health check
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    volumes: Mapping[str, str]
    health: tuple[str, ...]


def interpolated(text: str) -> str:
    """Put the defaults of variables in, as docker-compose does without an environment file."""
    return VARIABLE.sub(lambda found: found[2], text).replace("$$", "$")


def service(name: str) -> Service:
    """Return a service of the file."""
    row = COMPOSE["services"][name]
    command = row.get("command", [])
    words = shlex.split(command) if isinstance(command, str) else command
    test = row.get("healthcheck", {}).get("test", ["NONE"])
    health = ("sh", "-c", test[1]) if test[0] == "CMD-SHELL" else tuple(test[1:])
    mounts = [mount.split(":") for mount in row.get("volumes", [])]
    return Service(
        command=tuple(interpolated(word) for word in (words if _is_program(words) else ["airflow", *words])),
        environment={key: interpolated(str(value)) for key, value in (row.get("environment") or {}).items()},
        volumes={mount[1]: mount[0] for mount in mounts},
        health=tuple(interpolated(word) for word in health),
    )


def _is_program(words: list[str]) -> bool:
    return not words or words[0] in PROGRAMS


@dataclass(frozen=True)
class Here:
    """Where on this machine the containers' names lead.

    :param ports: the port of each ``host:port`` of the file
    :param secrets: the folder of the secrets' files
    """

    ports: Mapping[str, int]
    secrets: Path

    def mapped(self, text: str, folder: Path) -> str:
        """Put this machine's addresses and paths into a command, a setting or a secret.

        :param folder: the container's own folder, which stands for its file system
        """
        for address, port in self.ports.items():
            host, _, number = address.partition(":")
            text = re.sub(rf"(?<![\w.-])({host}|localhost):{number}\b", f"127.0.0.1:{port}", text)
            text = re.sub(rf"(?<=@){host}/", f"127.0.0.1:{port}/", text)
        text = re.sub(r"(?<!\S)/data\b(?!-|/)", str(folder / "data"), text)
        return text.replace("/run/secrets", str(self.secrets)).replace(HOME, str(folder / "airflow"))
