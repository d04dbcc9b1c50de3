# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Names that users and databases rely on: none of them may be renamed or moved."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any

import pytest

from airflow_provider_mkt.operators.base import MarketingOperator

PACKAGE = "airflow_provider_mkt"

HOOKS = {
    "flinque.FlinqueHook": """
        list_creators get_creator get_creator_audience list_creator_posts list_campaigns create_campaign(campaign)
        get_campaign update_campaign(campaign_id,changes) list_attribution_orders get_attribution_revenue
        list_attribution_events list_reports generate_report(report) export_report(report_id) list_workspaces
        get_workspace list_workspace_members list_webhooks create_webhook(url,events) delete_webhook""",
    "flow_social.FlowSocialHook": """
        list_channels create_channel(name,color) get_channel update_channel delete_channel list_posts(filters,sort)
        create_post(post,idempotency_key) get_post update_post delete_post create_posts(posts) update_posts
        delete_posts(post_ids) list_connections delete_connection add_connection_to_channel(connection_id,channel_id)
        refresh_connection verify_connection verify_channel_connections(channel_id) connection_auth_url(platform)
        complete_connection_auth(platform,params) upload_media(path) get_media(key) delete_media(key) list_webhooks
        create_webhook(url,events) get_webhook update_webhook delete_webhook list_webhook_deliveries test_webhook
        list_api_keys create_api_key(name) get_api_key update_api_key delete_api_key get_usage get_usage_history
        get_usage_day""",
    "flodesk.FlodeskHook": """
        list_subscribers upsert_subscriber(subscriber) upsert_subscribers(subscribers) get_subscriber
        add_subscriber_to_segments(id_or_email,segment_ids) remove_subscriber_from_segments unsubscribe list_segments
        create_segment(name,color) list_segment_colors get_segment list_workflows
        add_subscriber_to_workflow(workflow_id,id_or_email) remove_subscriber_from_workflow list_custom_fields
        create_custom_field(label) list_all_custom_fields list_webhooks create_webhook(name,post_url,events) get_webhook
        update_webhook delete_webhook authorize_url exchange_code get_userinfo list_campaigns""",
    "flow_living.FlowLivingHook": """
        publish_campaign(plan_ref,listing_external_ids,branch_id) get_campaign_status(tracking_id)
        update_campaign_status(tracking_id,status,reason)""",
    "flokit.FlokitHook": """
        list_integrations get_integration(integration_id) trigger_sync(integration_id) send_event send_events
        get_payback_report list_actions get_action get_workspace""",
}
"""Hooks with their methods, and the parameters that are promised."""

TASKS = {
    "operators.flow_living": """
        FlowLivingPublishCampaignOperator FlowLivingUpdateCampaignStatusOperator""",
    "operators.flow_social": """
        FlowSocialSchedulePostOperator FlowSocialSchedulePostsOperator FlowSocialUpdatePostOperator
        FlowSocialDeletePostOperator FlowSocialUploadMediaOperator FlowSocialEnsureWebhookOperator""",
    "operators.flinque": """
        FlinqueCreateCampaignOperator FlinqueUpdateCampaignOperator FlinqueGenerateReportOperator
        FlinqueEnsureWebhookOperator""",
    "operators.flokit": "FlokitTriggerSyncOperator",
    "operators.flodesk": """
        FlodeskUpsertSubscribersOperator FlodeskAddToSegmentsOperator FlodeskUnsubscribeOperator
        FlodeskAddToWorkflowOperator FlodeskCreateSegmentOperator FlodeskEnsureWebhookOperator""",
    "sensors.flow_living": "FlowLivingCampaignStatusSensor(campaign_tracking_id,target_statuses)",
    "sensors.flinque": "FlinqueCampaignStatusSensor FlinqueReportReadySensor(report_id)",
    "sensors.flow_social": "FlowSocialPostStatusSensor(post_id)",
    "sensors.flokit": "FlokitIntegrationSyncSensor(integration_id,since)",
    "sensors.flodesk": "FlodeskSegmentSizeSensor(segment_id,minimum) FlodeskSubscriberStatusSensor(id_or_email)",
    "transfers.flinque": "FlinqueAttributionToObjectStorageOperator FlinqueReportToObjectStorageOperator",
    "transfers.flodesk": "FlodeskSubscribersToObjectStorageOperator SqlToFlodeskSubscribersOperator",
    "transfers.flow_social": "SqlToFlowSocialPostsOperator",
}
"""Operators, sensors and transfers by module. All take ``<vendor>_conn_id``."""

LAUNCHES = {
    "operators.flow_living": "FlowLivingPublishCampaignOperator",
    "operators.flow_social": """
        FlowSocialSchedulePostOperator FlowSocialSchedulePostsOperator FlowSocialUploadMediaOperator""",
    "operators.flinque": "FlinqueCreateCampaignOperator FlinqueGenerateReportOperator",
    "operators.flokit": "FlokitTriggerSyncOperator",
    "operators.flodesk": "FlodeskAddToWorkflowOperator FlodeskCreateSegmentOperator",
    "transfers.flow_social": "SqlToFlowSocialPostsOperator",
}
LAUNCH_PARAMETERS = {"wait_for_completion", "deferrable", "poll_interval", "resubmit", "cancel_on_kill"}
"""What all that start something take."""

