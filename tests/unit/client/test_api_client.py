# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Both drivers against small servers: files, cancellation, many calls at once, and answers that lie."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator
from typing import Any

import pytest

from airflow_provider_mkt.client import bulkheads, retry
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import Auth, BearerAuth, TokenAuth
from airflow_provider_mkt.client.endpoint import Call, Endpoint, Safety
from airflow_provider_mkt.client.paging import PageNumbers
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from tests.contract.wire import Listener, Raw, Unlimited, answer, read_request

READ = Endpoint("GET", "/things/{thing}", Safety.READ, answer={"id": str})
LIST = Endpoint("GET", "/things", Safety.READ, rows=("data",))
FILE = Endpoint("GET", "/file", Safety.READ)
ONCE = Endpoint("POST", "/launch", Safety.ONCE, answer={"id": str})
KEYED = Endpoint("POST", "/posts", Safety.KEYED, answer={"id": str})
TOKEN = Endpoint("POST", "/token", Safety.IDEMPOTENT, answer={"access_token": str}, authenticated=False)
OK = answer('{"id": "x"}')
MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


def client(url: str, auth: Auth | None = None, **settings: Any) -> ApiClient:
    bases = {"api": url}
    return ApiClient(
        Settings("Vendor", bases, **settings), auth or BearerAuth("key-1"), Unlimited(), Redactor(["key-1"])
    )


def fetching(url: str) -> ApiClient:
    """A client that gets a token by itself, before every request."""
    sender: ApiClient = client(url, TokenAuth(lambda: str(sender.send(TOKEN())["access_token"]), lambda value: None))
    return sender


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is awaited happens in a server's thread
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n{}",
        b"",
    ],
    ids=["two lengths", "two length headers", "nonsense", "half a line", "200 headers", "a long header", "nothing"],
)
def test_a_launch_is_not_repeated_whatever_comes_back(reply: bytes, serve: Callable[..., Raw]) -> None:
    server = serve(reply)
    with pytest.raises(OutcomeUnknownError):
        client(server.url).send(ONCE(body={}))
    assert len(server.requests) == 1


def test_a_launch_in_the_handler_of_another_failure(serve: Callable[..., Raw]) -> None:
    """ "That one could not be reached, so launch here" must not turn a broken answer into "not sent"."""
    server = serve(b"")
    try:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    except OSError:
        with pytest.raises(OutcomeUnknownError):
            client(server.url).send(ONCE(body={}))
    assert len(server.requests) == 1


def test_a_launch_has_a_connection_of_its_own(serve: Callable[..., Raw]) -> None:
    """Not even that of its own token call: a server may close it after each answer without a word."""

    class OneAnswer(Listener):
        connections: list[int] = []  # noqa: RUF012

        def serve(self, client: socket.socket) -> None:
            handled = 0
            while request := read_request(client):
                handled += 1
                if handled > 1:
                    return
                self.connections.append(handled)
                token = b"/token" in request
                client.sendall(answer('{"access_token": "t"}' if token else '{"id": "x"}', Connection="keep-alive"))

    with OneAnswer() as server:
        sender = fetching(server.url)
        assert sender.send(ONCE(body={})) == {"id": "x"}
        assert sender.send(ONCE(body={})) == {"id": "x"}
        assert server.connections == [1, 1, 1, 1]


def test_an_unreadable_token_answer_is_no_launch(serve: Callable[..., Raw]) -> None:
    server = serve(answer("[]"))
    sender = fetching(server.url)
    with pytest.raises(NotSentError):
        sender.send(ONCE(body={}))
    assert not any(b"/launch" in request for request in server.requests)


