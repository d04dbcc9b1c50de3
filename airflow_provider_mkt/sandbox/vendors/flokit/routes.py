# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts and state of FloKit, and its routes for actions and the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.limits import Limit
from airflow_provider_mkt.sandbox.engine.switches import Switch, webhook_switches
from airflow_provider_mkt.sandbox.engine.timeline import Timeline
from airflow_provider_mkt.sandbox.engine.vendor import THE_VENDOR, Call, TheCall, Vendor, VendorError

WRITE_KEY = "sandbox-flokit-read-write-key"
READ_KEY = "sandbox-flokit-read-only-key"
WORKSPACE = "ws_sandbox"
_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    429: "rate_limited",
}
SEEDED_AT = 1_746_000_000.0
SYNC_FAILED = "The sync failed; check the credentials of the integration"
_INTEGRATIONS = (
    ("int_adjust", "adjust", "connected", None),
    ("int_stripe", "stripe", "connected", None),
    ("int_warehouse", "warehouse", "connected", None),
    ("int_google_play", "google_play", "error", "The service account has no access to the app"),
    ("int_appsflyer", "appsflyer", "disconnected", None),
)
_ACTIONS = (
    ("act_01", "budget_shift", "ready", "Move budget to search"),
    ("act_02", "creative_pause", "ready", "Pause a tired creative"),
    ("act_03", "budget_shift", "running", "Move budget to social"),
    ("act_04", "creative_pause", "draft", "Pause a costly creative"),
    ("act_05", "budget_shift", "rolled_back", "Move budget to video"),
)


class Failure(BaseModel):
    """Error envelope."""

    error: str
    message: str


class Action(BaseModel):
    """A growth action."""

    id: str
    type: str
    status: str
    title: str
    rationale: str
    expected_impact: dict[str, str | float]
    created_at: str
    approved_at: str | None
    approved_by: str | None


class ActionDetail(Action):
    """A single action; the names of the three additions are assumed."""

    data_signals: list[str]
    guardrail_checks: list[str]
    rollback_conditions: list[str]


class Actions(BaseModel):
    """A page of actions."""

    actions: list[Action]
    total: int
    limit: int
    offset: int


class Workspace(BaseModel):
    """The workspace of the key (shape assumed)."""

    id: str
    name: str


@dataclass
class Integration:
    """An integration; while a sync runs or has run, its timeline decides the status.

    :param synced_at: real time of the last successful sync before the present timeline
    """

    id: str
    type: str
    status: str
    error_message: str | None
    synced_at: float | None
    events: int = 3400
    sync: Timeline | None = None


ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 403, 404, 409, 413, 429)}
router = APIRouter(prefix="/flokit/v1", tags=["FloKit"], responses=ERRORS)


