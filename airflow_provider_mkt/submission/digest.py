# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The digest of what would be sent: people approve it, and the fence lets nothing else leave.

It covers the account with its credential, the route and all that the request carries. The idempotency key is no part
of it: the key names the try to launch, not what is launched.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.account import Account

SHOWN = 12
"""Digits of a digest that people see."""
BLOCK = 64 * 1024


def request_digest(account: Account, call: Call) -> str:
    """Return the SHA-256 of a request, as 64 hexadecimal digits.

    :param account: through which it is sent
    :param call: the request; a file is read, unless the call says what its content has to be
    :raises OSError: when the file cannot be read
    """
    endpoint = call.endpoint
    parts = {
        "account": [account.vendor.conn_type, account.base_url, account.login, _credential(account)],
        "method": endpoint.method,
        "base": endpoint.base,
        "path": call.url(""),
        "query": {name: value for name, value in call.query.items() if value is not None},
        "headers": dict(call.headers),
        "form": endpoint.form,
        "body": call.body,
        "file": _file(call),
    }
    return _digest(parts)


def plan_digest(digests: Iterable[str]) -> str:
    """Return the digest of a plan: of its requests' digests, in their order."""
    return _digest(["plan", *digests])


def shown(digest: str) -> str:
    """Return the part of a digest that people see."""
    return digest[:SHOWN]


def _credential(account: Account) -> str:
    """Return what tells one key from another. Nobody who sees a digest can try keys without this Airflow's own key."""
    from airflow.sdk import conf  # reads the configuration

    own = str(conf.get("core", "fernet_key", fallback="") or "").split(",")[-1].strip()
    return hmac.new(f"airflow-provider-mkt approval {own}".encode(), account.password.encode(), "sha256").hexdigest()


def _file(call: Call) -> dict[str, str] | None:
    if call.file is None:
        return None
    upload = call.file
    return {
        "name": upload.path.name,
        "type": upload.media_type,
        "part": upload.part,
        "sha256": upload.sha256 or file_digest(upload.path),
    }


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits.

    :raises OSError: when it cannot be read
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
