# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Consent from a terminal: over the sandbox's OAuth routes, with a browser that follows redirects over real HTTP."""

from __future__ import annotations

import argparse
import itertools
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import URL, text

from airflow_provider_mkt.cli import authorize_command
from airflow_provider_mkt.cli import loopback as callback_module
from airflow_provider_mkt.cli.loading import command
from airflow_provider_mkt.cli.loopback import Callback
from airflow_provider_mkt.exceptions import AuthenticationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.flodesk import oauth as sandbox_oauth
from airflow_provider_mkt.state.database.store import Store

pytestmark = pytest.mark.slow

Connect = Callable[..., str]
CONN_ID = "consented"
TESTS = itertools.count()
WEB = "https://app.example.com/oauth/callback"


@pytest.fixture
def unauthorized(vendors: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection with client id and secret only, for which the store has no tokens yet."""
    given = vendors.credentials()["flodesk"]
    connect("flodesk", CONN_ID, login=given["client_id"], password=given["client_secret"])
    key = f"{CONN_ID} {next(TESTS)}"
    monkeypatch.setattr(FlodeskHook, "_token_key", property(lambda _: key))
    return CONN_ID


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> str:
    """A redirect URI on a free port of this machine, registered at the vendor."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    monkeypatch.setattr(sandbox_oauth, "LOOPBACK_URI", uri)
    return uri


@dataclass
class Terminal:
    """Runs the command, reads what it prints, and does with the address what a test says."""

    browse: Callable[[str], Any]
    printed: str = ""
    pages: list[requests.Response] = field(default_factory=list)
    thread: threading.Thread | None = None

    def print(self, text: str = "", **_: Any) -> None:
        self.printed += f"{text}\n"
        if text.startswith("Waiting"):
            self.thread = threading.Thread(target=self._browse, daemon=True)
            self.thread.start()

    def input(self, prompt: str) -> str:
        self.printed += prompt
        return str(self.browse(self.address))

    def _browse(self) -> None:
        found = self.browse(self.address)
        self.pages += found if isinstance(found, list) else [found]

    @property
    def address(self) -> str:
        return next(line.strip() for line in self.printed.splitlines() if line.strip().startswith("http"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    def start(browse: Callable[[str], Any], redirect_uri: str, **options: Any) -> Terminal:
        terminal = Terminal(browse)
        monkeypatch.setattr(authorize_command, "print", terminal.print, raising=False)
        monkeypatch.setattr("builtins.input", terminal.input)
        given = {"conn_id": CONN_ID, "redirect_uri": redirect_uri, "paste": False, "timeout": 20.0, **options}
        try:
            command(f"{authorize_command.__name__}.authorize")(argparse.Namespace(**given))
        finally:
            if terminal.thread:
                terminal.thread.join(10)
        return terminal

    return start


def follow(address: str) -> requests.Response:
    """What a browser does: open the address, and go where it is sent."""
    return requests.get(address, timeout=10)


def come_back(address: str) -> str:
    """The address that the browser is sent to, without going there."""
    return requests.get(address, allow_redirects=False, timeout=10).headers["Location"]


def test_the_first_consent_is_listened_for(unauthorized: str, loopback: str, run: Callable[..., Terminal]) -> None:
    with pytest.raises(AuthenticationError, match="airflow mkt authorize"):
        next(iter(FlodeskHook(unauthorized).list_segments()))
    terminal = run(follow, loopback)
    (page,) = terminal.pages
    assert page.status_code == 200
    assert "close this window" in page.text
    assert "share the new tokens" in terminal.printed
    assert "Paste" not in terminal.printed
    assert next(iter(FlodeskHook(unauthorized).list_segments()))["id"]


def test_neither_code_nor_token_is_shown(
    unauthorized: str, loopback: str, run: Callable[..., Terminal], caplog: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    kept: list[dict[str, Any]] = []
    exchange = FlodeskHook.exchange_code

    def keep(hook: FlodeskHook, code: str, uri: str) -> dict[str, Any]:
        kept.append({"code": code, **exchange(hook, code, uri)})
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FlodeskHook, "exchange_code", keep)
        terminal = run(follow, loopback)
    (got,) = kept
    captured = capfd.readouterr()
    shown = terminal.printed + "".join(page.text for page in terminal.pages) + captured.out + captured.err + caplog.text
    assert not any(got[name] in shown for name in ("code", "access_token", "refresh_token"))


def test_only_the_right_request_ends_the_wait(unauthorized: str, loopback: str, run: Callable[..., Terminal]) -> None:
    def hostile(address: str) -> list[requests.Response]:
        right = come_back(address)
        base, state = loopback.removesuffix("/callback"), parse_qs(urlsplit(right).query)["state"][0]
        wrong = [
            f"{base}/favicon.ico",
            f"{base}/callback/?code=x&state={state}",
            f"{base}/callback",
            f"{base}/callback?code=stolen",
            f"{base}/callback?code=stolen&state=other",
            f"{base}/callback?code=stolen&state={state}&state=other",
        ]
        pages = [requests.get(each, timeout=5) for each in wrong]
        pages.append(requests.post(right, timeout=5))
        # A connection that a browser opens in advance does not keep the answer out.
        with socket.create_connection(("127.0.0.1", urlsplit(loopback).port or 0)):
            return [*pages, requests.get(right, timeout=5)]

    terminal = run(hostile, loopback)
    assert [page.status_code for page in terminal.pages] == [404, 404, 400, 400, 400, 400, 501, 200]
    assert not any("stolen" in page.text for page in terminal.pages)
    assert next(iter(FlodeskHook(unauthorized).list_segments()))["id"]


def test_the_answer_counts_once() -> None:
    with Callback("127.0.0.1", 0, "/callback", "state") as callback:
        address = f"http://127.0.0.1:{callback.port}/callback?state=state"
        first, second = (requests.get(f"{address}&code={number}", timeout=5) for number in (1, 2))
        assert (first.status_code, second.status_code) == (200, 404)
        assert callback.wait(0) == {"state": ["state"], "code": ["1"]}
        assert first.headers["Cache-Control"] == "no-store"
        assert first.headers["Referrer-Policy"] == "no-referrer"


def test_nothing_listens_afterwards() -> None:
    with Callback("127.0.0.1", 0, "/callback", "state") as callback:
        assert callback.wait(0.01) is None
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", callback.port), timeout=1)


def test_only_this_machine_can_come_back(loopback: str) -> None:
    parts = authorize_command._loopback(loopback)
    assert parts is not None
    assert parts.hostname == "127.0.0.1"
    for other in (WEB, "https://127.0.0.1:8769/callback", "http://10.0.0.7:8769/callback", "http://127.0.0.1.example/"):
        assert authorize_command._loopback(other) is None


def test_a_refusal_in_the_browser(unauthorized: str, loopback: str, run: Callable[..., Terminal]) -> None:
    def refuse(address: str) -> requests.Response:
        state = parse_qs(urlsplit(address).query)["state"][0]
        return requests.get(f"{loopback}?error=access_denied&state={state}", timeout=5)

    with pytest.raises(SystemExit, match="access_denied"):
        run(refuse, loopback)
    with pytest.raises(AuthenticationError, match="not been authorised yet"):
        next(iter(FlodeskHook(unauthorized).list_segments()))


def test_nobody_comes_back_so_the_address_is_pasted(
    unauthorized: str, loopback: str, run: Callable[..., Terminal]
) -> None:
    """As when the browser runs on another machine, whose own 127.0.0.1 it is sent to."""
    terminal = run(come_back, loopback, timeout=0.2)
    assert "Nobody came back" in terminal.printed
    assert "share the new tokens" in terminal.printed
    assert next(iter(FlodeskHook(unauthorized).list_segments()))["id"]


@pytest.mark.parametrize("why", ["asked for", "the port is taken", "not on this machine"])
def test_pasting_without_listening(unauthorized: str, loopback: str, run: Callable[..., Terminal], why: str) -> None:
    with (
        socket.create_server(("127.0.0.1", urlsplit(loopback).port or 0))
        if why == "the port is taken"
        else (threading.Lock())
    ):
        uri = WEB if why == "not on this machine" else loopback
        terminal = run(come_back, uri, paste=why == "asked for")
    assert "Waiting" not in terminal.printed
    assert ("Cannot listen" in terminal.printed) is (why == "the port is taken")
    assert "share the new tokens" in terminal.printed
    assert next(iter(FlodeskHook(unauthorized).list_segments()))["id"]


def test_a_code_alone_is_not_taken(unauthorized: str, run: Callable[..., Terminal]) -> None:
    """It has no state: somebody may have had the owner paste the code of another account."""
    with pytest.raises(SystemExit, match="whole address"):
        run(lambda address: parse_qs(urlsplit(come_back(address)).query)["code"][0], WEB)


def test_the_state_of_what_is_pasted_is_checked(unauthorized: str, run: Callable[..., Terminal]) -> None:
    with pytest.raises(SystemExit, match="its state differs"):
        run(lambda address: come_back(address).replace("state=", "state=x"), WEB)


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("http://[::1/cb?error=%1b[2Jdenied%0d[/b]&state={state}", r"not given: \\x1b\[2Jdenied\\r\[/b\]\.$"),
        ("https://x/?error=" + "e" * 5_000 + "&state={state}", r"not given: e{199}…\.$"),
        ("https://x/?code=mine&code=another&state={state}", "more than one code"),
        ("https://x/?code=mine&state={state}&state=x", "its state differs"),
        ("https://x/?code=mine", "its state differs"),
        ("?", "its state differs"),
    ],
)
def test_what_is_pasted_may_be_anything(
    unauthorized: str, run: Callable[..., Terminal], pasted: str, told: str
) -> None:
    def paste(address: str) -> str:
        return pasted.replace("{state}", parse_qs(urlsplit(address).query)["state"][0])

    with pytest.raises(SystemExit, match=told):
        run(paste, WEB)


def test_localhost_is_both_addresses_or_neither() -> None:
    """Which one a browser takes is its own choice, and on the other one somebody else might listen."""
    with Callback("localhost", 0, "/callback", "state") as callback:
        for number, host in enumerate(("[::1]", "127.0.0.1")):
            page = requests.get(f"http://{host}:{callback.port}/callback?state=state&code=1", timeout=5)
            assert page.status_code == (200, 404)[number]
        assert callback.wait(5) == {"state": ["state"], "code": ["1"]}
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Callback("localhost", port, "/callback", "state")
        with socket.create_server(("127.0.0.1", port)):
            pass  # it was given back


def test_nothing_is_pasted(unauthorized: str, run: Callable[..., Terminal]) -> None:
    with pytest.raises(SystemExit, match="Nothing was pasted"):
        run(lambda _: "", WEB)


def test_the_connection_is_all_that_has_to_be_named() -> None:
    from airflow.cli.cli_parser import get_parser

    args = get_parser().parse_args(["mkt", "authorize", "flodesk_default"])
    assert authorize_command._loopback(args.redirect_uri) is not None


def test_an_address_of_another_consent_is_refused(unauthorized: str, run: Callable[..., Terminal]) -> None:
    with pytest.raises(SystemExit, match="does not belong"):
        run(lambda _: f"{WEB}?code=stolen&state=other", WEB)


def test_a_second_consent_replaces_the_tokens(
    unauthorized: str, vendors: Sandbox, loopback: str, run: Callable[..., Terminal]
) -> None:
    run(follow, loopback)
    FlodeskHook(unauthorized).check()
    since = len(vendors.requests("flodesk"))
    run(follow, loopback)
    FlodeskHook(unauthorized).check()
    asked = [each["route"] if "route" in each else each["path"] for each in vendors.requests("flodesk")[since:]]
    assert sum("oauth2/token" in each for each in asked) == 1, "only the exchange; nothing was refreshed"


def test_a_key_needs_no_consent(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty login means an API key."""
    arguments = argparse.Namespace(conn_id="flodesk_default", redirect_uri=WEB, paste=False, timeout=1.0)
    with pytest.raises(SystemExit, match="needs OAuth; enter the client id as login"):
        authorize_command.authorize(arguments)


def test_no_consent_is_asked_for_when_its_tokens_could_not_be_kept(
    unauthorized: str, run: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "no key")

    def asked(_: str) -> str:
        raise AssertionError("the owner was asked")

    with pytest.raises(SystemExit, match="fernet_key"):
        run(asked, WEB)


def test_no_consent_is_asked_for_when_the_store_takes_no_writes(
    unauthorized: str, run: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a standby, or without the right to write: transactions begin and end well."""
    refusing = Store(URL.create("sqlite", database=str(tmp_path / "refusing.db")))
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON mkt_token BEGIN SELECT RAISE(ABORT, 'readonly database'); END"
    refusing.run(lambda connection: connection.execute(text(refuse)))
    refusing.run(lambda _: None)
    monkeypatch.setattr(authorize_command, "store", lambda: refusing)

    def asked(_: str) -> str:
        raise AssertionError("the owner was asked")

    with pytest.raises(SystemExit, match="is read-only"):
        run(asked, WEB)
    refusing.close()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:99999/cb", "http://127.0.0.1:port/cb", "http://[::1/cb"])
@pytest.mark.parametrize("paste", [False, True])
def test_an_address_that_no_browser_can_open(
    unauthorized: str, run: Callable[..., Terminal], uri: str, paste: bool
) -> None:
    def asked(_: str) -> str:
        raise AssertionError("the owner was asked")

    with pytest.raises(SystemExit, match="redirect_uri must be a full https address"):
        run(asked, uri, paste=paste)


def test_stopping_while_the_code_is_spent_says_so(
    unauthorized: str, loopback: str, run: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = FlodeskHook.exchange_code

    def interrupted(hook: FlodeskHook, code: str, uri: str) -> None:
        exchange(hook, code, uri)
        raise KeyboardInterrupt

    monkeypatch.setattr(FlodeskHook, "exchange_code", interrupted)
    with pytest.raises(SystemExit, match="it may be spent") as caught:
        run(follow, loopback)
    assert "nothing was changed" not in str(caught.value)


def test_a_browser_that_hangs_up_has_come_back() -> None:
    with Callback("127.0.0.1", 0, "/callback", "state") as callback:
        with socket.create_connection(("127.0.0.1", callback.port)) as browser:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(b"GET /callback?state=state&code=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert callback.wait(5) == {"state": ["state"], "code": ["1"]}


def test_a_page_that_cannot_be_written_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_module, "PAGE", "{nothing_of_the_kind}")
    with Callback("127.0.0.1", 0, "/callback", "state") as callback:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{callback.port}/callback?state=state&code=1", timeout=5)
        assert callback.wait(5) == {"state": ["state"], "code": ["1"]}


def test_stopping_changes_nothing(unauthorized: str, run: Callable[..., Terminal]) -> None:
    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="nothing was changed"):
        run(interrupt, WEB)


def test_a_connection_that_is_not_there_is_one_line() -> None:
    args = argparse.Namespace(conn_id="nope", redirect_uri="http://127.0.0.1:8769/callback", paste=True, timeout=1.0)
    with pytest.raises(SystemExit, match="nope") as ended:
        authorize_command.authorize(args)
    assert "\n" not in str(ended.value.code)
