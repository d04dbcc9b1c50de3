# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One vendor never starves another: what hangs at one holds none of the other's threads, and no more of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.client import bulkheads, retry
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import Auth, BearerAuth, TokenAuth
from airflow_provider_mkt.client.bulkheads import BULKHEADS, THREADS, Bulkheads
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import ApiError, AuthenticationError, NotSentError
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from tests.contract.wire import Raw, Unlimited, answer

READ = Endpoint("GET", "/things", Safety.READ, answer={"id": str})
TOKEN = Endpoint("POST", "/token", Safety.IDEMPOTENT, answer={"access_token": str}, authenticated=False)
OK = answer('{"id": "x"}')
WAITS = 40
GENEROUS = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


def client(url: str, auth: Auth | None = None, account: str = "") -> ApiClient:
    settings = Settings("Vendor", {"api": url}, read_timeout=GENEROUS, account=account)
    return ApiClient(settings, auth or BearerAuth("key-1"), Unlimited(), Redactor(["key-1"]))


def waiting_client(url: str) -> ApiClient:
    """A client as each wait in a triggerer has it: its own, of an account that gets a token by a call."""

    def get() -> str:
        return str(sender.send(TOKEN())["access_token"])

    sender = client(url, TokenAuth(get, lambda _: None, shared=url), url)
    return sender


async def until(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():  # noqa: ASYNC110 - what is awaited happens in a server's thread
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), GENEROUS)


def test_a_silent_token_endpoint_holds_nobody_else_up() -> None:
    """40 waits at one vendor, whose token call is not answered; a look at another one goes through at once."""
    release = threading.Event()

    def silent(connection: Any) -> None:
        release.wait(GENEROUS)

    async def scene(silent_url: str, healthy_url: str) -> tuple[Any, int, list[Any]]:
        waits = [asyncio.create_task(waiting_client(silent_url).asend(READ())) for _ in range(WAITS)]
        await until(lambda: bool(server.requests))
        looked = await asyncio.wait_for(client(healthy_url).asend(READ()), GENEROUS / 2)
        asked = len(server.requests)
        for wait in waits:
            wait.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        release.set()
        # The token call itself goes on for the next who asks: it has to end before the vendor does.
        await until(lambda: silent_url not in BULKHEADS._flights)
        return looked, asked, ended

    with Raw(silent) as server, Raw(OK) as healthy:
        looked, asked, ended = asyncio.run(scene(server.url, healthy.url))
    assert looked == {"id": "x"}
    assert asked == 1
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


@pytest.mark.parametrize(
    ("reply", "kind", "calls"),
    [
        (answer('{"error": "x"}', "401 Unauthorized"), AuthenticationError, 1),
        (answer("{}", "503 Busy"), ApiError, retry.ATTEMPTS),
        (answer("[]"), NotSentError, retry.ATTEMPTS),
    ],
)
def test_one_failed_token_call_answers_all(reply: bytes, kind: type[ApiError], calls: int) -> None:
    """None of the 40 repeats the series that one has gone through."""
    together = threading.Event()

    def late(connection: Any) -> None:
        together.wait(GENEROUS)
        connection.sendall(reply)

    async def scene(url: str) -> list[Any]:
        waits = [asyncio.create_task(waiting_client(url).asend(READ())) for _ in range(WAITS)]
        await until(lambda: bool(server.requests))
        together.set()
        return await asyncio.gather(*waits, return_exceptions=True)

    with Raw(late) as server:
        ended = asyncio.run(scene(server.url))
        assert len(server.requests) == calls
    assert [type(end) for end in ended] == [type(ended[0])] * WAITS
    assert isinstance(ended[0], kind)


def test_token_calls_that_are_repeated_hold_no_thread_of_their_account() -> None:
    """As many connections of one account wait for another token call as it has threads; its other calls go on."""
    release = threading.Event()
    waiting: list[str] = []

    def between_two_tries(key: str) -> None:
        waiting.append(key)
        release.wait(GENEROUS)

    async def scene(url: str) -> Any:
        flights = [
            asyncio.create_task(BULKHEADS.share(url, f"{url}/{number}", partial(between_two_tries, str(number))))
            for number in range(2 * THREADS)
        ]
        await until(lambda: len(waiting) >= THREADS)
        try:
            return await asyncio.wait_for(client(url, account=url).asend(READ()), GENEROUS / 2)
        finally:
            release.set()
            await asyncio.gather(*flights)

    with Raw(OK) as healthy:
        assert asyncio.run(scene(healthy.url)) == {"id": "x"}


