# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is planted to be found: credentials, people, a vendor that quotes them in every error, and the search."""

from __future__ import annotations

import base64
import html
import json
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest

from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from tests.contract.wire import Listener, answer, read_request

SECRETS = {
    "flinque": 'Fl1nque+s/e=c%r&et"1',
    "flow_social": "flow_sk_live_pl4nted_a+b/c=d%e",
    "flodesk": "Fl0desk+k/e=y%<1>'x",
    "flodesk_oauth": "0auth+s/e=c%ret;2",
    "flodesk_refresh": "fd_rt_pl4nt/e+d=seed%1",
    "flow_living": "L1v1ng+k/e=y%&#x",
    "flow_living_analytics": "An4lytics+s/e=c%ret",
    "flokit": "Fl0kit+k/e=y%\\q",
    "webhook": "whsec_Pl4nted+w/e=b%hook",
    "previous": "Pr3vious+w/e=b%hook",
    "flinque_token": "flq+t0ken/pl4nted=%1",
    "flodesk_token": "fd_at_t0ken/pl4nted=+1",
    "flodesk_successor": "fd_rt_succ3ssor/pl4nted=+1",
    "flow_living_token": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsImEiOiJwbDRudGVkIn0.c2lnbmF0dXJlLXBsNG50ZWQ",
}
PERSON = {
    "email": "jane.d'oe+vip@pl4nted-example.com",
    "first_name": "Jänesca-Planted",
    "last_name": "O'Planted & Sons",
    "custom_fields": {"address": "7 Planted Höhenweg, 2nd floor", "budget": "1.234.567 planted"},
    "optin_ip": "203.0.113.77",
}
PEOPLE = ["jane.d'oe+vip@pl4nted-example.com", "Jänesca-Planted", "O'Planted & Sons", "7 Planted Höhenweg, 2nd floor"]
PEOPLE += ["1.234.567 planted", "203.0.113.77"]

CONNECTIONS: dict[str, dict[str, Any]] = {
    "flinque": {
        "login": "client-7",
        "password": SECRETS["flinque"],
        "extra": {"webhook_secret": SECRETS["webhook"], "previous_webhook_secret": SECRETS["previous"]},
    },
    "flow_social": {"password": SECRETS["flow_social"], "extra": {"webhook_secret": SECRETS["webhook"]}},
    "flodesk": {"password": SECRETS["flodesk"], "extra": {"webhook_token": SECRETS["webhook"]}},
    "flodesk_oauth": {
        "conn_type": "flodesk",
        "login": "client-8",
        "password": SECRETS["flodesk_oauth"],
        "extra": {"refresh_token": SECRETS["flodesk_refresh"]},
    },
    "flow_living": {
        "login": "organisation-9",
        "password": SECRETS["flow_living"],
        "extra": {
            "request_type": "campaignAPI",
            "analytics_user_id": "analyst",
            "analytics_user_secret": SECRETS["flow_living_analytics"],
            "webhook_token": SECRETS["webhook"],
        },
    },
    "flokit": {"password": SECRETS["flokit"], "extra": {"webhook_token": SECRETS["webhook"]}},
}
TOKENS = {
    "/oauth/token": {"access_token": SECRETS["flinque_token"], "expires_in": 3600},
    "/oauth2/token": {
        "access_token": SECRETS["flodesk_token"],
        "refresh_token": SECRETS["flodesk_successor"],
        "expires_in": 3600,
    },
    "/auth/access-key/publickey": {"accessToken": SECRETS["flow_living_token"]},
}


def spellings(text: str) -> set[str]:
    """Return how ``text`` may be written in an output."""
    forms = {text, quote(text), quote(text, safe=""), quote_plus(text), quote(quote(text, safe=""), safe="")}
    forms |= {form.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d") for form in forms}
    forms |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], html.escape(text)}
    forms |= {json.dumps(text)[1:-1].replace("/", "\\/").replace("+", "\\u002b")}
    forms |= {repr(text.encode())[2:-1], repr(repr(text))[2:-2]}
    for around in ("", ":"):
        raw = base64.b64encode((text + around).encode()).decode().rstrip("=")
        forms |= {raw, raw.replace("+", "-").replace("/", "_")}
    for login in ("client-7:", "client-8:"):
        forms.add(base64.b64encode((login + text).encode()).decode())
    return forms


FORBIDDEN = {form: name for name, secret in SECRETS.items() for form in spellings(secret)}
PLAIN = dict(SECRETS)
FORBIDDEN |= {form: f"person: {text}" for text in PEOPLE for form in spellings(text)}


