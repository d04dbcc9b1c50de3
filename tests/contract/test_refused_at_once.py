# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Bad input is refused before anything is sent, by messages that name the field, the problem and the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from tests.contract.stage import Stage
from tests.vendors import HOOKS
from tests.vendors.flokit import BATCH
from tests.vendors.flow_social.posts import POST

PERSON = {"email": "ada@example.com"}
EVENT = BATCH[0]
LONG = "x" * 10_001

REFUSED: list[tuple[str, str, tuple[Any, ...], dict[str, Any], str]] = [
    ("flinque", "create_campaign", ({},), {}, "campaign must be an object such as"),
    ("flinque", "create_campaign", ({"budget": "1.00"},), {}, "campaign.name must be non-empty text"),
    ("flinque", "create_campaign", ({"name": "a", "at": object()},), {}, r"campaign\['at'\] is not JSON"),
    ("flinque", "update_campaign", ("ca_1", {}), {}, "changes must be an object"),
    ("flinque", "get_campaign", ("",), {}, "campaign_id must not be empty"),
    ("flinque", "export_report", ("",), {}, "report_id must be non-empty text"),
    ("flinque", "list_attribution_orders", (), {"start": "May"}, "start must be a date and time like"),
    ("flinque", "list_reports", (), {"start": "2026-06-02", "end": "2026-06-01"}, "end must not be before start"),
    ("flinque", "create_webhook", ("hooks.example.com", ["report.ready"]), {}, "url must be a full https address"),
    ("flinque", "create_webhook", ("https://h.example.com", ["post.done"]), {}, r"events\[0\] must be one of campaign"),
    ("flinque", "create_webhook", ("https://h.example.com", []), {}, "events is empty"),
    ("flow_social", "create_post", ({**POST, "content": LONG},), {}, "content has 10,001 characters; at most 10,000"),
    ("flow_social", "create_post", ({**POST, "content": ""},), {}, "content must be non-empty text"),
    ("flow_social", "create_post", ({**POST, "chanelId": "x"},), {}, "post has unknown fields chanelId; known are"),
    ("flow_social", "create_post", ({**POST, "mediaKeys": list("abcdefghijk")},), {}, "mediaKeys has 11 entries"),
    ("flow_social", "create_post", ({**POST, "scheduledFor": "2020-01-01"},), {}, "scheduledFor is in the past"),
    ("flow_social", "create_posts", ([],), {}, "posts has 0 entries; a batch takes 1 to 100"),
    ("flow_social", "create_posts", ([POST] * 101,), {}, "posts has 101 entries; a batch takes 1 to 100"),
    ("flow_social", "create_posts", ([POST, {**POST, "channelId": ""}],), {}, r"posts\[1\].channelId must be"),
    ("flow_social", "create_posts", ([{**POST, "scheduledFor": "2020-01-01"}],), {}, r"posts\[0\].scheduledFor is in"),
    ("flow_social", "update_posts", ([{"content": "x"}],), {}, r"posts\[0\].id must be non-empty text"),
    ("flow_social", "update_posts", ([{"id": "post_1"}],), {}, r"posts\[0\] changes nothing"),
    ("flow_social", "update_post", ("post_1", {"channelId": "x"}), {}, "changes has unknown fields channelId"),
    ("flow_social", "delete_posts", (list(map(str, range(101))),), {}, "post_ids has 101 entries"),
    ("flow_social", "delete_posts", ("post_1",), {}, "post_ids must be a list"),
    ("flow_social", "list_posts", (), {"per_page": 101}, "per_page must be between 1 and 100"),
    ("flow_social", "list_posts", ({"status": {"like": "x"}},), {}, "operator of filters.* must be one of eq, ne"),
    ("flow_social", "create_channel", ("",), {}, "name must be non-empty text"),
    ("flow_social", "create_channel", ("Spring", "blue"), {}, "color must be written like #3B82F6"),
    ("flow_social", "update_channel", ("channel_1",), {}, "name and color are both missing"),
    ("flow_social", "connection_auth_url", ("myspace",), {}, "platform must be one of twitter, linkedin, meta, tiktok"),
    ("flow_social", "complete_connection_auth", ("meta", {"code": "c"}), {}, r"params\['state'\] must be"),
    ("flow_social", "create_webhook", ("https://h.example.com", ["campaign.created"]), {}, r"events\[0\] must be one"),
    ("flow_social", "update_webhook", ("webhook_1",), {}, "url, events and active are all missing"),
    ("flow_social", "update_webhook", ("webhook_1",), {"active": "yes"}, "active must be true or false"),
    ("flow_social", "list_webhook_deliveries", ("webhook_1", "lost"), {}, "status must be one of pending"),
    ("flow_social", "create_api_key", ("CI", ["posts:delete"]), {}, r"permissions\[0\] must be one of"),
    ("flow_social", "get_usage_day", ("8 June",), {}, "day must be a day like 2026-06-08"),
    ("flow_social", "get_usage_history", ("2026-06-08", "2026-06-01"), {}, "end must not be before start"),
    ("flodesk", "upsert_subscriber", ({"first_name": "Ada"},), {}, "subscriber has neither 'email' nor 'id'"),
    ("flodesk", "upsert_subscribers", ([],), {}, "subscribers has 0 entries; a batch takes 1 to 50"),
    ("flodesk", "upsert_subscribers", ([PERSON] * 51,), {}, "subscribers has 51 entries; a batch takes 1 to 50"),
    ("flodesk", "upsert_subscribers", (PERSON,), {}, "subscribers must be a list"),
    ("flodesk", "list_subscribers", (), {"status": "archived"}, "status must be one of active"),
    ("flodesk", "list_subscribers", (), {"per_page": 0}, "per_page must be between 1 and 100"),
    ("flodesk", "add_subscriber_to_segments", ("s", list(map(str, range(51)))), {}, "segment_ids has 51 entries"),
    ("flodesk", "remove_subscriber_from_segments", ("s", []), {}, "segment_ids is empty"),
    ("flodesk", "add_subscriber_to_workflow", ("wf_welcome", ""), {}, "id_or_email must be non-empty text"),
    ("flodesk", "list_workflows", (), {"statuses": ["done"]}, r"statuses\[0\] must be one of active, paused, draft"),
    ("flodesk", "list_workflows", (), {"per_page": 101}, "per_page must be between 1 and 100"),
    ("flodesk", "create_custom_field", ("x" * 256,), {}, "label has 256 characters; at most 255"),
    (
        "flodesk",
        "create_webhook",
        ("Sync", "ftp://h.example.com", ["subscriber.created"]),
        {},
        "post_url must be a full",
    ),
    (
        "flodesk",
        "create_webhook",
        ("Sync", "https://h.example.com", ["x"]),
        {},
        r"events\[0\] must be one of subscriber",
    ),
    ("flodesk", "list_campaigns", (), {"status": "sent"}, "status must be one of draft"),
    ("flodesk", "publish_canva_design", ({"html": "x"},), {}, "design has unknown fields html"),
    ("flodesk", "publish_studio_design", ({},), {}, "design is empty"),
    ("flodesk", "get_userinfo", (), {}, "get_userinfo needs OAuth"),
    ("flodesk", "authorize_url", ("https://app.example.com", "s"), {}, "authorize_url needs OAuth"),
    ("flow_living", "process_listing", ({"name": "x"},), {}, "listing.home_listing_id must be non-empty text"),
    ("flow_living", "list_branch_campaigns", ("",), {}, "branch_id must be non-empty text"),
    ("flow_living", "list_agent_insights", ("2026-05-01", "2026-05-02"), {}, "Give either agent_external_id or"),
    (
        "flow_living",
        "list_agent_insights",
        ("2026-05-02", "2026-05-01"),
        {"agent_email": "a@b.co"},
        "end_date must not",
    ),
    ("flow_living", "update_campaign_status", ("queue_1", ""), {}, "status must be non-empty text"),
    ("flokit", "send_event", ({**EVENT, "user_id": None},), {}, "event has neither 'user_id' nor 'anonymous_id'"),
    ("flokit", "send_event", ({**EVENT, "timestamp": "2100-01-01"},), {}, "event.timestamp lies in the future"),
    ("flokit", "send_event", ({**EVENT, "time": "now"},), {}, "event has unknown fields time"),
    ("flokit", "send_events", ([EVENT] * 1001,), {}, "events has 1001 entries; a batch takes 1 to 1000"),
    ("flokit", "send_events", ([EVENT, {**EVENT, "event": ""}],), {}, r"events\[1\].event must be non-empty text"),
    ("flokit", "get_payback_report", ("2026-05-01", "2026-04-01"), {}, "end_date must not be before start_date"),
    ("flokit", "get_payback_report", ("2024-05-01", "2026-04-01"), {}, "end_date is more than 366 days after"),
    ("flokit", "get_payback_report", ("2026-05-01", "2026-05-02"), {"group_by": "city"}, "group_by must be one of"),
    ("flokit", "get_cohort_report", ("May", "2026-05-02"), {}, "cohort_start must be a day like"),
    ("flokit", "list_actions", ("rejected",), {}, "status must be one of draft"),
    ("flokit", "list_actions", (), {"per_page": 101}, "per_page must be between 1 and 100"),
]


