# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every vendor's sensor, in every mode, against the vendor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.sensors.flinque import FlinqueCampaignStatusSensor, FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from tests.unit.context import Task, Waits
from tests.unit.sensors.conftest import MODES

Outcome = Callable[[Any], tuple[str, Any]]
POST = {"channelId": "channel_1", "content": "Open house on Sunday"}


def options(mode: str) -> dict[str, Any]:
    modes = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
    return {"task_id": "wait", "poke_interval": 60, "timeout": 600, **modes}


def post_sensor(mode: str) -> tuple[WatchSensor, Any]:
    post_id = FlowSocialHook().create_post(POST)["id"]
    return FlowSocialPostStatusSensor(post_id=post_id, **options(mode)), {post_id: "done"}


def report_sensor(mode: str) -> tuple[WatchSensor, Any]:
    report_id = FlinqueHook().generate_report({"type": "campaign", "campaign_id": "ca_1"})["id"]
    return FlinqueReportReadySensor(report_id=report_id, **options(mode)), report_id


def sync_sensor(mode: str) -> tuple[WatchSensor, Any]:
    hook = FlokitHook()
    since = hook.get_integration("int_adjust")["last_synced_at"]
    hook.trigger_sync("int_adjust")
    return FlokitIntegrationSyncSensor(integration_id="int_adjust", since=since, **options(mode)), "int_adjust"