def test_a_keyed_post_with_a_lost_result_is_never_called_refused(serve: Callable[..., Raw]) -> None:
    """Created, but unreadable; then a 429 for an hour. "Refused" would have the next try create a second one."""
    replies = [answer("{", "201 Created"), answer("{}", "429 Too Many Requests", Retry_After="3600")]
    server = serve(lambda connection: connection.sendall(replies[min(len(server.requests), 2) - 1]))
    with pytest.raises(OutcomeUnknownError):
        client(server.url).send(KEYED(body={}, idempotency_key="k"))
    keys = {line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Idempotency")}
    assert keys == {b"Idempotency-Key: k"}


def test_a_keyed_post_without_its_key_is_not_repeated(serve: Callable[..., Raw]) -> None:
    server = serve(b"")
    with pytest.raises(OutcomeUnknownError):
        client(server.url).send(KEYED(body={}))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "call",
    [
        ONCE(body={"x": float("nan")}),
        ONCE(body={"x": object()}),
        KEYED(body={}, idempotency_key="line\nbreak"),
        KEYED(body={}, idempotency_key="Schlüssel🔑"),
        ONCE(body={}, headers={"X-Name": "a\r\nX-Injected: 1"}),
        READ(path={"thing": ""}),
        READ(path={"thing": ".."}),
        READ(path={"thing": None}),
        READ(path={"thing": "\ud800"}),
    ],
    ids=["no number", "no JSON", "line break", "not Latin-1", "two headers", "empty", "above", "nothing", "no text"],
)
def test_requests_that_cannot_be_built(call: Call, serve: Callable[..., Raw]) -> None:
    server = serve(OK)
    with pytest.raises(ValidationError, match=call.endpoint.method):
        client(server.url).send(call)
    assert server.requests == []


@pytest.mark.parametrize("location", ["http://[", "/\xff\xfe", "ftp://x/", "", "http://", "//"])
def test_redirects_to_nowhere(location: str, serve: Callable[..., Raw]) -> None:
    head = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n"
    with pytest.raises((ServerError, NotSentError)):
        client(serve(head.encode("latin-1")).url).send(READ(path={"thing": "x"}))


def test_posts_do_not_follow_redirects(serve: Callable[..., Raw]) -> None:
    other = serve(OK)
    with pytest.raises(OutcomeUnknownError):
        client(serve(answer("", "307 Temporary Redirect", Location=other.url)).url).send(ONCE(body={}))
    assert other.requests == []


def test_a_body_that_comes_byte_by_byte_is_given_up(serve: Callable[..., Raw]) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.01)

    begun = time.monotonic()
    with pytest.raises(MalformedResponseError) as caught:
        client(serve(trickle).url, whole_timeout=0.2).send(ONCE(body={}))
    assert caught.value.executed
    assert time.monotonic() - begun < 3


def test_compressed_answers_are_bounded(serve: Callable[..., Raw]) -> None:
    bomb = gzip.compress(b" " * (40 * MEGABYTE))
    with pytest.raises(MalformedResponseError, match="larger than 16 MB"):
        client(serve(answer(bomb, Content_Encoding="gzip")).url).send(ONCE(body={}))
    squeezed = answer(gzip.compress(b'{"id": "x"}'), Content_Encoding="gzip")
    assert client(serve(squeezed).url).send(ONCE(body={})) == {"id": "x"}


