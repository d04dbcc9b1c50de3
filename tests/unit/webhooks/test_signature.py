# Licensed under the Apache License, Version 2.0; see LICENSE.

from __future__ import annotations

import pytest

from airflow_provider_mkt.vendors.base import Signature
from airflow_provider_mkt.webhooks.signature import TOLERANCE, has_token, is_signed, sign

PLAIN, TIMED = Signature("X-Flinque-Signature"), Signature("Flow-Signature", timed=True)
BODY = b'{"id": "evt_1"}'
NOW = 1_750_000_000.0
OLD, NEW = "old-secret", "new-secret"


def timed(secret: str, moment: float, body: bytes = BODY) -> str:
    return f"t={moment:.0f},v1={sign(secret, f'{moment:.0f}.'.encode() + body)}"


def test_the_documented_algorithm() -> None:
    import hashlib
    import hmac

    expected = hmac.new(NEW.encode(), BODY, hashlib.sha256).hexdigest()
    assert is_signed(PLAIN, expected, BODY, [NEW], NOW)
    assert is_signed(PLAIN, f"sha256={expected}", BODY, [NEW], NOW)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_former_secrets_are_believed(secret: str) -> None:
    assert is_signed(PLAIN, sign(secret, BODY), BODY, [NEW, OLD], NOW)
    assert is_signed(TIMED, timed(secret, NOW), BODY, [NEW, OLD], NOW)


@pytest.mark.parametrize(
    ("signature", "header", "body"),
    {
        "another secret": (PLAIN, sign("another", BODY), BODY),
        "one byte altered": (PLAIN, sign(NEW, BODY), BODY[:-1] + b" "),
        "one byte more": (PLAIN, sign(NEW, BODY), BODY + b"\n"),
        "empty": (PLAIN, "", BODY),
        "cut": (PLAIN, sign(NEW, BODY)[:-1], BODY),
        "upper case": (PLAIN, sign(NEW, BODY).upper(), BODY),
        "not ASCII": (PLAIN, "ä" * 64, BODY),
        "no time": (TIMED, f"v1={sign(NEW, BODY)}", BODY),
        "time not signed": (TIMED, f"t={NOW:.0f},v1={sign(NEW, BODY)}", BODY),
        "two times": (TIMED, f"t=1,{timed(NEW, NOW)}", BODY),
        "time is no number": (TIMED, timed(NEW, NOW).replace("t=", "t=+"), BODY),
        "too old": (TIMED, timed(NEW, NOW - TOLERANCE - 1), BODY),
        "too new": (TIMED, timed(NEW, NOW + TOLERANCE + 1), BODY),
        "another scheme": (TIMED, timed(NEW, NOW).replace("v1", "v0"), BODY),
        "time moved": (TIMED, timed(NEW, NOW - 1000).replace(f"{NOW - 1000:.0f}", f"{NOW:.0f}"), BODY),
    }.values(),
    ids=str,
)
def test_what_is_not_believed(signature: Signature, header: str, body: bytes) -> None:
    assert not is_signed(signature, header, body, [NEW, OLD], NOW)


def test_one_of_several_signatures_fits() -> None:
    moment = f"{NOW:.0f}"
    header = f"t={moment},v1={'0' * 64},v1={sign(NEW, moment.encode() + b'.' + BODY)}"
    assert is_signed(TIMED, header, BODY, [NEW], NOW)


def test_a_header_with_many_signatures_is_not_read_to_its_end() -> None:
    moment = f"{NOW:.0f}"
    good = sign(NEW, moment.encode() + b"." + BODY)
    assert not is_signed(TIMED, f"t={moment}," + f"v1={'0' * 64}," * 100 + f"v1={good}", BODY, [NEW], NOW)


def test_no_secret_believes_nothing() -> None:
    assert not is_signed(PLAIN, sign("", BODY), BODY, [], NOW)


def test_tokens() -> None:
    assert has_token(NEW, [OLD, NEW])
    assert not has_token("another", [OLD, NEW])
    assert not has_token("", [])