class Flokit(Vendor):
    """Facts and state of FloKit."""

    name = "flokit"
    prefixes = ("/flokit/v1",)
    limits: ClassVar[Mapping[str, Limit]] = {"workspace": Limit(100)}
    switches: ClassVar[Mapping[str, Switch]] = {
        "sync_success_status": Switch(200, "status of an accepted sync, 200 or 202", int),
        "reject_future_events": Switch(False, "events more than 5 minutes ahead are refused"),
        # No repetition is documented.
        **webhook_switches(1),
    }
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {"flokitKey": {"type": "http", "scheme": "bearer"}}
    sends_retry_after = True
    takes_callback = True

    def seed(self) -> None:
        self.told: dict[str, Timeline] = {}
        self.integrations = {
            name: Integration(name, kind, status, error, None if status == "disconnected" else SEEDED_AT)
            for name, kind, status, error in _INTEGRATIONS
        }
        self.actions = {row[0]: _action(*row) for row in _ACTIONS}

    def look(self) -> None:
        for integration in self.integrations.values():
            sync = integration.sync
            if sync is None or self.told.get(integration.id) is sync:
                continue
            if sync.at(self.world.clock.ticks()).state == "error":
                self.told[integration.id] = sync
                row = {"id": integration.id, "type": integration.type, "status": "error"}
                self.emit("integration.error", {"integration": {**row, "error_message": SYNC_FAILED}})

    def emit(self, event: str, data: Mapping[str, Any]) -> None:
        if self.callback is not None:
            now = iso(self.world.clock.now())
            payload = {
                "id": f"whe_{self.number('webhook_event')}",
                "type": event,
                "created_at": now,
                "data": dict(data),
            }
            self.post("callback", event, self.callback, payload)

    def authenticate(self, call: Call) -> str:
        if call.bearer not in (WRITE_KEY, READ_KEY):
            raise VendorError(401, "The API key is missing or wrong")
        if call.bearer == READ_KEY and call.method not in ("GET", "HEAD"):
            raise VendorError(403, "This API key is read-only")
        return WORKSPACE

    def buckets(self, call: Call) -> tuple[str, ...]:  # noqa: ARG002 - one bucket for all
        return ("workspace",)

    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        return {"error": error.code or _CODES.get(error.status, "server_error"), "message": error.message}

    def idempotent(self, call: Call) -> bool:
        return (call.method, call.route) == ("POST", "/events")

    @classmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        return {"host": f"{base}/flokit/v1", "login": "", "password": WRITE_KEY, "extra": {}}

    def credentials(self) -> dict[str, Any]:
        return {"api_key": WRITE_KEY, "read_only_api_key": READ_KEY}

    def decide(self, action_id: str, status: str) -> dict[str, Any]:
        """Approve or reject a ready action; a rejected one vanishes (both assumed)."""
        action = self.action(action_id)
        if action["status"] != "ready":
            raise VendorError(409, "The action is not ready for a decision")
        action["status"] = status
        if status == "approved":
            action.update(approved_at=iso(self.world.clock.now()), approved_by="api")
        else:
            del self.actions[action_id]
        return action

    def action(self, action_id: str) -> dict[str, Any]:
        """An action by id.

        :raises VendorError: 404
        """
        if action_id not in self.actions:
            raise VendorError(404, "No such action")
        return self.actions[action_id]


def _action(action_id: str, kind: str, status: str, title: str) -> dict[str, Any]:
    decided = status in ("running", "rolled_back")
    return {
        "id": action_id,
        "type": kind,
        "status": status,
        "title": title,
        "rationale": "Cohorts pay back sooner there.",
        "expected_impact": {"metric": "blended_roas_30d", "direction": "increase", "magnitude": 0.1},
        "created_at": iso(SEEDED_AT),
        "approved_at": iso(SEEDED_AT + 3600) if decided else None,
        "approved_by": "user_1" if decided else None,
    }


Kit = Annotated[Flokit, THE_VENDOR]


@router.get("/actions", response_model=Actions)
async def list_actions(
    kit: Kit,
    status: Literal["draft", "ready", "approved", "running", "rolled_back"] | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    """A page of actions."""
    rows = [action for action in kit.actions.values() if status is None or action["status"] == status]
    return {"actions": rows[offset : offset + limit], "total": len(rows), "limit": limit, "offset": offset}


@router.get("/actions/{action_id}", response_model=ActionDetail)
async def get_action(kit: Kit, action_id: str) -> Any:
    """One action with its reasons."""
    return {
        **kit.action(action_id),
        "data_signals": ["roas_30d"],
        "guardrail_checks": ["daily_budget"],
        "rollback_conditions": ["roas_30d falls by 10 %"],
    }


@router.post("/actions/{action_id}/approve", response_model=Action)
async def approve_action(kit: Kit, call: TheCall, action_id: str) -> Any:
    """Approve a ready action (path assumed)."""
    action = kit.decide(action_id, "approved")
    kit.record(call, "action.approved", action_id, [action_id])
    return action


@router.post("/actions/{action_id}/reject", response_model=Action)
async def reject_action(kit: Kit, call: TheCall, action_id: str) -> Any:
    """Reject a ready action (path assumed)."""
    action = kit.decide(action_id, "rejected")
    kit.record(call, "action.rejected", action_id, [action_id])
    return action


@router.get("/workspace", response_model=Workspace)
async def get_workspace(kit: Kit) -> Any:  # noqa: ARG001 - the same for every key
    """The workspace of the key."""
    return {"id": WORKSPACE, "name": "Sandbox workspace"}
