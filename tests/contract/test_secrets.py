# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Planted secrets: every failure is provoked with credentials and people that stand out, every output is searched.

The vendor is a mirror: whatever it is asked, it quotes the whole request back (address with query, headers, body), and
the other secrets of the account, in every kind of error a vendor can give. Nothing may come out at the other end.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import logging
import pickle
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
import requests

from airflow_provider_mkt.client.auth import BasicAuth, BearerAuth, Token, TokenAuth
from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flinque import (
    FlinqueCreateCampaignOperator,
    FlinqueEnsureWebhookOperator,
    FlinqueGenerateReportOperator,
    FlinqueUpdateCampaignOperator,
)
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import (
    FlowLivingPublishCampaignOperator,
    FlowLivingUpdateCampaignStatusOperator,
)
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator, FlowSocialSchedulePostOperator
from airflow_provider_mkt.sensors.flinque import FlinqueCampaignStatusSensor, FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.triggers import watch as watching
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.contract.wire import Listener, answer, closed_port, read_request
from tests.unit.context import Task, fired

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


def _page(status: str) -> Callable[[str], bytes]:
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
    "502 page": _page("502 Bad Gateway"),
    "200 page": _page("200 OK"),
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


@pytest.fixture
def logs() -> Iterator[Everything]:
    """Every record of every logger, from DEBUG on."""
    handler = Everything()
    root, level = logging.getLogger(), logging.getLogger().level
    loggers = [logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict)]
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate = False, True
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    for logger, old, disabled, propagate in before:
        logger.setLevel(old)
        logger.disabled, logger.propagate = disabled, propagate


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with Mirror() as running:
        yield running


