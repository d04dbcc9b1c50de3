# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the fault matrix interrupts: every operator with effects at a vendor, and how each may end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.steps import Step

if TYPE_CHECKING:
    from airflow_provider_mkt.sandbox.server import Sandbox


class Left(Enum):
    """What the interrupted try leaves behind."""

    NOTHING = "nothing was sent, or certainly nothing was executed"
    DOUBT = "an intent without a receipt; the vendor did not execute the request"
    DONE = "an intent without a receipt; the vendor executed the request"
    RECEIPT = "a receipt"


class End(Enum):
    """How the task ends: how often it happened, and what the task says."""

    ONCE = "success, it happened once"
    UNKNOWN_NOT_DONE = "failed: the outcome is unknown; it did not happen"
    UNKNOWN_DONE = "failed: the outcome is unknown; it happened once"


Cell = tuple[Step, bool]
"""A step, and whether the process is killed there; otherwise the network fails."""


@dataclass(frozen=True)
class Subject:
    """An operator with effects at a vendor.

    :param vendor: the vendor
    :param operator: the operator's module, below ``airflow_provider_mkt.operators``, and name
    :param arguments: its arguments; ``{folder}`` in a text stands for a folder of the cell's own
    :param route: the request that submits, as faults name it
    :param status: the request that reads how it stands, where there is one
    :param effect: what the ledger counts
    :param ends: how the task ends, by what the interruption left behind
    :param apply_not: cells that cannot happen, with the reason
    :param undone_by: the effect that takes one back
    :param parts: how many effects one launch has
    :param tells_ids: whether its result names what the ledger does
    :param extras: extras of its connection; None: left out
    :param files: files of the cell's folder
    :param before: what is at the vendor before
    :param meanwhile: what people do at the vendor while the task waits
    """

    vendor: str
    operator: tuple[str, str]
    arguments: Mapping[str, Any]
    route: str
    effect: str
    ends: Mapping[Left, End]
    status: str | None = None
    apply_not: Mapping[Cell, str] = field(default_factory=dict)
    undone_by: str | None = None
    parts: int = 1
    tells_ids: bool = True
    extras: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    before: Callable[[Sandbox], Any] = lambda _: None
    meanwhile: Callable[[Sandbox], Any] = lambda _: None

    @property
    def waits(self) -> bool:
        """Whether it can wait in the triggerer."""
        return self.status is not None

    def build(self, folder: Path, **common: Any) -> Any:
        """Return the operator, with ``common`` arguments besides its own, waiting in the triggerer if it can wait."""
        module, name = self.operator
        operator = getattr(import_module(f"airflow_provider_mkt.operators.{module}"), name)
        waiting = {"wait_for_completion": True, "deferrable": True} if self.waits else {}
        given = {
            name: value.format(folder=folder) if isinstance(value, str) else value
            for name, value in self.arguments.items()
        }
        return operator(**{**waiting, **common, **given})

    def happened(self, sandbox: Sandbox) -> list[dict[str, Any]]:
        """Return the ledger's entries of what happened and was not taken back."""
        undone = {each for entry in self._entries(sandbox, self.undone_by) for each in entry["ids"]}
        return [entry for entry in self._entries(sandbox, self.effect) if not undone.intersection(entry["ids"])]

    def _entries(self, sandbox: Sandbox, effect: str | None) -> list[dict[str, Any]]:
        return sandbox.ledger(self.vendor, effect) if effect else []


def connection(subject: Subject, sandbox: Sandbox) -> dict[str, Any]:
    """Return the subject's connection to the vendor, as it should be."""
    given = sandbox.connections[f"{subject.vendor}_default"]
    extra = {**(given.get("extra") or {}), **subject.extras}
    return {**given, "extra": {name: value for name, value in extra.items() if value is not None}}


def _cells(steps: Collection[Step], reason: str) -> dict[Cell, str]:
    return {(step, kill): reason for step in steps for kill in (True, False)}


_NOTHING_TO_WAIT_FOR = {
    (Step.RECEIPT, False): "there is nothing to look at",
    **_cells((Step.DEFERRING, Step.TRIGGER, Step.RESUMED), "there is nothing to wait for"),
}
_NO_RECORD = {
    **_NOTHING_TO_WAIT_FOR,
    **_cells(
        (Step.BEFORE_INTENT, Step.AFTER_INTENT, Step.LEAVING, Step.BEFORE_RECEIPT, Step.RECEIPT),
        "repeating it changes nothing",
    ),
}

_ONCE = dict.fromkeys(Left, End.ONCE)
_BLIND = {**_ONCE, Left.DOUBT: End.UNKNOWN_NOT_DONE, Left.DONE: End.UNKNOWN_DONE}
"""A vendor that has no idempotency key and cannot be asked."""
_PROOF = {**_ONCE, Left.DOUBT: End.UNKNOWN_NOT_DONE}
"""A vendor that can prove that it happened, never that it did not."""

