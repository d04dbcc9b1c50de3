# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a failed refresh says about the refresh token, and what follows from a lost answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.state.tokens.table import MAX_PAUSE, TokenRow
from tests.unit.state.tokens.vendor import (
    DAY,
    KEY,
    LOST,
    Make,
    Rotating,
)

# What a failed refresh says about the refresh token. UNSPENT: the journal is closed, the next caller may spend it.
FATES = [
    (NotSentError("no route"), "unspent"),
    (RateLimitError("slow down", status=429), "unspent"),
    (AuthenticationError("bad client", status=401, code="invalid_client"), "unspent"),
    (AuthenticationError("no code at all", status=401), "unspent"),
    (ValidationError("bad request", status=400, code="invalid_request"), "unspent"),
    (PermissionDeniedError("a firewall", status=403), "unspent"),
    (ValidationError("refused before it was sent"), "unspent"),
    (ValidationError("bad grant", status=400, code="invalid_grant"), "refused"),
    (ValidationError("invalid_grant", status=400), "refused"),
    (ValidationError("without a code", status=400), "refused"),
    (AuthenticationError("bad grant", status=401, code="invalid_grant"), "refused"),
    (OutcomeUnknownError("timed out"), "lost"),
    (ServerError("failed", status=502), "lost"),
    (MalformedResponseError("HTML", executed=True, status=200), "lost"),
]


@pytest.mark.parametrize(("error", "fate"), FATES, ids=[f"{type(error).__name__}-{fate}" for error, fate in FATES])
def test_what_a_failed_refresh_means(
    make: Make, row: Callable[[], TokenRow], clock: Any, error: ApiError, fate: str
) -> None:
    vendor = Rotating(("before", error), ("before", error))
    with pytest.raises(AuthenticationError if fate == "refused" else type(error)):
        make().get_rotating(KEY, "refresh-0", vendor)
    kept = row()
    assert len(vendor.sent) == (2 if fate == "lost" else 1)
    assert (kept.unusable_reason is not None) == (fate == "refused")
    assert (kept.begun_at is not None) == (fate != "unspent")
    assert kept.lease is None
    assert kept.refresh is not None
    clock.now += 1.0
    vendor.script = []
    if fate == "unspent":
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"


class TestLostAnswers:
    def test_not_executed_so_the_second_try_succeeds(self, make: Make) -> None:
        vendor = Rotating(("before", LOST))
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_executed_so_the_second_try_tells_the_loss(self, make: Make, clock: Any) -> None:
        vendor = Rotating(("after", LOST))
        for _ in range(5):
            with pytest.raises(AuthenticationError, match=r"its answer was lost.*airflow mkt authorize"):
                make().get_rotating(KEY, "refresh-0", vendor)
            clock.now += DAY
        assert vendor.sent == ["refresh-0", "refresh-0"]

    def test_executed_but_the_vendor_grants_grace(self, make: Make) -> None:
        vendor = Rotating(("after", LOST))

        def with_grace(refresh_token: str) -> Token:
            if len(vendor.sent) == 1:
                vendor.valid = refresh_token
            return vendor(refresh_token)

        assert make().get_rotating(KEY, "refresh-0", with_grace) == "access-2"

    def test_a_plain_401_after_a_lost_answer_is_believed_to_be_about_the_token(self, make: Make) -> None:
        vendor = Rotating(("after", LOST), ("before", AuthenticationError("no", status=401)))
        with pytest.raises(AuthenticationError, match="its answer was lost"):
            make().get_rotating(KEY, "refresh-0", vendor)

    @pytest.mark.slow
    def test_while_answers_keep_being_lost_tries_are_further_and_further_apart(self, make: Make, clock: Any) -> None:
        vendor = Rotating(*[("before", LOST)] * 1000)
        for _ in range(2 * 3600):
            clock.now += 1
            with pytest.raises(OutcomeUnknownError):
                make().get_rotating(KEY, "refresh-0", vendor)
        assert 10 <= len(vendor.sent) <= 40
        vendor.script = []
        clock.now += MAX_PAUSE
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_an_access_token_that_still_lives_is_used_meanwhile(self, make: Make, clock: Any) -> None:
        vendor = Rotating(None, *[("before", LOST)] * 4)
        make().get_rotating(KEY, "refresh-0", vendor)
        clock.now += 0.9 * DAY
        with pytest.raises(OutcomeUnknownError):
            make().get_rotating(KEY, "refresh-0", vendor)
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_what_is_no_api_error_leaves_the_journal_open(self, make: Make, row: Callable[[], TokenRow]) -> None:
        with pytest.raises(KeyboardInterrupt):
            make().get_rotating(KEY, "refresh-0", Rotating(("after", KeyboardInterrupt())))
        assert row().begun_at is not None
        assert row().lease is None
