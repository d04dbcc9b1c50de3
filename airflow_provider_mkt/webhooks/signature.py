# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether a delivery comes from the vendor: by its signature over the raw bytes, or by the token in its address."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from airflow_provider_mkt.vendors.base import Signature

TOLERANCE = 300.0
"""Seconds that the time in a signature may differ from this machine's."""
MAX_SIGNATURES = 8
"""Signatures in one header that are looked at: a vendor may send one for each secret during a rotation."""
TIME = re.compile(r"[0-9]{1,12}")
HEX = re.compile(r"[0-9a-f]{64}")
PREFIX = "sha256="


def is_signed(signature: Signature, header: str, body: bytes, secrets: Iterable[str], now: float) -> bool:
    """Tell whether ``header`` signs ``body`` with one of ``secrets``, at a time that is near ``now``.

    :param signature: how the vendor signs
    :param header: the header's value
    :param body: the body, byte by byte as it came
    :param secrets: the present secret and former ones
    :param now: Unix time
    """
    text = body
    if signature.timed:
        moment, shown = _parts(header)
        if moment is None or abs(now - float(moment)) > TOLERANCE:
            return False
        text = moment.encode() + b"." + body
    else:
        shown = [header.removeprefix(PREFIX)]
    shown = [each for each in shown if HEX.fullmatch(each)]
    # All are compared, so that the time taken tells nothing of which secret fits.
    return sum(hmac.compare_digest(sign(secret, text), each) for secret in secrets for each in shown) > 0


def sign(secret: str, text: bytes) -> str:
    """Return the signature of ``text``, as all signing vendors make it."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def has_token(given: str, tokens: Iterable[str]) -> bool:
    """Tell whether ``given`` is one of ``tokens``, in a time that tells nothing of them."""
    return sum(hmac.compare_digest(given.encode(), token.encode()) for token in tokens) > 0


def _parts(header: str) -> tuple[str | None, list[str]]:
    """Return the time and the signatures of ``t=…,v1=…``; what is named otherwise is passed over."""
    named = [part.strip().partition("=") for part in header.split(",", 2 * MAX_SIGNATURES)[: 2 * MAX_SIGNATURES]]
    times = [value for name, _, value in named if name == "t" and TIME.fullmatch(value)]
    signatures = [value for name, _, value in named if name == "v1"]
    return (times[0] if len(times) == 1 else None), signatures[:MAX_SIGNATURES]
