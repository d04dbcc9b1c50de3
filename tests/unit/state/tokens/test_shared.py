# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariants: one token call for all; a single-use refresh token is never spent unless its successor can be stored, and
a spent one is never spent again."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

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
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.key_rotation import Reencrypted, reencrypt_all
from airflow_provider_mkt.state.tokens import rotation, shielded
from airflow_provider_mkt.state.tokens.cache import READ_AGAIN
from airflow_provider_mkt.state.tokens.shared import Tokens
from airflow_provider_mkt.state.tokens.table import TokenRow, change, update_row_and_claim

KEY = "flodesk/https://api.flodesk.com/v1/client"
DAY = 86_400.0
LEASE = 30.0

Make = Callable[..., Tokens]


@pytest.fixture
def make(store: Store, encryptor: Encryptor, clock: Any) -> Make:
    """Makes what another process would have: its own memory, the same store."""

    def make(**more: Any) -> Tokens:
        settings = {
            "get_store": lambda: store,
            "get_encryptor": lambda: encryptor,
            "clock": clock,
            "sleep": clock.sleep,
        }
        return Tokens(**{**settings, "mask": lambda _: None, **more})

    return make


@pytest.fixture
def row(store: Store) -> Callable[[], TokenRow]:
    return lambda: change(store, KEY, lambda row, _: row)


class Fetching:
    """A vendor that issues token-1, token-2 …"""

    def __init__(self, lifetime: float = DAY) -> None:
        self.lifetime = lifetime
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(self) -> Token:
        self.calls += 1
        if self.error:
            raise self.error
        return Token(f"token-{self.calls}", self.lifetime)


class Rotating:
    """A vendor with single-use refresh tokens: access-1 with refresh-1, and so on. The seed is refresh-0.

    ``script`` says, call by call, what goes wrong: an error to raise before the refresh is executed, or after it.
    """

    def __init__(self, *script: tuple[str, BaseException] | None) -> None:
        self.script = list(script)
        self.sent: list[str] = []
        self.valid = "refresh-0"
        self.issued = 0

    def __call__(self, refresh_token: str) -> Token:
        self.sent.append(refresh_token)
        when, error = (self.script.pop(0) if self.script else None) or ("", None)
        if when == "before" and error:
            raise error
        if refresh_token != self.valid:
            raise INVALID_GRANT
        self.issued += 1
        self.valid = f"refresh-{self.issued}"
        if error:
            raise error
        return Token(f"access-{self.issued}", DAY, self.valid)


INVALID_GRANT = ValidationError("Flodesk refused POST /oauth2/token (HTTP 400)", status=400, code="invalid_grant")
LOST = OutcomeUnknownError("nobody knows")


