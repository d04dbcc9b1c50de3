# Licensed under the Apache License, Version 2.0; see LICENSE.
"""JSON Web Tokens signed with HS256, as the vendor's token call issues them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(text: str, key: str) -> bytes:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()


def issue(claims: dict[str, Any], key: str) -> str:
    """A signed token with these claims."""
    header = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    content = f"{header}.{_encode(json.dumps(claims).encode())}"
    return f"{content}.{_encode(_signature(content, key))}"


def claims_of(token: str, key: str) -> dict[str, Any] | None:
    """The claims of a token, or None when it was not signed with this key. Expiry is not looked at."""
    content, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decode(signature), _signature(content, key)):
            return None
        claims = json.loads(_decode(content.partition(".")[2]))
    except (ValueError, binascii.Error, UnicodeError):
        return None
    return claims if isinstance(claims, dict) else None
