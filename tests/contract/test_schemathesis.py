# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors keep to their own OpenAPI description, whatever is asked of them, and never crash.

Schemathesis makes requests that the description permits and requests that it forbids. Half of the former are seasoned:
references are replaced by ones that exist, so that the cases get past "not found".
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS
from tests.unit.sandbox.vendors import POST, Caller, basic, later

pytestmark = pytest.mark.proof

EXAMPLES = int(os.environ.get("MKT_SCHEMATHESIS", "5"))
"""Requests for each route, of either kind; more for a long attack: ``MKT_SCHEMATHESIS=100``."""
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "429"]
CONFIG = {
    "generation": {"with-security-parameters": False},
    "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
}
PERMITTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
FORBIDDEN = (*PERMITTED, "negative_data_rejection")
ADDRESS = "https://receiver.example/hook"
BARREN = {"POST /flow-social/v1/media/upload"}
"""Routes that made-up requests get no success from: nothing in a description says how a file is called."""

load_all_checks()


def _flinque(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    hook = call("POST", "/flinque/v1/webhooks", json={"url": ADDRESS, "events": ["report.ready"]})
    report = call("POST", "/flinque/v1/reports/generate", json={}).json()["id"]
    sandbox.advance(3600)
    account = sandbox.connections["flinque_default"]
    return {
        "workspace_id": "ws_1",
        "creator_id": "cr_1",
        "creator_ids": ["cr_1"],
        "campaign_id": "ca_1",
        "report_id": report,
        "webhook_id": hook.json()["id"],
        "url": ADDRESS,
        "client_id": account["login"],
        "client_secret": account["password"],
    }


def _flow_social(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    hook = call("POST", "/flow-social/v1/webhooks", json={"url": ADDRESS, "events": ["post.failed"]})
    key = call("POST", "/flow-social/v1/media/upload", files={"file": ("a.png", b"0")}).json()["data"]["key"]
    post = call("POST", "/flow-social/v1/posts", json={**POST, "scheduledFor": later(3600)}).json()["data"]["id"]
    begun = call("GET", "/flow-social/v1/connections/meta/auth").headers["Location"]
    return {
        "channel_id": "channel_1",
        "channelId": "channel_1",
        "connection_id": "conn_1",
        "platform": "meta",
        "state": parse_qs(urlsplit(begun).query)["state"][0],
        "key": key,
        "key_id": "key_2",
        "mediaKeys": [key],
        "post_id": post,
        "id": post,
        "postIds": [post],
        "content": "Open house",
        "scheduledFor": later(7200),
        "webhook_id": hook.json()["data"]["id"],
        "url": ADDRESS,
    }


def _flodesk(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    hook = {"name": "x", "post_url": ADDRESS, "events": ["subscriber.created"]}
    call("POST", "/flodesk/v1/workflows/wf_viewing/subscribers", json={"id": "sub_2"})
    known = sandbox.credentials()["flodesk"]
    return {
        "id_or_email": "bo@example.com",
        "email": "ada@example.com",
        "id": "sub_1",
        "webhooks/id": call("POST", "/flodesk/v1/webhooks", json=hook).json()["id"],
        "segments/id": "seg_news",
        "segment_id": "seg_news",
        "segment_ids": ["seg_vips"],
        "custom_fields": {"city": "Harbour"},
        "color": "#F4C2C2",
        "workflow_id": "wf_viewing",
        "campaign_id": call("POST", "/flodesk/v1/campaigns/canva", json={}).json()["id"],
        "post_url": ADDRESS,
        "client_id": known["client_id"],
        "redirect_uri": known["redirect_uri"],
        "grant_type": "refresh_token",
        "refresh_token": known["refresh_token"],
    }


def _flow_living(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    account = sandbox.connections["flow_living_default"]
    return {
        "campaign_tracking_id": call.publish().json()["campaign_tracking_ids"][0],
        "clientId": account["login"],
        "organisation": account["login"],
        "organisationId": account["login"],
        "apiKey": account["password"],
        "planRef": "facebookv2",
        "listingExternalIds": ["listing_1001"],
        "branchId": "branch_harbour",
        "agentExternalId": "agent_7",
        "startDate": later(86_400),
        "endDate": later(2 * 86_400),
    }


def _flokit(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    return {"integration_id": "int_adjust", "action_id": "act_01"}


STOCK = {
    "flinque": _flinque,
    "flow_social": _flow_social,
    "flodesk": _flodesk,
    "flow_living": _flow_living,
    "flokit": _flokit,
}
"""Make what a new account lacks; returns what requests can refer to by the name of the field (below a resource)."""


class Shelf:
    """The vendors, and what requests to them can refer to."""

    def __init__(self, sandbox: Sandbox, call: Caller) -> None:
        self.sandbox, self.call = sandbox, call
        self.fields: dict[str, Any] = {}
        config = SchemathesisConfig.from_dict(CONFIG)
        schema = schemathesis.openapi.from_url(f"{sandbox.url}/__sandbox__/openapi.json", config=config, timeout=60)
        self.operations = [result.ok() for result in schema.get_all_operations()]

    def of(self, vendor: str) -> list[Any]:
        """The operations of a vendor."""
        prefixes = next(kind.prefixes for kind in VENDORS if kind.name == vendor)
        return [each for each in self.operations if each.path.startswith(tuple(f"{prefix}/" for prefix in prefixes))]

    def fill(self, vendor: str) -> None:
        """Put the sandbox back to its first moment, with something of everything."""
        self.sandbox.reset()
        self.sandbox.limits({"*": None})
        self.call.forget()
        self.fields = STOCK[vendor](self.sandbox, self.call)

    def season(self, case: Case) -> None:
        """Replace what a request refers to by what exists."""
        resource = case.path.split("/")[3]
        here = {key.rpartition("/")[2]: value for key, value in self.fields.items() if key.startswith(f"{resource}/")}
        known = {**self.fields, **here}
        for part in (case.path_parameters, case.query, case.body):
            _replace(part, known)

    def headers(self, case: Case) -> dict[str, str]:
        """Valid credentials for a request."""
        if case.path.startswith("/flodesk/oauth2/"):
            known = self.sandbox.credentials()["flodesk"]
            if case.path.endswith("/userinfo"):
                return {"Authorization": f"Bearer {self.call.flodesk_tokens()['access_token']}"}
            return {"Authorization": basic(known["client_id"], known["client_secret"])}
        if case.path.endswith("/process-listing"):
            return {
                **self.call.credentials(case.path),
                "Authorization": f"Bearer {self.call.living_token('propertyAPI')}",
            }
        return self.call.credentials(case.path)


def _replace(part: Any, known: dict[str, Any]) -> None:
    if isinstance(part, dict):
        for key in part:
            if key in known:
                part[key] = known[key]
            else:
                _replace(part[key], known)
    elif isinstance(part, list):
        for item in part:
            _replace(item, known)


@pytest.fixture(scope="module")
def shelf() -> Iterator[Shelf]:
    with Sandbox() as sandbox, Caller(sandbox) as call:
        yield Shelf(sandbox, call)


def _can_be_violated(operation: Any) -> bool:
    """Whether a request can be wrong in anything but its path, in which any text may stand."""
    return bool(operation.definition.raw.get("requestBody")) or any(
        each["in"] == "query" and (each.get("required") or each["schema"].get("type") != "string")
        for each in operation.definition.raw.get("parameters", [])
    )


def _attack(shelf: Shelf, operation: Any, mode: GenerationMode) -> Counter[int]:
    """Ask one route; returns how often a seasoned request was answered with which status."""
    answered: Counter[int] = Counter()
    permitted = mode is GenerationMode.POSITIVE
    checks = [CHECKS.get_one(name) for name in (PERMITTED if permitted else FORBIDDEN)]

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), seasoned=st.sampled_from([permitted, permitted, False]))
    def attack(case: Case, seasoned: bool) -> None:
        if seasoned:
            shelf.season(case)
        headers = shelf.headers(case)
        answer = case.call(
            base_url=shelf.sandbox.url, headers=headers, session=shelf.call.session, allow_redirects=False, timeout=20
        )
        if seasoned:
            answered[answer.status_code] += 1
        case.validate_response(answer, headers=headers, checks=checks)

    attack()
    return answered


@pytest.mark.parametrize("vendor", [kind.name for kind in VENDORS])
def test_answers_keep_to_the_description(vendor: str, shelf: Shelf, subtests: pytest.Subtests) -> None:
    assert shelf.of(vendor)
    for operation in shelf.of(vendor):
        with subtests.test(operation.label, kind="permitted"):
            shelf.fill(vendor)
            answered = _attack(shelf, operation, GenerationMode.POSITIVE)
            assert not answered or min(answered) < 400 or operation.label in BARREN, answered


@pytest.mark.parametrize("vendor", [kind.name for kind in VENDORS])
def test_what_is_forbidden_is_refused(vendor: str, shelf: Shelf, subtests: pytest.Subtests) -> None:
    shelf.fill(vendor)
    operations = [each for each in shelf.of(vendor) if _can_be_violated(each)]
    assert operations
    for operation in operations:
        with subtests.test(operation.label, kind="forbidden"):
            _attack(shelf, operation, GenerationMode.NEGATIVE)