class TestFetched:
    def test_one_call_serves_all(self, make: Make) -> None:
        vendor = Fetching()
        assert {make().get(KEY, vendor) for _ in range(20)} == {"token-1"}
        assert vendor.calls == 1

    def test_renewed_at_80_percent_of_its_life(self, make: Make, clock: Any) -> None:
        vendor, tokens = Fetching(), make()
        tokens.get(KEY, vendor)
        clock.now += 0.8 * DAY - 1
        assert tokens.get(KEY, vendor) == make().get(KEY, vendor) == "token-1"
        clock.now += 2
        assert tokens.get(KEY, vendor) == make().get(KEY, vendor) == "token-2"

    def test_a_refused_token_is_replaced_once(self, make: Make) -> None:
        vendor, processes = Fetching(), [make() for _ in range(16)]
        for tokens in processes:
            tokens.get(KEY, vendor)
        for tokens in processes:
            tokens.discard(KEY, "token-1")
            assert tokens.get(KEY, vendor) == "token-2"
        assert vendor.calls == 2

    def test_a_process_learns_of_a_new_token_after_a_while(self, make: Make, clock: Any) -> None:
        vendor, one, other = Fetching(), make(), make()
        one.get(KEY, vendor)
        other.get(KEY, vendor)
        one.discard(KEY, "token-1")
        one.get(KEY, vendor)
        clock.now += READ_AGAIN
        assert other.get(KEY, vendor) == "token-2"

    @pytest.mark.parametrize("broken", [False, True], ids=["shared", "without the store"])
    def test_a_vendor_that_gives_the_refused_token_again_is_not_asked_for_ever(
        self, make: Make, store: Store, clock: Any, broken: bool
    ) -> None:
        def get_store() -> Store:
            if broken:
                raise StoreError(StoreFailure.UNREACHABLE)
            return store

        calls: list[float] = []

        def same() -> Token:
            calls.append(clock.now)
            return Token("same", DAY)

        tokens = make(get_store=get_store)
        tokens.get(KEY, same)
        tokens.discard(KEY, "same")
        for _ in range(600):
            assert tokens.get(KEY, same) == "same"
            clock.now += 1
        assert len(calls) == 2

    def test_keys_are_kept_apart(self, make: Make) -> None:
        vendor = Fetching()
        assert make().get("a", vendor) != make().get("b", vendor)

    @pytest.mark.parametrize("error", [NotSentError("x"), AuthenticationError("x", status=401), KeyboardInterrupt()])
    def test_after_a_failure_the_next_caller_tries_again(self, make: Make, error: BaseException) -> None:
        vendor = Fetching()
        vendor.error = error
        with pytest.raises(type(error)):
            make().get(KEY, vendor)
        vendor.error = None
        assert make().get(KEY, vendor) == "token-2"

    def test_those_who_waited_share_a_refusal(self, make: Make) -> None:
        calling, answer = threading.Event(), threading.Event()
        calls, outcomes = [], []
        waiting: set[int] = set()

        def refuse() -> Token:
            calls.append(1)
            calling.set()
            assert answer.wait(10)
            raise AuthenticationError("Flow Living refused GET /token (HTTP 401)", status=401)

        def ask(tokens: Tokens) -> None:
            try:
                tokens.get(KEY, refuse)
            except AuthenticationError as error:
                outcomes.append(str(error))

        def wait(_: float) -> None:
            waiting.add(threading.get_ident())
            time.sleep(0.01)

        threads = [threading.Thread(target=ask, args=(make(sleep=wait),)) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert calling.wait(10)
        _until(lambda: len(waiting) == 4)
        answer.set()
        for thread in threads:
            thread.join()
        assert outcomes == ["Flow Living refused GET /token (HTTP 401)"] * 5
        assert len(calls) == 1

    def test_the_old_token_serves_while_a_new_one_is_fetched(self, make: Make, clock: Any) -> None:
        vendor = Fetching()
        make().get(KEY, vendor)
        clock.now += 0.9 * DAY

        def slow() -> Token:
            assert make().get(KEY, vendor) == "token-1"
            return Token("new", DAY)

        assert make().get(KEY, slow) == "new"

    def test_a_lease_is_taken_over_when_its_owner_died(self, make: Make, store: Store, clock: Any) -> None:
        def died(row: TokenRow, now: float) -> None:
            row.lease, row.lease_until = "somebody", now + LEASE

        change(store, KEY, died)
        began = clock.now
        assert make().get(KEY, Fetching()) == "token-1"
        assert clock.now - began == pytest.approx(LEASE, abs=1.0)

    def test_secrets_are_stored_encrypted_under_digests(self, make: Make, path: Path, store: Store) -> None:
        make().get(KEY, lambda: Token("geheim-token", DAY))
        make().get_rotating("other key", "geheim-seed", lambda _: Token("geheim-access", DAY, "geheim-refresh"))
        store.close()
        stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"mkt_token" in stored
        for secret in (b"geheim", b"flodesk", b"other key"):
            assert secret not in stored

    def test_tokens_from_the_store_are_masked_once(self, make: Make) -> None:
        masked: list[str] = []
        tokens = make(mask=masked.append)
        make().get(KEY, Fetching())
        for _ in range(3):
            tokens._kept.drop(KEY)
            tokens.get(KEY, Fetching())
        assert masked == ["token-1"]

    def test_repr_shows_no_secret(self, make: Make) -> None:
        tokens = make()
        tokens.get(KEY, lambda: Token("geheim", DAY))
        assert "geheim" not in f"{tokens!r} {vars(tokens._kept)!r}"

    def test_a_new_fernet_key_costs_nothing(self, make: Make, store: Store) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        vendor = Fetching()
        make(get_encryptor=lambda: Encryptor(old)).get(KEY, vendor)
        both = Encryptor(f"{new},{old}")
        assert make(get_encryptor=lambda: both).get(KEY, vendor) == "token-1"
        assert reencrypt_all(store, both) == Reencrypted(1, 0)
        assert make(get_encryptor=lambda: Encryptor(new)).get(KEY, vendor) == "token-1"

    def test_a_lost_fernet_key_costs_one_call(self, make: Make, encryptor: Encryptor) -> None:
        vendor = Fetching()
        make(get_encryptor=lambda: Encryptor(Fernet.generate_key().decode())).get(KEY, vendor)
        assert [make().get(KEY, vendor) for _ in range(3)] == ["token-2"] * 3


class TestRotating:
    def test_the_successor_is_spent_next(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        for number in range(1, 6):
            assert make().get_rotating(KEY, "refresh-0", vendor) == f"access-{number}"
            assert make().get_rotating(KEY, "refresh-0", vendor) == f"access-{number}"
            clock.now += 0.9 * DAY
        assert vendor.sent == [f"refresh-{number}" for number in range(5)]

    def test_without_a_seed_somebody_has_to_consent_first(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        with pytest.raises(AuthenticationError, match="has not been authorised yet"):
            make().get_rotating(KEY, "", vendor)
        make().adopt(KEY, "", Token("consented", DAY, "refresh-0"))
        assert make().get_rotating(KEY, "", vendor) == "consented"
        assert vendor.sent == []
        clock.now += 0.9 * DAY
        assert make().get_rotating(KEY, "", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_seed_that_is_taken_away_changes_nothing(self, make: Make) -> None:
        vendor = Rotating()
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert make().get_rotating(KEY, "", vendor) == "access-1"

    def test_sixteen_refusals_one_refresh(self, make: Make) -> None:
        vendor, processes = Rotating(), [make() for _ in range(16)]
        for tokens in processes:
            tokens.get_rotating(KEY, "refresh-0", vendor)
        for tokens in processes:
            tokens.discard(KEY, "access-1")
            assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-2"
        assert len(vendor.sent) == 2

    def test_begun_is_committed_before_the_call(self, make: Make, row: Callable[[], TokenRow]) -> None:
        seen: list[TokenRow] = []

        def refresh(refresh_token: str) -> Token:
            seen.append(row())
            return Token("access", DAY, "next")

        make().get_rotating(KEY, "refresh-0", refresh)
        assert seen[0].begun_at is not None
        assert seen[0].lease is not None
        assert row().begun_at is None
        assert row().lease is None

    def test_a_changed_seed_wins(self, make: Make) -> None:
        vendor, tokens = Rotating(), make()
        tokens.get_rotating(KEY, "refresh-0", vendor)
        vendor.valid = "consent"
        assert tokens.get_rotating(KEY, "consent", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "consent"]

    def test_a_process_with_a_former_seed_uses_what_the_new_one_got(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        make().get_rotating(KEY, "refresh-0", vendor)
        vendor.valid = "consent"
        make().get_rotating(KEY, "consent", vendor)
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-3"
        assert vendor.sent == ["refresh-0", "consent", "refresh-2"]

    def test_a_vendor_that_does_not_rotate_after_all(self, make: Make, clock: Any) -> None:
        sent = []

        def refresh(refresh_token: str) -> Token:
            sent.append(refresh_token)
            return Token(f"access-{len(sent)}", DAY)

        make().get_rotating(KEY, "seed", refresh)
        clock.now += DAY
        assert make().get_rotating(KEY, "seed", refresh) == "access-2"
        assert sent == ["seed", "seed"]

    def test_a_refused_seed_is_reported_and_never_sent_again(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        vendor.valid = "another"
        for _ in range(5):
            with pytest.raises(AuthenticationError, match=r"airflow mkt authorize.*refresh_token") as caught:
                make().get_rotating(KEY, "refresh-0", vendor)
            clock.now += DAY
        assert "used or revoked elsewhere" in str(caught.value)
        assert vendor.sent == ["refresh-0"]
        vendor.valid = "consent"
        assert make().get_rotating(KEY, "consent", vendor) == "access-1"

    def test_authorising_again_revives_with_the_same_seed(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        vendor.valid = "another"
        with pytest.raises(AuthenticationError):
            make().get_rotating(KEY, "refresh-0", vendor)
        make().adopt(KEY, "refresh-0", Token("adopted", DAY, "another"))
        assert make().get_rotating(KEY, "refresh-0", vendor) == "adopted"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"

    def test_a_successor_stored_by_somebody_else_is_used(self, make: Make, store: Store, encryptor: Encryptor) -> None:
        def refresh(refresh_token: str) -> Token:
            def replaced(row: TokenRow, now: float) -> None:
                row.set_refresh(encryptor, "theirs")
                row.set_access(encryptor, "their access", DAY, 0.8, now)

            change(store, KEY, replaced)
            raise INVALID_GRANT

        assert make().get_rotating(KEY, "refresh-0", refresh) == "their access"

    def test_who_was_taken_for_dead_saves_what_it_got(self, make: Make, clock: Any) -> None:
        vendor = Rotating()

        def paused(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            clock.now += 3 * LEASE
            with pytest.raises(AuthenticationError, match="its answer was lost"):
                make().get_rotating(KEY, "refresh-0", vendor)
            return token

        assert make().get_rotating(KEY, "refresh-0", paused) == "access-1"
        clock.now += DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"

    def test_a_lost_fernet_key_is_told_and_nothing_is_spent(self, make: Make, clock: Any) -> None:
        vendor = Rotating()
        make(get_encryptor=lambda: Encryptor(Fernet.generate_key().decode())).get_rotating(KEY, "refresh-0", vendor)
        with pytest.raises(StoreError, match="add the former key"):
            make().get_rotating(KEY, "refresh-0", vendor)
        assert vendor.sent == ["refresh-0"]
        vendor.valid = "consent"
        assert make().get_rotating(KEY, "consent", vendor) == "access-2"


class Timeout(BaseException):
    """Raised in the main thread, as Airflow's ``execution_timeout`` is."""


class TestInterrupted:
    """What interrupts the main thread neither loses a refresh token nor has a spent one sent again."""

    @pytest.fixture(autouse=True)
    def _handler(self) -> Iterator[None]:
        def interrupt(*_: Any) -> None:
            raise Timeout

        before = signal.signal(signal.SIGUSR1, interrupt)
        yield
        signal.signal(signal.SIGUSR1, before)

    @staticmethod
    def interrupt() -> None:
        """Have the main thread raise, and give it the time to do so."""
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.2)

    def test_while_the_answer_is_under_way(self, make: Make, row: Callable[[], TokenRow]) -> None:
        vendor, tokens = Rotating(), make()

        def refresh(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            self.interrupt()
            return token

        with pytest.raises(Timeout):
            tokens.get_rotating(KEY, "refresh-0", refresh)
        assert row().begun_at is None
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_while_the_successor_is_stored(
        self, make: Make, store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vendor, tokens = Rotating(), make()
        save = rotation.Rotation.save

        def slow(*arguments: Any) -> Any:
            self.interrupt()
            return save(*arguments)

        monkeypatch.setattr(rotation.Rotation, "save", slow)
        with pytest.raises(Timeout):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        clock.now += 0.9 * DAY
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "refresh-1"]

    def test_an_answer_that_comes_after_the_grace_is_stored_all_the_same(
        self, make: Make, row: Callable[[], TokenRow], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shielded, "GRACE", 0.05)
        vendor, answer = Rotating(), threading.Event()

        def refresh(refresh_token: str) -> Token:
            token = vendor(refresh_token)
            self.interrupt()
            assert answer.wait(10)
            return token

        with pytest.raises(Timeout):
            make().get_rotating(KEY, "refresh-0", refresh)
        assert row().begun_at is not None
        answer.set()
        _until(lambda: row().begun_at is None)
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_successor_is_noted_before_it_is_stored(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever ends the attempt to store it, this process stores it before it spends anything."""
        vendor, tokens = Rotating(), make()

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(rotation.Rotation, "save", die)
        with pytest.raises(KeyboardInterrupt):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]

    def test_a_successor_that_is_stored_twice_closes_no_journal_of_its_own(
        self, make: Make, store: Store, encryptor: Encryptor, row: Callable[[], TokenRow]
    ) -> None:
        """The answer to a commit may be lost; by the time it is repeated, somebody may be spending the successor."""
        one = rotation.Rotation(store, encryptor, KEY, "refresh-0", lease=LEASE)
        claimed = update_row_and_claim(store, KEY, lambda row, now, take: one.claim(row, now, None, take))
        assert isinstance(claimed, rotation.Claimed)
        token = Token("access-1", DAY, "refresh-1")
        assert one.save(claimed, token) is not None

        def begun(row: TokenRow, now: float) -> None:
            row.begun_at, row.tries = now, 1

        change(store, KEY, begun)
        assert one.save(claimed, token) is not None
        assert row().begun_at is not None


class TestOneSeedTwoConnections:
    """A refresh token works once, whoever has it: with the second use vendors revoke what came of the first."""

    def test_nothing_is_spent_by_the_second(self, make: Make, clock: Any) -> None:
        vendor, tokens = Rotating(), make()
        tokens.get_rotating("first", "refresh-0", vendor)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match=r"another connection before.*airflow mkt authorize"):
                make().get_rotating("second", "refresh-0", vendor)
            clock.now += DAY
        assert tokens.get_rotating("first", "refresh-0", vendor) == "access-2"
        assert vendor.sent == ["refresh-0", "refresh-1"]

    def test_what_another_vendor_issued_is_another_token(self, make: Make) -> None:
        """Two sandboxes begin with the same one."""
        vendors = [Rotating(), Rotating()]
        for number, vendor in enumerate(vendors):
            assert make().get_rotating(f"key {number}", "refresh-0", vendor, f"http://{number}") == "access-1"

    def test_authorising_the_second_helps(self, make: Make) -> None:
        vendor = Rotating()
        make().get_rotating("first", "refresh-0", vendor)
        make().adopt("second", "refresh-0", Token("consented", DAY, "another"))
        assert make().get_rotating("second", "refresh-0", vendor) == "consented"
        assert make().get_rotating("first", "refresh-0", vendor) == "access-1"

    def test_a_login_that_is_corrected_takes_its_unspent_token_along(self, make: Make) -> None:
        vendor = Rotating(("before", AuthenticationError("bad client", status=401, code="invalid_client")))
        with pytest.raises(AuthenticationError, match="bad client"):
            make().get_rotating("wrong login", "refresh-0", vendor)
        assert make().get_rotating("right login", "refresh-0", vendor) == "access-1"
        with pytest.raises(AuthenticationError, match="another connection before"):
            make().get_rotating("wrong login", "refresh-0", vendor)
        assert vendor.sent == ["refresh-0", "refresh-0"]

    def test_one_whose_fate_is_unknown_stays_where_it_is(self, make: Make) -> None:
        vendor = Rotating(("after", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            make().get_rotating("first", "refresh-0", vendor)
        with pytest.raises(AuthenticationError, match="another connection before"):
            make().get_rotating("second", "refresh-0", vendor)
        assert vendor.sent == ["refresh-0"]


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

    def test_while_answers_keep_being_lost_tries_are_further_and_further_apart(self, make: Make, clock: Any) -> None:
        vendor = Rotating(*[("before", LOST)] * 1000)
        for _ in range(2 * 3600):
            clock.now += 1
            with pytest.raises(OutcomeUnknownError):
                make().get_rotating(KEY, "refresh-0", vendor)
        assert 10 <= len(vendor.sent) <= 40
        vendor.script = []
        clock.now += rotation.MAX_PAUSE
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


@pytest.mark.parametrize("failure", [*StoreFailure])
class TestWithoutTheStore:
    """Tokens that can be fetched again are; a refresh token is not spent. Whatever is wrong with the store."""

    @pytest.fixture
    def broken(self, failure: StoreFailure) -> dict[str, Any]:
        def fail() -> Store:
            raise StoreError(failure)

        return {"get_store": fail}

    def test_fetched_for_this_process_alone(
        self, make: Make, broken: Any, clock: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        vendor, tokens = Fetching(), make(**broken)
        with caplog.at_level(logging.WARNING):
            assert [tokens.get(KEY, vendor) for _ in range(3)] == ["token-1"] * 3
            clock.now += READ_AGAIN
            assert tokens.get(KEY, vendor) == "token-1"
        assert len(caplog.records) == 1
        tokens.discard(KEY, "token-1")
        assert tokens.get(KEY, vendor) == "token-2"
        clock.now += DAY
        assert tokens.get(KEY, vendor) == "token-3"

    def test_no_refresh_token_is_spent(self, make: Make, broken: Any, failure: StoreFailure) -> None:
        vendor = Rotating()
        with pytest.raises(StoreError) as caught:
            make(**broken).get_rotating(KEY, "refresh-0", vendor)
        assert caught.value.failure is failure
        assert vendor.sent == []

    def test_an_access_token_is_used_while_it_lives(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        state: dict[str, Any] = {"failure": None}

        def get_store() -> Store:
            if state["failure"]:
                raise StoreError(state["failure"])
            return store

        vendor, tokens = Rotating(), make(get_store=get_store)
        tokens.get_rotating(KEY, "refresh-0", vendor)
        state["failure"] = failure
        clock.now += 0.99 * DAY
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        clock.now += 0.02 * DAY
        with pytest.raises(StoreError):
            tokens.get_rotating(KEY, "refresh-0", vendor)
        state["failure"] = None
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-2"

    def test_a_successor_that_cannot_be_stored_is_kept_and_stored_later(
        self,
        make: Make,
        store: Store,
        failure: StoreFailure,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(rotation, "SAVE_PATIENCE", 0.0)
        vendor, tokens = Rotating(), make()

        def fail(*_: Any, **__: Any) -> None:
            raise StoreError(failure)

        def refresh(refresh_token: str) -> Token:
            monkeypatch.setattr(store, "run", fail)
            return vendor(refresh_token)

        with pytest.raises(StoreError):
            tokens.get_rotating(KEY, "refresh-0", refresh)
        assert "exists only in the memory of this process" in caplog.text
        assert "refresh-1" not in caplog.text
        monkeypatch.undo()
        assert tokens.get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert make().get_rotating(KEY, "refresh-0", vendor) == "access-1"
        assert vendor.sent == ["refresh-0"]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
