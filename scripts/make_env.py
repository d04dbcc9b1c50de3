# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``make env``: new random secrets for docker-compose, one file each, in a folder that only its owner can enter."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

SECRET_BYTES = 32
PASSWORDS = ("admin", "celery", "mkt", "mkt-owner", "postgres", "redis")
DATABASE = "postgresql+psycopg2"


def content() -> dict[str, str]:
    """Return new secrets, and the URLs that they are part of, by the names of their files.

    Passwords consist of letters, digits, "-" and "_", because they become part of URLs.
    """
    word = {name: secrets.token_urlsafe(SECRET_BYTES) for name in PASSWORDS}
    return {
        **{f"{name}-password": password for name, password in word.items()},
        "fernet-key": base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).decode(),
        "api-secret-key": secrets.token_urlsafe(SECRET_BYTES),
        "jwt-secret": secrets.token_urlsafe(2 * SECRET_BYTES),
        "database-url": f"{DATABASE}://airflow:{word['postgres']}@postgres/airflow",
        "mkt-owner-url": f"{DATABASE}://mkt_owner:{word['mkt-owner']}@postgres/mkt",
        "mkt-url": f"{DATABASE}://mkt:{word['mkt']}@postgres/mkt",
        "result-backend-url": f"db+{DATABASE}://celery:{word['celery']}@postgres/celery",
        "broker-url": f"redis://:{word['redis']}@redis:6379/0",
    }


def write(folder: Path) -> bool:
    """Create the folder with all files; returns False, and changes nothing, when it exists.

    The folder is its owner's only. The files may be read by everybody who gets there: docker-compose puts each into the
    containers that need it, where it is read by another user.
    """
    if folder.exists():
        return False
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.absolute().parent))
    try:
        for name, text in content().items():
            path = made / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made)
        raise
    return True


def main() -> int:
    """Run the command; secrets are never printed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_env", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("secrets"), help="the folder (%(default)s)")
    folder = parser.parse_args().folder
    if write(folder):
        sys.stdout.write(f"wrote {folder}/: {', '.join(sorted(content()))}\n")
    else:
        sys.stdout.write(f"{folder} exists and was kept; remove it first for new secrets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