def leaks(output: str) -> list[str]:
    """Return what of the planted is in ``output``, with its surroundings."""
    return [
        f"{name} in …{output[max(0, at - 120) : at + len(form) + 40]!r}…"
        for form, name in FORBIDDEN.items()
        if (at := output.find(form)) >= 0
    ]


class Mirror(Listener):
    """Answers with what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.scene: Callable[[str], bytes | None] = lambda quoted: answer("{}")
        self.token_scene: Callable[[str], bytes | None] | None = None
        self.seen: list[str] = []
        self.knows: list[str] = []
        """What it says besides: the secrets of the account."""

    def serve(self, client: socket.socket) -> None:
        request = read_request(client).decode("latin-1")
        if not request:
            return
        self.seen.append(request)
        path = request.split(" ")[1].partition("?")[0]
        token = next((body for route, body in TOKENS.items() if path.endswith(route)), None)
        if token is not None and self.token_scene is None:
            client.sendall(answer(json.dumps(token)))
            return
        scene = self.token_scene if token is not None and self.token_scene else self.scene
        quoted = request.encode("latin-1").decode("utf-8", "replace")
        reply = scene(" ".join([quoted, unquote(quoted), *self.knows, PERSON["email"], PERSON["optin_ip"]]))
        if reply is None:
            time.sleep(0.16)
        else:
            client.sendall(reply)


def _json_error(status: str) -> Callable[[str], bytes]:
    def scene(quoted: str) -> bytes:
        said = quoted
        body = {
            "error": {"code": said[:300], "message": said, "details": [{"email": said, "x": {said[:90]: said}}]},
            "meta": {"request_id": said},
        }
        return answer(json.dumps(body), status)

    return scene


def _flat_error(status: str) -> Callable[[str], bytes]:
    def scene(quoted: str) -> bytes:
        said = html.escape(quote(quoted))
        return answer(json.dumps({"error": said, "message": said, "request_id": said}), status)

    return scene


def page(status: str) -> Callable[[str], bytes]:
    return lambda quoted: answer(f"<html><body><pre>{html.escape(quoted)}</pre></body></html>", status)


def _spelled(status: str) -> Callable[[str], bytes]:
    """All spellings of the words, most of which no server would think of."""

    def scene(quoted: str) -> bytes:
        said = [form for form, name in FORBIDDEN.items() if not name.startswith("person") and PLAIN[name] in quoted]
        return answer(json.dumps({"error": {"message": " ; ".join(said), "details": said}}), status)

    return scene


SCENES: dict[str, Callable[[str], bytes | None]] = {
    "400": _json_error("400 Bad Request"),
    "400 flat": _flat_error("400 Bad Request"),
    "401": _json_error("401 Unauthorized"),
    "403": _flat_error("403 Forbidden"),
    "404": _json_error("404 Not Found"),
    "409": _json_error("409 Conflict"),
    "422, all spellings": _spelled("422 Unprocessable"),
    "429": lambda quoted: _json_error("429 Too Many Requests")(quoted).replace(b"\r\n", b"\r\nRetry-After: 1\r\n", 1),
    "500": _json_error("500 Internal Server Error"),
    "502 page": page("502 Bad Gateway"),
    "200 page": page("200 OK"),
    "200 text": answer,
    "200 wrong": lambda quoted: answer(json.dumps({"status": 7, "id": [quoted]})),
    "200 string": lambda quoted: answer(json.dumps(quoted)),
    "cut": lambda quoted: answer(json.dumps({"error": quoted}), "400 Bad Request")[:-20],
    "nonsense": lambda quoted: quoted.encode() + b"\r\n\r\n",
    "bad header": lambda quoted: (
        b"HTTP/1.1 400 Bad\r\n" + " ".join(quoted.split()).encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "bad length": lambda quoted: b"HTTP/1.1 200 OK\r\nContent-Length: " + quote(quoted).encode() + b"\r\n\r\n{}",
    "bad chunks": lambda quoted: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + quote(quoted).encode() + b"\r\n\r\n"
    ),
    "redirect": lambda quoted: answer(
        "", "307 Temporary Redirect", Location="http://127.0.0.1:1/?apiKey=" + quote(quoted)
    ),
    "redirect to nowhere": lambda quoted: answer("", "302 Found", Location="http://[" + quote(quoted)),
    "closed": lambda quoted: b"",
    "timeout": lambda quoted: None,
}

CALLS: dict[str, tuple[type[MarketingHook], Callable[[Any], Any]]] = {
    "flinque read": (FlinqueHook, lambda hook: list(hook.list_reports())),
    "flinque write": (FlinqueHook, lambda hook: hook.generate_report({"type": "campaign"})),
    "flinque file": (FlinqueHook, lambda hook: list(hook.export_report("r1"))),
    "flow_social read": (FlowSocialHook, lambda hook: hook.get_post("post_1")),
    "flow_social write": (FlowSocialHook, lambda hook: hook.create_post({"channelId": "c", "content": "hello"})),
    "flodesk read": (FlodeskHook, lambda hook: hook.get_subscriber(PERSON["email"])),
    "flodesk write": (FlodeskHook, lambda hook: hook.upsert_subscribers([PERSON])),
    "flodesk_oauth read": (FlodeskHook, lambda hook: hook.get_subscriber(PERSON["email"])),
    "flodesk_oauth write": (FlodeskHook, lambda hook: hook.upsert_subscriber(PERSON)),
    "flow_living read": (FlowLivingHook, lambda hook: hook.get_campaign_status("queue_1")),
    "flow_living write": (FlowLivingHook, lambda hook: hook.publish_campaign("plan", ["l1"], "b1", order_ref="PO-1")),
    "flokit read": (FlokitHook, lambda hook: hook.get_integration("int_1")),
    "flokit write": (FlokitHook, lambda hook: hook.trigger_sync("int_1")),
}


class Everything(logging.Handler):
    """Keeps each record as text: with its arguments, its traceback, and as it is before any masking."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        shown = {key: value for key, value in record.__dict__.items() if key not in ("exc_info", "exc_text")}
        self.lines.append(f"{record.name} {record.getMessage()} {shown!r} {told}")