@pytest.fixture
def planted(mirror: Mirror, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The mirror behind connections with planted credentials; nothing waits."""

    def unlimited(self: MarketingHook, account: Any) -> dict[str, Limit]:
        return {name: Limit(1_000_000, 0.001) for name in self.vendor_limits(account)}

    monkeypatch.setattr(MarketingHook, "limits", unlimited)
    monkeypatch.setattr(watching, "FIRST_LOOK", 0.0)
    mirror.token_scene, mirror.seen = None, []
    for name, parts in CONNECTIONS.items():
        host = f"{mirror.url}/v1"
        extra = {**parts["extra"], "timeout": 0.08}
        connection = {"conn_type": name, "host": host, **parts, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_PLANTED_{name.upper()}", json.dumps(connection))
    return mirror


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


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("call", CALLS)
def test_a_hook_that_fails(
    call: str, scene: str, planted: Mirror, logs: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    kind, do = CALLS[call]
    planted.scene = SCENES[scene]
    hook = kind(f"planted_{call.split(maxsplit=1)[0]}")
    try:
        result = repr(do(hook)) if call.endswith("write") and scene != "200 wrong" else do(hook) and ""
    except ApiError as error:
        result = told(error)
    else:
        assert call == "flinque file", result
    assert planted.seen
    assert any(secret in request or quote(secret) in request for request in planted.seen for secret in FORBIDDEN)
    search(capfd, logs, result, shown(hook))


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene not in ("409", "cut")])
@pytest.mark.parametrize("name", ["flinque", "flow_living", "flodesk_oauth"])
def test_a_token_call_that_fails(
    name: str, scene: str, planted: Mirror, logs: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the API key in the address (Flow Living), in the body (Flinque), and in a header (Flodesk)."""
    kind = {"flinque": FlinqueHook, "flow_living": FlowLivingHook, "flodesk_oauth": FlodeskHook}[name]
    with Mirror() as fresh:
        # Tokens that the vendor never handed out cannot be known.
        knowing(fresh, name).knows = [word for word in fresh.knows if "token" not in word]
        fresh.token_scene = SCENES[scene]
        hook = kind(f"planted_{name}")
        hook.__dict__["account"] = dataclasses.replace(hook.account, base_url=f"{fresh.url}/v1")
        works, message = hook.test_connection()
        assert not works
        with pytest.raises(ApiError) as caught:
            hook.send(CALL_OF[name]())
        assert fresh.seen
    search(capfd, logs, message, told(caught.value), shown(hook))


def _calls() -> dict[str, Callable[[], Any]]:
    from airflow_provider_mkt.vendors import flinque, flodesk, flow_living

    return {
        "flinque": flinque.LIST_REPORTS,
        "flow_living": lambda: flow_living.PUBLISH(body={"planRef": "p"}),
        "flodesk_oauth": flodesk.LIST_SEGMENTS,
    }


CALL_OF = _calls()


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_vendor_out_of_reach(
    name: str,
    planted: Mirror,
    logs: Everything,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = {kind.conn_type: kind for kind, _ in CALLS.values()}
    parts = CONNECTIONS[name]
    with closed_port() as port:
        for number, host in enumerate(
            (f"http://127.0.0.1:{port}/v1", "https://no-such-vendor.invalid/v1", planted.url)
        ):
            connection = {"conn_type": name, "host": host, **parts, "extra": {**parts["extra"], "timeout": 0.08}}
            if number == 2:
                # TLS towards a server that speaks none, through a proxy that quotes the request.
                connection["host"] = host.replace("http:", "https:")
                monkeypatch.setenv("HTTPS_PROXY", planted.url)
                knowing(planted, name).scene = _page("403 Forbidden")
            monkeypatch.setenv("AIRFLOW_CONN_AWAY", json.dumps(connection))
            hook = kinds[parts.get("conn_type", name)]("away")
            works, message = hook.test_connection()
            assert not works
            search(capfd, logs, message, shown(hook))


OPERATORS: dict[str, Callable[[], Any]] = {
    "publish": lambda: FlowLivingPublishCampaignOperator(
        task_id="t", plan_ref="p", listing_external_ids=["l"], branch_id="b", flow_living_conn_id="planted_flow_living"
    ),
    "update": lambda: FlowLivingUpdateCampaignStatusOperator(
        task_id="t", campaign_tracking_id="queue_1", status="paused", flow_living_conn_id="planted_flow_living"
    ),
    "post": lambda: FlowSocialSchedulePostOperator(
        task_id="t", channel_id="c", content="hello", flow_social_conn_id="planted_flow_social"
    ),
    "sync": lambda: FlokitTriggerSyncOperator(task_id="t", integration_id="i", flokit_conn_id="planted_flokit"),
    "report": lambda: FlinqueGenerateReportOperator(
        task_id="t", report={"type": "x"}, flinque_conn_id="planted_flinque"
    ),
    "influencer campaign": lambda: FlinqueCreateCampaignOperator(
        task_id="t", campaign={"name": "x"}, wait_for_completion=True, flinque_conn_id="planted_flinque"
    ),
    "influencer campaign update": lambda: FlinqueUpdateCampaignOperator(
        task_id="t", campaign_id="r", changes={"note": "x"}, flinque_conn_id="planted_flinque"
    ),
    "webhook": lambda: FlinqueEnsureWebhookOperator(
        task_id="t", url="https://x.example.com/a", events=["report.ready"], flinque_conn_id="planted_flinque"
    ),
    "webhook with a key": lambda: FlowSocialEnsureWebhookOperator(
        task_id="t", url="https://x.example.com/a", events=["post.failed"], flow_social_conn_id="planted_flow_social"
    ),
    "upsert": lambda: FlodeskUpsertSubscribersOperator(
        task_id="t", subscribers=[PERSON], flodesk_conn_id="planted_flodesk"
    ),
    "campaign sensor": lambda: FlowLivingCampaignStatusSensor(
        task_id="t", campaign_tracking_id="queue_1", flow_living_conn_id="planted_flow_living"
    ),
    "post sensor": lambda: FlowSocialPostStatusSensor(
        task_id="t", post_id="p", flow_social_conn_id="planted_flow_social"
    ),
    "report sensor": lambda: FlinqueReportReadySensor(task_id="t", report_id="r", flinque_conn_id="planted_flinque"),
    "influencer campaign sensor": lambda: FlinqueCampaignStatusSensor(
        task_id="t", campaign_id="r", flinque_conn_id="planted_flinque"
    ),
    "sync sensor": lambda: FlokitIntegrationSyncSensor(
        task_id="t", integration_id="i", flokit_conn_id="planted_flokit"
    ),
}


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


@pytest.mark.parametrize("scene", TOLD)
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_that_fails(
    name: str, scene: str, planted: Mirror, logs: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its error, its XCom, what it keeps in the task state store, its rendered fields, its log."""
    operator, task = OPERATORS[name](), Task()
    knowing(planted, operator.conn_id.removeprefix("planted_")).scene = TOLD[scene]
    for parameter in ("poll_interval", "wait_timeout"):
        if hasattr(operator, parameter):
            setattr(operator, parameter, 0.001)
    try:
        result = repr((operator.poke if "sensor" in name else operator.execute)(task.context))
    except Exception as error:  # noqa: BLE001 - whatever comes out is searched
        result = told(error)
    assert planted.seen
    kept = json.dumps(task.store.values)
    rendered = json.dumps({field: getattr(operator, field) for field in operator.template_fields}, default=repr)
    search(capfd, logs, result, kept, rendered, repr(operator), str(operator))


WATCHES = {
    "planted_flow_living": CampaignWatch(["queue_1"], ["published"]),
    "planted_flow_social": PostWatch(["p"], ["done"]),
    "planted_flinque": ReportWatch("r"),
    "planted_flokit": SyncWatch("i"),
}


@pytest.mark.parametrize("scene", ["400", "401", "failed", "error", "blocked"])
@pytest.mark.parametrize("conn_id", WATCHES)
def test_a_trigger(
    conn_id: str, scene: str, planted: Mirror, logs: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    knowing(planted, conn_id.removeprefix("planted_")).scene = {**SCENES, **TOLD}[scene]
    trigger = WatchTrigger.of(WATCHES[conn_id], conn_id, 0.001)
    outputs = [repr(trigger), str(trigger), json.dumps(trigger.serialize())]
    if scene in ("400", "401") or (conn_id, scene) in FINAL:
        outputs.append(json.dumps(fired(trigger).payload))
        assert planted.seen
    search(capfd, logs, *outputs)


FINAL = {
    ("planted_flow_living", "failed"),
    ("planted_flinque", "failed"),
    ("planted_flokit", "error"),
    ("planted_flow_social", "blocked"),
}


def test_signatures_and_tokens_show_nothing() -> None:
    token = Token(SECRETS["flow_living_token"], 60.0, SECRETS["flodesk_refresh"])
    key = SECRETS["flokit"]
    shown = [token, BearerAuth(key), BasicAuth("u", key), TokenAuth(lambda: key, lambda value: None)]
    assert not leaks(repr(shown) + str(shown) + "".join(map(str, shown)))


@pytest.mark.parametrize("name", CONNECTIONS)
def test_bad_connections_show_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages about a connection name fields, not their values."""
    kinds = {kind.conn_type: kind for kind, _ in CALLS.values()}
    parts = CONNECTIONS[name]
    spoiled = [
        {"extra": {**parts["extra"], "passwort": SECRETS["flokit"]}},
        {"extra": {**parts["extra"], "webhook_secret": SECRETS["flokit"] + "\n"}},
        {"password": parts["password"] + "\n"},
        {"password": " " + parts["password"]},
        {"host": f"https://user:{quote(parts['password'], safe='')}@vendor.example/v1"},
        {"host": f"https://vendor.example/v1?apiKey={quote(parts['password'], safe='')}"},
        {"extra": json.dumps([parts["password"]])},
    ]
    for change in spoiled:
        connection = {"conn_type": name, "host": "https://vendor.example/v1", **parts, **change}
        monkeypatch.setenv("AIRFLOW_CONN_SPOILED", json.dumps(connection))
        hook = kinds[parts.get("conn_type", name)]("spoiled")
        with pytest.raises(ApiError) as caught:
            hook.account  # noqa: B018 - the property is the check
        assert not leaks(told(caught.value)), change


def test_the_sandbox_prints_nothing() -> None:
    """Not even with ``--log-requests``, and with people in addresses and keys in queries."""
    command = [sys.executable, "-m", "airflow_provider_mkt.sandbox", "--port", "0", "--log-requests"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        url = next(word for word in first.split() if word.startswith("http://")).rstrip(";,")
        headers = {"Accept-Version": "v1", "Authorization": f"Bearer {SECRETS['flow_social']}"}
        query = {"organisationId": "o", "apiKey": SECRETS["flow_living"], "requestType": "x"}
        basic = (SECRETS["flodesk"], "")
        requests.get(f"{url}/flow-living/auth/access-key/publickey", params=query, headers=headers, timeout=5)
        for email in (PERSON["email"], quote(PERSON["email"], safe="")):
            requests.get(f"{url}/flodesk/v1/subscribers/{email}", auth=basic, timeout=5)
            requests.get(f"{url}/flodesk/v1/subscribers/{email}", auth=("sandbox-flodesk-api-key", ""), timeout=5)
        requests.post(f"{url}/flodesk/v1/subscribers", json=PERSON, auth=basic, timeout=5)
        token = {"client_id": "c", "client_secret": SECRETS["flinque"], "grant_type": "client_credentials"}
        requests.post(f"{url}/flinque/v1/oauth/token", json=token, timeout=5)
        requests.get(f"{url}/flokit/v1/integrations", headers=headers, timeout=5)
        log = requests.get(f"{url}/__sandbox__/requests", timeout=5).text
        ledger = requests.get(f"{url}/__sandbox__/ledger", timeout=5).text
        process.send_signal(signal.SIGINT)
        printed = first + process.communicate(timeout=15)[0]
    assert "/flodesk/v1/subscribers/" in printed
    assert not leaks(printed + ledger)
    assert not [leak for leak in leaks(log) if "person" not in leak]