@pytest.mark.parametrize("ends", ["silent", "refused"])
def test_waits_for_a_token_hold_three_threads_however_many_they_are(
    ends: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the hooks and the shared store: one thread has the token call, and sleeps between its tries, one keeps
    its lease, and one looks after deadlines. A healthy vendor answers within a second meanwhile."""
    monkeypatch.setattr(retry, "ATTEMPTS", 2)
    release = threading.Event()
    busy = answer("{}", "503 Busy", Retry_After="2")

    def token(connection: Any) -> None:
        if ends == "silent":
            release.wait(GENEROUS)
        else:
            connection.sendall(busy)

    def ours() -> list[str]:
        """The threads of this package that a sick account holds."""
        names = [each.name for each in threading.enumerate() if each.name.startswith("mkt-")]
        return [each for each in names if not each.startswith(("mkt-http", "mkt-sandbox"))]

    def waiting(url: str) -> FlowLivingHook:
        given = {"login": "org", "password": "key-of-tests", "extra": json.dumps({"request_type": "campaigns"})}
        return FlowLivingHook("sick", connection=Connection(conn_id="sick", conn_type="flow_living", host=url, **given))

    async def poll() -> float:
        begun = time.monotonic()
        await FlokitHook().client.arun(SyncWatch("int_adjust").poll())
        return time.monotonic() - begun

    async def scene(url: str) -> tuple[list[float], list[int], int, list[Any]]:
        await poll()
        before = len(ours())
        waits = [
            asyncio.create_task(waiting(url).client.arun(CampaignWatch(["queue_1"], ["published"]).poll()))
            for _ in range(WAITS)
        ]
        await until(lambda: bool(server.requests))
        took, held = [], []
        for _ in range(3):
            took.append(await poll())
            held.append(len(ours()) - before)
        for wait in waits:
            wait.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        asked = len(server.requests)
        release.set()
        await until(lambda: not BULKHEADS._flights)
        return took, held, asked, ended

    with Raw(token) as server:
        took, held, asked, ended = asyncio.run(scene(server.url))
    assert min(took) < 1.0
    assert max(held) <= 3
    assert asked <= retry.ATTEMPTS
    assert len(ended) == WAITS


def test_a_vendor_that_hangs_has_so_many_threads() -> None:
    release = threading.Event()
    hanging = [0]

    def hang() -> None:
        hanging[0] += 1
        release.wait(GENEROUS)

    async def scene() -> str:
        many = [asyncio.create_task(BULKHEADS.run("hangs", hang)) for _ in range(3 * THREADS)]
        await until(lambda: hanging[0] >= THREADS)
        other = await asyncio.wait_for(BULKHEADS.run("healthy", lambda: "done"), GENEROUS / 2)
        assert hanging[0] == THREADS
        release.set()
        await asyncio.gather(*many)
        return other

    assert asyncio.run(scene()) == "done"


def test_who_is_cancelled_does_not_cancel_it_for_the_others() -> None:
    release = threading.Event()

    async def scene() -> tuple[Any, Any, str]:
        several = Bulkheads()
        slow = [asyncio.create_task(several.share("a", "k", lambda: release.wait(GENEROUS) and "token")) for _ in "ab"]
        await asyncio.sleep(0)
        slow[0].cancel()
        await asyncio.sleep(0)
        release.set()
        first, second = await asyncio.gather(*slow, return_exceptions=True)
        return first, second, await several.share("a", "k", lambda: "another")

    first, second, third = asyncio.run(scene())
    assert isinstance(first, asyncio.CancelledError)
    assert (second, third) == ("token", "another")


def test_what_fails_when_all_have_left_is_not_logged_for_each() -> None:
    release = threading.Event()
    logged: list[str] = []

    def fail() -> None:
        release.wait(GENEROUS)
        raise ApiError("refused")

    async def scene() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: logged.append(told["message"]))
        several = Bulkheads()
        waits = [asyncio.create_task(several.share("a", "k", fail)) for _ in range(WAITS)]
        await until(lambda: bool(several._flights))
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        last = asyncio.wrap_future(several._flights["k"])
        release.set()
        await asyncio.wait({last})
        assert isinstance(last.exception(), ApiError)

    asyncio.run(scene())
    gc.collect()
    assert logged == []


def test_threads_of_accounts_that_are_gone_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkheads, "MAX_ACCOUNTS", 2)
    several = Bulkheads()

    async def scene() -> list[int]:
        return [await several.run(str(number), lambda: number) for number in range(5)]  # noqa: B023

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]
    assert list(several._pools) == ["3", "4"]


def test_a_forked_child_begins_anew() -> None:
    async def scene() -> str:
        return await BULKHEADS.run("parent", lambda: "ran")

    assert asyncio.run(scene()) == "ran"
    child = os.fork()
    if child == 0:
        done = False
        try:
            done = asyncio.run(asyncio.wait_for(scene(), GENEROUS)) == "ran"
        finally:
            os._exit(0 if done else 1)
    begun = time.monotonic()
    assert os.waitpid(child, 0)[1] == 0
    assert time.monotonic() - begun < GENEROUS