def file_of(size: int, sent: int) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(sent // MEGABYTE):
            connection.sendall(b"x" * MEGABYTE)

    return send


def test_a_big_file_needs_little_memory(serve: Callable[..., Raw]) -> None:
    size = 60 * MEGABYTE
    downloading = client(serve(file_of(size, size)).url).stream(FILE())
    first = len(next(downloading))
    tracemalloc.start()
    try:
        received = first + sum(map(len, downloading))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert received == size
    assert peak < 4 * MEGABYTE


def test_half_a_file_is_no_file(serve: Callable[..., Raw]) -> None:
    server = serve(file_of(10 * MEGABYTE, 5 * MEGABYTE))
    received: list[bytes] = []
    with pytest.raises(MalformedResponseError, match="broke off"):
        received.extend(client(server.url).stream(FILE()))
    assert 0 < sum(map(len, received)) <= 5 * MEGABYTE
    assert len(server.requests) == 1


def test_a_file_that_is_refused(serve: Callable[..., Raw]) -> None:
    with pytest.raises(NotFoundError):
        list(client(serve(answer("{}", "404 Not Found")).url).stream(FILE()))
    server = serve(answer("{}", "503 Busy"))
    with pytest.raises(ServerError):
        list(client(server.url).stream(FILE()))
    assert len(server.requests) == 5


def test_rows_are_fetched_as_they_are_wanted(serve: Callable[..., Raw]) -> None:
    server = serve(lambda connection: connection.sendall(page(len(server.requests))))

    def page(number: int) -> bytes:
        return answer(f'{{"data": [{{"id": {number}0}}, {{"id": {number}1}}]}}')

    rows = client(server.url).rows(LIST(), PageNumbers(2))
    assert server.requests == []
    assert [next(rows)["id"] for _ in range(3)] == [10, 11, 20]
    assert len(server.requests) == 2


def test_a_conversation(serve: Callable[..., Raw]) -> None:
    """Answers and errors go back to where they were asked for, with both drivers."""
    server = serve(
        lambda connection: connection.sendall(OK if b"/good" in server.requests[-1] else answer("{}", "404 x"))
    )

    def conversation() -> Generator[Call, Any, str]:
        answered = yield READ(path={"thing": "good"})
        try:
            yield READ(path={"thing": "bad"})
        except NotFoundError:
            return str(answered["id"])
        return "no error"

    assert client(server.url).run(conversation()) == "x"
    assert asyncio.run(client(server.url).arun(conversation())) == "x"


def test_many_calls_at_once(serve: Callable[..., Raw]) -> None:
    """200 calls from one loop: all are answered, at most 32 at a time, and the loop stays free."""
    guard, now, most = threading.Lock(), [0], [0]

    def slow(connection: socket.socket) -> None:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with guard:
            now[0] -= 1
        connection.sendall(OK)

    server = serve(slow)

    async def calls() -> tuple[list[Any], float]:
        sender, longest, stop = client(server.url), 0.0, asyncio.Event()

        async def heartbeat() -> None:
            nonlocal longest
            while not stop.is_set():
                begun = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - begun - 0.01)

        beating = asyncio.create_task(heartbeat())
        answers = await asyncio.gather(*(sender.asend(READ(path={"thing": str(each)})) for each in range(200)))
        stop.set()
        await beating
        sender.close()
        return answers, longest

    answers, longest = asyncio.run(calls())
    assert answers == [{"id": "x"}] * 200
    assert len(server.requests) == 200
    assert 8 <= most[0] <= bulkheads.THREADS
    assert longest < 2.0, "the loop's own part of 200 calls, on a machine that does other things as well"


def test_waits_hold_no_thread(serve: Callable[..., Raw]) -> None:
    """More calls than threads wait for a 429 to pass, and others still get through meanwhile."""
    busy = serve(answer("{}", "429 Too Many Requests", Retry_After="1"))
    free = serve(OK)

    async def calls() -> float:
        waiting = [
            asyncio.create_task(client(busy.url).asend(READ(path={"thing": "x"}))) for _ in range(bulkheads.THREADS * 2)
        ]
        await until(lambda: len(busy.requests) >= len(waiting))
        begun = time.monotonic()
        await client(free.url).asend(READ(path={"thing": "x"}))
        took = time.monotonic() - begun
        for task in waiting:
            task.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, (asyncio.CancelledError, RateLimitError)) for end in ended)
        return took

    assert asyncio.run(calls()) < 0.9


@pytest.mark.parametrize("when", ["while waiting", "while sending"])
def test_cancellation(when: str, serve: Callable[..., Raw]) -> None:
    """A cancelled call ends at once and sends nothing more."""
    release = threading.Event()

    def hang(connection: socket.socket) -> None:
        release.wait(5)

    reply = answer("{}", "429 Too Many Requests", Retry_After="30")
    server = serve(reply if when == "while waiting" else hang)

    async def call() -> None:
        sending = asyncio.create_task(client(server.url).asend(ONCE(body={})))
        await until(lambda: bool(server.requests))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert time.monotonic() - begun < 0.5

    try:
        asyncio.run(call())
    finally:
        release.set()
    assert len(server.requests) == 1


def test_launches_from_several_threads(serve: Callable[..., Raw]) -> None:
    """Each closes the idle connections of the shared session, and must not break the others' requests."""
    server = serve(OK)
    sender, ends = client(server.url), []

    def launch() -> None:
        for number in range(25):
            call = ONCE(body={}) if number % 2 else READ(path={"thing": "x"})
            ends.append(sender.send(call))

    threads = [threading.Thread(target=launch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends == [{"id": "x"}] * 200


def test_a_client_tells_its_address_and_no_more() -> None:
    sender = client("http://vendor.test/v1")
    assert repr(sender) == "<ApiClient Vendor http://vendor.test/v1>"
    sender.close()