@pytest.mark.parametrize(
    ("vendor", "method", "args", "kwargs", "words"),
    [pytest.param(*row, id=f"{row[1]}-{row[4][:40]}") for row in REFUSED],
)
def test_refused_at_once(  # noqa: PLR0917
    stage: Stage, vendor: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    hook = stage.hook(vendor)
    hook.check()
    since = stage.now
    with pytest.raises(ValidationError, match=words):
        getattr(hook, method)(*args, **kwargs)
    assert stage.now == since, "something was sent"


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("plan.pdf", 10, "does not end in one of .jpg"),
        ("large.mp4", 10 * 1024**2 + 1, "10,485,761 bytes; 1 byte to 10 MB"),
        ("empty.gif", 0, "has 0 bytes"),
        ("missing.png", None, "there is no file"),
    ],
)
def test_media_refused_at_once(stage: Stage, tmp_path: Any, name: str, size: int | None, words: str) -> None:
    if size is not None:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    since = stage.now
    with pytest.raises(ValidationError, match=words):
        stage.hook("flow_social").upload_media(tmp_path / name)
    assert stage.now == since


WEBHOOKS = {"flinque": ("{}", ["report.ready"]), "flow_social": ("{}", ["post.done"]), "flodesk": ("n", "{}", ["x"])}