SENSORS = {"flow_social": post_sensor, "flinque": report_sensor, "flokit": sync_sensor}
FAILURES = {"flow_social": "blocked", "flinque": "failed", "flokit": "error"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vendor", SENSORS)
def test_done_later(vendor: str, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    sensor, expected = SENSORS[vendor](mode)
    waits.happenings = [lambda: vendors.advance(70), lambda: vendors.advance(400)]
    end, result = outcome(sensor)
    assert end == "success"
    assert (result if vendor == "flow_social" else result["id"]) == expected
    assert len(waits.each) == (1 if vendor == "flow_social" else 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vendor", SENSORS)
def test_failed_at_the_vendor(vendor: str, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    vendors.outcome(vendor, FAILURES[vendor])
    sensor, _ = SENSORS[vendor](mode)
    waits.happenings = [lambda: vendors.advance(400)]
    end, message = outcome(sensor)
    assert end == "failed"
    assert FAILURES[vendor] in message


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vendor", SENSORS)
def test_stuck(vendor: str, mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    vendors.outcome(vendor, "stuck")
    sensor, _ = SENSORS[vendor](mode)
    waits.happenings = [lambda: vendors.advance(400)]
    assert outcome(sensor)[0] == "timeout"


@pytest.mark.parametrize("mode", MODES)
def test_post_that_the_vendor_tries_again(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    vendors.outcome("flow_social", "retried")
    sensor, _ = post_sensor(mode)
    waits.happenings = [lambda: vendors.advance(65), lambda: vendors.advance(60), lambda: vendors.advance(60)]
    assert outcome(sensor)[0] == "success"
    assert len(waits.each) == 3


@pytest.mark.parametrize("mode", MODES)
def test_earlier_sync_counts_only_without_a_moment(mode: str, vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    any_sync = FlokitIntegrationSyncSensor(integration_id="int_adjust", **options(mode))
    assert outcome(any_sync)[0] == "success"
    later = FlokitIntegrationSyncSensor(integration_id="int_adjust", since="2999-01-01", **options(mode))
    assert outcome(later)[0] == "timeout"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("integration_id", "problem"), [("int_google_play", "error"), ("int_appsflyer", "disconnected")]
)
def test_integration_that_cannot_sync(
    *, mode: str, integration_id: str, problem: str, vendors: Sandbox, waits: Waits, outcome: Outcome
) -> None:
    end, message = outcome(FlokitIntegrationSyncSensor(integration_id=integration_id, **options(mode)))
    assert end == "failed"
    assert f"{integration_id}: {problem}" in message


@pytest.mark.parametrize(
    ("sensor", "arguments", "problem"),
    [
        (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": ""}, "campaign_tracking_id must be non-empty text"),
        (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": None}, "campaign_tracking_id must be a list"),
        (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": ["a", ""]}, "campaign_tracking_id[1] must be"),
        (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": ["a", "a"]}, "names a more than once"),
        (
            FlowLivingCampaignStatusSensor,
            {"campaign_tracking_id": "a", "target_statuses": []},
            "target_statuses is empty",
        ),
        (
            FlowLivingCampaignStatusSensor,
            {"campaign_tracking_id": "a", "target_statuses": ["publishd"]},
            "target_statuses names 'publishd'; 'published' is probably meant",
        ),
        (
            FlinqueCampaignStatusSensor,
            {"campaign_id": "a", "target_statuses": "Active"},
            "target_statuses names 'Active'; 'active' is probably meant",
        ),
        (
            FlowSocialPostStatusSensor,
            {"post_id": "a", "target_statuses": ["delivered"]},
            "target_statuses[0] must be one of queued, flowing, done, blocked",
        ),
        (FlowSocialPostStatusSensor, {"post_id": "None"}, "a template had nothing to show"),
        (FlowSocialPostStatusSensor, {"post_id": " "}, "post_id must be non-empty text"),
        (FlowSocialPostStatusSensor, {"post_id": {"a": 1}}, "post_id must be a list"),
        (FlinqueReportReadySensor, {"report_id": None}, "report_id must be non-empty text"),
        (FlinqueCampaignStatusSensor, {"campaign_id": ""}, "campaign_id must be non-empty text"),
        (FlinqueCampaignStatusSensor, {"campaign_id": ["ca_1"]}, "campaign_id must be non-empty text"),
        (FlinqueCampaignStatusSensor, {"campaign_id": "a", "target_statuses": []}, "target_statuses is empty"),
        (
            FlinqueCampaignStatusSensor,
            {"campaign_id": "a", "target_statuses": ["b", 1.5]},
            "target_statuses[1] must be",
        ),
        (FlokitIntegrationSyncSensor, {"integration_id": ""}, "integration_id must be non-empty text"),
        (FlokitIntegrationSyncSensor, {"integration_id": "i", "since": "soon"}, "since must be a date and time"),
        (FlokitIntegrationSyncSensor, {"integration_id": "i", "since": 17}, "since must be a date and time"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_bad_input(
    *, mode: str, sensor: Any, arguments: dict[str, Any], problem: str, vendors: Sandbox, task: Task
) -> None:
    with pytest.raises(ValidationError) as caught:
        sensor(**options(mode), **arguments).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []


def test_one_post_or_many(vendors: Sandbox, waits: Waits, outcome: Outcome) -> None:
    ids = [FlowSocialHook().create_post({**POST, "content": f"{number}"})["id"] for number in range(3)]
    vendors.advance(120)
    assert outcome(FlowSocialPostStatusSensor(post_id=ids, **options("poke")))[1] == dict.fromkeys(ids, "done")
    assert outcome(FlowSocialPostStatusSensor(post_id=ids[0], **options("poke")))[1] == {ids[0]: "done"}


def moved(*statuses: str) -> list[Callable[[], Any]]:
    """Have people move the campaign ``ca_2``, a draft, on: one step with each wait."""
    return [partial(FlinqueHook().update_campaign, "ca_2", {"status": status}) for status in statuses]


def campaign_sensor(mode: str, **more: Any) -> FlinqueCampaignStatusSensor:
    return FlinqueCampaignStatusSensor(**{"campaign_id": "ca_2", **options(mode), **more})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("steps", "more", "expected", "told"),
    [
        (["active"], {}, "success", "active"),
        (["active"], {"target_statuses": ["paused"]}, "timeout", None),
        (["active", "paused"], {"target_statuses": ["paused"]}, "success", "paused"),
        (["active", "completed"], {"target_statuses": ["paused"]}, "failed", "ca_2: completed"),
        (["archived"], {}, "failed", "ca_2: archived"),
        (["archived"], {"soft_fail": True}, "skipped", "AirflowFailException"),
        (["archived"], {"never_fail": True}, "skipped", "AirflowFailException"),
        (["archived"], {"silent_fail": True}, "failed", "ca_2: archived"),
        (["archived"], {"target_statuses": "archived"}, "success", "archived"),
        ([], {}, "timeout", None),
        ([], {"soft_fail": True}, "skipped", None),
        ([], {"campaign_id": "ca_99"}, "NotFoundError", "HTTP 404"),
        ([], {"campaign_id": "ca_99", "soft_fail": True}, "NotFoundError", "HTTP 404"),
        ([], {"campaign_id": "ca_99", "never_fail": True}, "skipped", "NotFoundError"),
        ([], {"campaign_id": "ca_1"}, "success", "active"),
    ],
)
def test_campaign(
    *,
    mode: str,
    steps: list[str],
    more: dict[str, Any],
    expected: str,
    told: str | None,
    vendors: Sandbox,
    waits: Waits,
    outcome: Outcome,
) -> None:
    waits.happenings = moved(*steps)
    end, result = outcome(campaign_sensor(mode, **more))
    assert end == expected
    if end == "success":
        assert result["status"] == told
    elif told:
        assert told in result
    assert len(waits.each) >= len(steps)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shown", [{"status": "under_review"}, {"status": None}, {}])
def test_campaign_in_a_status_nobody_has_heard_of(
    *,
    mode: str,
    shown: dict[str, Any],
    vendors: Sandbox,
    waits: Waits,
    outcome: Outcome,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vendors.fault("GET /flinque/v1/campaigns/{id}", "status", status=200, body={"id": "ca_2", **shown}, count=None)
    with caplog.at_level(logging.WARNING, "airflow_provider_mkt"):
        end, _ = outcome(campaign_sensor(mode))
    assert end == "timeout"
    assert f"Flinque campaign ca_2: {shown.get('status')}" in caplog.text
    assert outcome(campaign_sensor(mode, target_statuses=["under_review"]))[0] == (
        "success" if shown.get("status") else "timeout"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("sensor", "arguments", "why"),
    [
        (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": []}, "the order has no tracking ids"),
        (FlowSocialPostStatusSensor, {"post_id": []}, "no post of the batch was scheduled"),
        (FlowSocialPostStatusSensor, {"post_id": [None, None]}, "no post of the batch was scheduled"),
    ],
)
def test_nothing_to_follow_is_said_and_passed(
    *,
    mode: str,
    sensor: Any,
    arguments: dict[str, Any],
    why: str,
    vendors: Sandbox,
    outcome: Outcome,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What stands behind a launch that was found without its ids goes on."""
    assert outcome(sensor(**arguments, **options(mode))) == ("success", None)
    assert f"There is nothing to follow: {why}" in capsys.readouterr().out
    assert vendors.requests() == []


@pytest.mark.parametrize("mode", MODES)
def test_refused_rows_of_a_batch_are_not_followed(mode: str, vendors: Sandbox, outcome: Outcome) -> None:
    post = FlowSocialHook().create_post({"channelId": "channel_1", "content": "a"})
    vendors.advance(700)
    end, result = outcome(FlowSocialPostStatusSensor(post_id=[None, post["id"]], **options(mode)))
    assert (end, result) == ("success", {post["id"]: "done"})
