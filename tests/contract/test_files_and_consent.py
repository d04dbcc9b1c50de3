# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Files in both directions, reports behind links, and consents given in a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mkt.client.download import CHUNK
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.vendors import flodesk, flow_social
from tests.contract.stage import Stage
from tests.contract.wire import Raw, answer
from tests.vendors.flinque import report as finished_report
from tests.vendors.flodesk.cases import BACK, consent


@pytest.fixture(autouse=True)
def quiet(waits: list[float]) -> None:
    """No waits."""


def test_an_uploaded_file_comes_back_piece_by_piece(stage: Stage, tmp_path: Any) -> None:
    content = bytes(range(256)) * 20_000
    picture = tmp_path / 'ha"rbour café.jpg'
    picture.write_bytes(content)
    hook = stage.hook("flow_social")
    key = hook.upload_media(picture)["key"]
    assert "/" in key
    received = list(hook.get_media(key))
    assert b"".join(received) == content
    assert max(map(len, received)) <= CHUNK


def test_media_keys_are_encoded() -> None:
    assert flow_social.GET_MEDIA(path={"key": "media/1/a b+c.png"}).url("https://x/v1") == (
        "https://x/v1/media/media%2F1%2Fa%20b%2Bc.png"
    )
    assert (
        flodesk.GET_SUBSCRIBER(path={"id_or_email": "a+b@c.co"}).url("https://x")
        == "https://x/subscribers/a%2Bb%40c.co"
    )


def _linked(stage: Stage, link: str) -> bytes:
    stage.sandbox.fault("GET /flinque/v1/reports/re_x/export", "status", status=200, body={"download_url": link})
    return b"".join(stage.hook("flinque").export_report("re_x"))


def test_a_foreign_link_is_followed_without_credentials(stage: Stage) -> None:
    with Raw(answer("date,orders\r\n2026-06-08,3\r\n")) as host:
        assert _linked(stage, f"{host.url}/report.csv?signature=abc") == b"date,orders\r\n2026-06-08,3\r\n"
    [request] = host.requests
    assert request.startswith(b"GET /report.csv?signature=abc HTTP/1.1")
    assert b"authorization" not in request.lower()


def test_a_link_to_the_vendor_is_followed_with_credentials(stage: Stage) -> None:
    report = finished_report(stage.hook("flinque"), stage.sandbox)["report"]
    since = stage.now
    content = _linked(stage, f"{stage.sandbox.url}/flinque/v1/reports/{report}/export")
    assert content.startswith(b"date,campaign_id")
    [followed] = stage.arrived("flinque", f"GET /flinque/v1/reports/{report}/export", since)
    assert followed["headers"]["authorization"].startswith("sha256:")


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "ftp://files.example.com/x",
        "http://[",
        "https://10.0.0.1/x",
        "https://vault/x",
        "http://example.com",
    ],
)
def test_other_links_are_not_followed(stage: Stage, link: str) -> None:
    with pytest.raises(MalformedResponseError, match="not an https one"):
        _linked(stage, link)


def test_a_json_report_is_no_link(stage: Stage) -> None:
    hook = stage.hook("flinque")
    report = hook.generate_report({"type": "campaign", "format": "json"})["id"]
    stage.sandbox.advance(400)
    assert len(json.loads(b"".join(hook.export_report(report)))["data"]) == 100


@pytest.mark.parametrize("status", [202, 409])
def test_a_report_that_is_not_ready(stage: Stage, status: int) -> None:
    hook = stage.hook("flinque")
    report = hook.generate_report({"type": "campaign"})["id"]
    stage.sandbox.switch({"flinque.export_not_ready_status": status})
    with pytest.raises(ApiError, match="cannot be exported yet") as caught:
        list(hook.export_report(report))
    stage.sandbox.switch({"flinque.export_not_ready_status": 409})
    assert (type(caught.value), caught.value.status) == (ApiError, status)


def test_a_consent_is_adopted(stage: Stage) -> None:
    """The new tokens take the place of the connection's, whose refresh token is not spent any more."""
    hook = stage.hook("flodesk", "oauth")
    hook.check()
    tokens = hook.exchange_code(consent(hook, stage.sandbox)["code"], BACK)
    since = stage.now
    hook.get_userinfo()
    [asked] = stage.arrived("flodesk", "GET /flodesk/oauth2/userinfo", since)
    assert asked["headers"]["authorization"] == digest(f"Bearer {tokens['access_token']}")
    assert not stage.arrived("flodesk", "POST /flodesk/oauth2/token", since)


def test_a_connection_is_authorized_at_the_network(stage: Stage) -> None:
    """The address is not opened, and what it holds is not followed."""
    hook: Any = stage.hook("flow_social")
    since = stage.now
    url = hook.connection_auth_url("linkedin")
    assert url.startswith("https://www.linkedin.com/oauth/v2/authorization?")
    assert len(stage.sandbox.requests("flow_social", since=since)) == 1