@pytest.mark.parametrize("vendor", WEBHOOKS)
@pytest.mark.parametrize(
    "url", ["http://hooks.example.com", "https://localhost/x", "https://10.0.0.8/x", "https://box"]
)
def test_callbacks_must_be_public(vendor: str, url: str) -> None:
    """The sandbox may be told to deliver anywhere; the vendors themselves are not asked to."""
    password: dict[str, Any] = (
        {"login": "client", "password": "s3cret"} if vendor == "flinque" else {"password": "s3cret"}
    )
    hook: Any = HOOKS[vendor]("x", connection=Connection(conn_id="x", conn_type=vendor, **password))
    args = [url if part == "{}" else part for part in WEBHOOKS[vendor]]
    with pytest.raises(ValidationError, match=r"url must (be a full https address|have a public host)"):
        hook.create_webhook(*args)


def test_analytics_names_what_is_missing(stage: Stage) -> None:
    known = stage.sandbox.connections["flow_living_default"]
    extra = {"request_type": "campaignAPI", "analytics_host": "analytics.flowliving.com"}
    hook = FlowLivingHook("x", connection=Connection(conn_id="x", **{**known, "extra": json.dumps(extra)}))
    with pytest.raises(ValidationError, match="the extra 'analytics_user_id' and 'analytics_user_secret'"):
        hook.list_branch_campaigns("branch_harbour")
    assert hook.bases(hook.account)["analytics"] == "https://analytics.flowliving.com"