def knowing(mirror: Mirror, name: str) -> Mirror:
    """Let the mirror know the secrets of a connection."""
    parts = CONNECTIONS[name]
    tokens = [secret for key, secret in SECRETS.items() if key.startswith(f"{parts.get('conn_type', name)}_token")]
    mirror.knows = [parts["password"], *(value for value in parts["extra"].values() if value in SECRETS.values())]
    mirror.knows += tokens if name != "flodesk" else []
    return mirror


def told(error: BaseException) -> str:
    """Everything that an exception can tell anybody, its causes and contexts included."""
    parts = []
    seen: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        link = queue.pop()
        if link is None or link in seen:
            continue
        seen.append(link)
        queue += [link.__cause__, link.__context__]
        parts += [str(link), repr(link), repr(link.args), repr(link.__dict__), json.dumps(link.__dict__, default=repr)]
        with suppress(TypeError):
            pickled = pickle.dumps(link)
            parts += [repr(pickle.loads(pickled)), pickled.decode("latin-1"), pickled.decode("utf-8", "replace")]
    return "\n".join([*parts, *traceback.format_exception(type(error), error, error.__traceback__)])


def shown(hook: MarketingHook) -> str:
    """What the parts of a hook show of themselves."""
    client = hook.client
    parts = [hook, hook.account, hook.account.vendor, client, client.settings, client.auth, client.redactor]
    return "\n".join(f"{part!r} {part!s}" for part in [*parts, client.budget])


def search(capfd: pytest.CaptureFixture[str], logs: Everything, *outputs: str) -> None:
    captured = capfd.readouterr()
    for output in (*outputs, captured.out, captured.err, *logs.lines):
        assert not leaks(output)


def _talkative(quoted: str) -> bytes:
    """An answer that fits every endpoint, a final failure for every watch, and quotes the request in every text."""
    said = quoted
    body = {
        "id": "r",
        "status": "failed",
        "message": said,
        "error": said,
        "error_message": said,
        "campaign_tracking_ids": ["queue_1"],
        "sync_id": "sync_1",
        "reports": [{"id": "r", "status": "failed", "message": said}],
        "successes": [],
        "failures": [{"index": 0, "code": said, "message": said}],
        "note": said,
    }
    return answer(json.dumps(body))


def _soured(status: str) -> Callable[[str], bytes]:
    return lambda quoted: _talkative(quoted).replace(b'"failed"', f'"{status}"'.encode())


TOLD = {"400": SCENES["400"], "500": SCENES["500"], "closed": SCENES["closed"], "failed": _talkative}
TOLD |= {status: _soured(status) for status in ("error", "blocked", "disconnected")}
