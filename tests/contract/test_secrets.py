# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Planted secrets: every failure is provoked with credentials and people that stand out, every output is searched.

The vendor is a mirror: whatever it is asked, it quotes the whole request back (address with query, headers, body), and
the other secrets of the account, in every kind of error a vendor can give. Nothing may come out at the other end.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from airflow_provider_mkt.client.auth import BasicAuth, BearerAuth, Token, TokenAuth
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
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
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.contract.planted import (
    CALLS,
    CONNECTIONS,
    FORBIDDEN,
    PERSON,
    SCENES,
    SECRETS,
    TOLD,
    Everything,
    Mirror,
    knowing,
    leaks,
    page,
    search,
    shown,
    told,
)
from tests.contract.wire import closed_port
from tests.unit.context import Task, fired


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
                knowing(planted, name).scene = page("403 Forbidden")
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
