# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``make env``: new random secrets for docker-compose, in a file that only its owner can read."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

SECRET_BYTES = 32

# Letters, digits, "-" and "_" only, because some become part of URLs; a Fernet key is 32 bytes in URL-safe base64.
SECRETS: dict[str, Callable[[], str]] = {
    "AIRFLOW_FERNET_KEY": lambda: base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).decode(),
    "AIRFLOW_API_SECRET_KEY": lambda: secrets.token_urlsafe(SECRET_BYTES),
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_urlsafe(2 * SECRET_BYTES),
    "AIRFLOW_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(SECRET_BYTES // 2),
    "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(SECRET_BYTES),
    "REDIS_PASSWORD": lambda: secrets.token_urlsafe(SECRET_BYTES),
}


def content() -> str:
    """Return the text of a new environment file."""
    lines = [
        "# Secrets for docker-compose.yaml. Keep it: the Fernet key opens what Airflow's database holds encrypted."
    ]
    return "\n".join([*lines, *(f"{name}={make()}" for name, make in SECRETS.items())]) + "\n"


def write(path: Path) -> bool:
    """Create the file; returns False, and changes nothing, when it exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content())
    return True


def main() -> int:
    """Run the command; secrets are never printed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_env", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=Path(".env"), help="the file (%(default)s)")
    path = parser.parse_args().path
    if write(path):
        sys.stdout.write(f"wrote {path}: {', '.join(SECRETS)}\n")
    else:
        sys.stdout.write(f"{path} exists and was kept; remove it first for new secrets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