ANALYTICS = ("analytics_host", "analytics_user_id", "analytics_user_secret")
_PUBLISH: dict[str, Any] = {
    "vendor": "flow_living",
    "operator": ("flow_living", "FlowLivingPublishCampaignOperator"),
    "arguments": {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"},
    "route": "POST /flow-living/campaigns/publish",
    "status": "GET /flow-living/campaigns/status/{id}",
    "effect": "campaign.published",
}
_HOOK_URL = "https://hooks.example.com/mkt"


def _start_campaigns(sandbox: Sandbox) -> None:
    from airflow_provider_mkt.hooks.flinque import FlinqueHook

    for entry in sandbox.ledger("flinque", "campaign.created"):
        FlinqueHook().update_campaign(entry["ids"][0], {"status": "active"})


def _somebody(sandbox: Sandbox) -> None:
    sandbox.seed(flodesk={"subscribers": 1})
    # A workflow that is over at once may be entered again at once: nothing at the vendor prevents a second entry.
    sandbox.switch({"flodesk.workflow_duration": 0})


SUBJECTS: Mapping[str, Subject] = {
    "flow_living": Subject(
        **_PUBLISH,
        ends=_BLIND,
        extras=dict.fromkeys(ANALYTICS),
    ),
    # What analytics finds has no tracking ids.
    "flow_living_with_analytics": Subject(**_PUBLISH, ends=_PROOF, tells_ids=False),
    "flow_social": Subject(
        "flow_social",
        ("flow_social", "FlowSocialSchedulePostOperator"),
        {"channel_id": "channel_1", "content": "three homes"},
        "POST /flow-social/v1/posts",
        "post.created",
        _ONCE,
        status="GET /flow-social/v1/posts/{id}",
    ),
    "flow_social_batch": Subject(
        "flow_social",
        ("flow_social", "FlowSocialSchedulePostsOperator"),
        {"posts": [{"channel_id": "channel_1", "content": each} for each in ("one", "two", "three")], "chunk_size": 2},
        "POST /flow-social/v1/posts/batch",
        "post.created",
        _ONCE,
        status="GET /flow-social/v1/posts/{id}",
        parts=3,
    ),
    "flow_social_media": Subject(
        "flow_social",
        ("flow_social", "FlowSocialUploadMediaOperator"),
        {"path": "{folder}/home.png"},
        "POST /flow-social/v1/media/upload",
        "media.uploaded",
        _ONCE,
        apply_not=_NOTHING_TO_WAIT_FOR,
        files={"home.png": b"\x89PNG\r\n\x1a\n" + bytes(2_000)},
    ),
    "flokit": Subject(
        "flokit",
        ("flokit", "FlokitTriggerSyncOperator"),
        {"integration_id": "int_adjust"},
        "POST /flokit/v1/integrations/{id}/sync",
        "sync.started",
        # What is found at the integration has no id.
        _ONCE,
        status="GET /flokit/v1/integrations/{id}",
        tells_ids=False,
    ),
    "flinque": Subject(
        "flinque",
        ("flinque", "FlinqueGenerateReportOperator"),
        {"report": {"type": "campaign", "campaign_id": "ca_1", "name": "spring"}},
        "POST /flinque/v1/reports/generate",
        "report.generated",
        _ONCE,
        status="GET /flinque/v1/reports",
    ),
    "flinque_campaign": Subject(
        "flinque",
        ("flinque", "FlinqueCreateCampaignOperator"),
        {"campaign": {"budget": 1000, "currency": "USD", "start_date": "2099-06-08"}},
        "POST /flinque/v1/campaigns",
        "campaign.created",
        _ONCE,
        status="GET /flinque/v1/campaigns/{id}",
        meanwhile=_start_campaigns,
    ),
    "flodesk_workflow": Subject(
        "flodesk",
        ("flodesk", "FlodeskAddToWorkflowOperator"),
        {"workflow_id": "wf_viewing", "id_or_email": "sub_1"},
        "POST /flodesk/v1/workflows/{id}/subscribers",
        "workflow.entered",
        _BLIND,
        apply_not={**_NOTHING_TO_WAIT_FOR, (Step.FIRST_BYTE, False): "the answer has no body that could be cut"},
        before=_somebody,
    ),
    "flodesk_segment": Subject(
        "flodesk",
        ("flodesk", "FlodeskCreateSegmentOperator"),
        {"name": "Buyers in spring"},
        "POST /flodesk/v1/segments",
        "segment.created",
        _ONCE,
        apply_not=_NOTHING_TO_WAIT_FOR,
    ),
    "flodesk_upsert": Subject(
        "flodesk",
        ("flodesk", "FlodeskUpsertSubscribersOperator"),
        {"subscribers": [{"email": f"{each}@example.com"} for each in ("otto", "wren")]},
        "POST /flodesk/v1/subscribers/batch",
        "subscriber.created",
        _ONCE,
        apply_not=_NO_RECORD,
        parts=2,
        tells_ids=False,
    ),
    **{
        # One whose secret was lost with the answer is replaced: what counts is how many there are in the end.
        f"{vendor}_webhook": Subject(
            vendor,
            (module, name),
            {"url": _HOOK_URL, "events": [event]},
            f"POST /{vendor.replace('_', '-')}/v1/webhooks",
            "webhook.created",
            _ONCE,
            apply_not=_NOTHING_TO_WAIT_FOR,
            undone_by="webhook.deleted",
            extras={"webhook_token": "t0ken-that-is-hard-to-guess-4711"} if vendor == "flodesk" else {},
        )
        for vendor, module, name, event in (
            ("flinque", "flinque", "FlinqueEnsureWebhookOperator", "report.ready"),
            ("flow_social", "flow_social", "FlowSocialEnsureWebhookOperator", "post.created"),
            ("flodesk", "flodesk", "FlodeskEnsureWebhookOperator", "subscriber.created"),
        )
    },
}