OTHERS = {
    "exceptions": """
        ApiError AuthenticationError PermissionDeniedError NotFoundError ValidationError RateLimitError ServerError
        NotSentError OutcomeUnknownError MalformedResponseError""",
    "operators": "PreflightOperator(campaign,posts,audience,segment_ids,integration_id,report)",
    "retry_policy": "MarketingRetryPolicy",
    "provider_info": "get_provider_info",
    "planning.brief": "read_brief(path)",
    "planning.calendar": "read_calendar(path)",
    "sandbox.server": "Sandbox",
    "links.submission": "SubmissionLink",
    "links.vendor_page": "VendorPageLink",
}

STORED = {
    "triggers.watch.WatchTrigger": "watch arguments conn_id poll_interval longest_interval first_look cancel_on_kill",
    "waiting.flinque.CampaignWatch": "campaign_id targets",
    "waiting.flinque.ReportWatch": "report_id",
    "waiting.flodesk.SegmentSizeWatch": "segment_id minimum",
    "waiting.flodesk.SubscriberWatch": "subscriber_id targets",
    "waiting.flokit.SyncWatch": "integration_id since old_error requested_at",
    "waiting.flow_living.CampaignWatch": "tracking_ids targets published_at",
    "waiting.flow_social.PostWatch": "post_ids targets since",
}
"""What Airflow's database holds of deferred tasks: where the class is found, and the names of its arguments."""


def found(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)


def named(table: dict[str, str]) -> list[tuple[str, str, set[str]]]:
    """Return module, name and promised parameters of each entry."""
    split = [(module, *each.rstrip(")").partition("(")[::2]) for module, text in table.items() for each in text.split()]
    return [(module, name, {each for each in promised.split(",") if each}) for module, name, promised in split]


def parameters(of: Any) -> set[str]:
    """Return the names of the parameters of a function, or of a class and its bases."""
    classes = inspect.getmro(of) if inspect.isclass(of) else ()
    functions = [each.__init__ for each in classes if "__init__" in vars(each)] or [of]
    return {name for function in functions for name in inspect.signature(function).parameters}


def in_words(value: object) -> str:
    """Return a case's name, the same in every process."""
    return " ".join(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize("place", HOOKS)
def test_hooks(place: str) -> None:
    module, _, name = place.rpartition(".")
    hook = found(f"hooks.{module}", name)
    assert f"{module}_conn_id" in parameters(hook)
    for _, method, promised in named({"": HOOKS[place]}):
        assert promised <= parameters(getattr(hook, method)), method


@pytest.mark.parametrize(("module", "name", "promised"), named(TASKS), ids=in_words)
def test_tasks(module: str, name: str, promised: set[str]) -> None:
    cls = found(module, name)
    vendor = module.rpartition(".")[2]
    assert {f"{vendor}_conn_id", *promised} <= parameters(cls)
    keywords = inspect.signature(cls.__init__).parameters.values()
    assert {each.kind for each in keywords if each.name not in ("self", "kwargs")} <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("module", "name", "_promised"), named(LAUNCHES), ids=in_words)
def test_launches(module: str, name: str, _promised: set[str]) -> None:
    cls = found(module, name)
    assert issubclass(cls, MarketingOperator)
    assert parameters(cls) >= LAUNCH_PARAMETERS


@pytest.mark.parametrize(("module", "name", "promised"), named(OTHERS), ids=in_words)
def test_other_names(module: str, name: str, promised: set[str]) -> None:
    assert promised <= (parameters(found(module, name)) if promised else set())


@pytest.mark.parametrize("path", STORED)
def test_what_databases_hold(path: str) -> None:
    cls = found(*path.rsplit(".", 1))
    if dataclasses.is_dataclass(cls):
        assert [field.name for field in dataclasses.fields(cls)] == STORED[path].split()
    else:
        assert [name for name in inspect.signature(cls.__init__).parameters if name != "self"] == STORED[path].split()
    assert f"{cls.__module__}.{cls.__qualname__}" == f"{PACKAGE}.{path}"


def test_every_watch_is_listed() -> None:
    """A new one is stored as well, as soon as a task defers."""
    from airflow_provider_mkt.vendors import VENDORS
    from airflow_provider_mkt.waiting.base import Watch

    for vendor in VENDORS:
        importlib.import_module(f"{PACKAGE}.waiting.{vendor.conn_type}")
    ours = {cls for cls in Watch.__subclasses__() if cls.__module__.startswith(f"{PACKAGE}.waiting.")}
    paths = {f"{cls.__module__}.{cls.__qualname__}".removeprefix(f"{PACKAGE}.") for cls in ours}
    known = {path.rpartition(".")[0] for path in STORED}
    paths = {path for path in paths if path.rpartition(".")[0] in known}
    assert paths - {"waiting.flodesk.AddressWatch"} == set(STORED) - {"triggers.watch.WatchTrigger"}
