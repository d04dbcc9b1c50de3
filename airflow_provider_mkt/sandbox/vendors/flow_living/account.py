# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts and state of Flow Living."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.limits import Limit
from airflow_provider_mkt.sandbox.engine.switches import Switch, webhook_switches
from airflow_provider_mkt.sandbox.engine.vendor import THE_VENDOR, Call, Vendor, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_living import jwt
from airflow_provider_mkt.sandbox.vendors.flow_living.campaigns import Campaign, course
from airflow_provider_mkt.sandbox.vendors.flow_living.schemas import Failure, Publish

CLIENT_ID = "sandbox-organisation"
API_KEY = "sandbox-living-api-key"
EXPIRED_API_KEY = "sandbox-living-expired-api-key"
ANALYTICS_USER = "sandbox-analytics-user"
ANALYTICS_SECRET = "sandbox-analytics-secret"  # noqa: S105 - a documented sandbox credential
PLANS = ("facebookv2", "instagramv1", "googlev1")
BRANCHES = {"branch_harbour": "Harbour Homes", "branch_hill": "Hill Homes"}
AGENTS = {"agent_7": ("Ada", "Keeper"), "agent_8": ("Bo", "Fielder")}
_EVENTS = {"published": "campaign.published"}
"""Names of events; the vendor's pages only describe them."""
_SIGNING_KEY = "sandbox-living-signing-key"
TOKEN_ROUTE = "/auth/access-key/publickey"  # noqa: S105 - a path
LISTING_ROUTE = "/v3/properties-api/process-listing"
ANALYTICS = "/flow-living-analytics"
ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 403, 404, 413, 429)}


class FlowLiving(Vendor):
    """Facts and state of Flow Living."""

    name = "flow_living"
    prefixes = (ANALYTICS, "/flow-living")
    limits: ClassVar[Mapping[str, Limit]] = {"default": Limit(60), "publish": Limit(None, 1.0)}
    switches: ClassVar[Mapping[str, Switch]] = {
        "token_lifetime": Switch(3600.0, "seconds (real time) until an access token expires", float),
        "client_id_required": Switch(True, "publish is refused (400) without the query parameter clientId"),
        "campaign_request_type": Switch(None, "only tokens of this requestType may use the campaign routes", str),
        "update_statuses": Switch(["paused", "published", "cancelled"], "statuses that an update may ask for", list),
        "check_references": Switch(True, "unknown plans, listings, branches and agents are refused (404)"),
        "visibility_delay": Switch(0.0, "vendor seconds for which a new tracking id still reads as 404", float),
        "analytics_delay": Switch(0.0, "vendor seconds for which analytics do not show a new campaign", float),
        # No repetition is documented.
        **webhook_switches(1),
    }
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "flowLivingToken": {"type": "http", "scheme": "bearer"},
        "flowLivingUser": {"type": "apiKey", "in": "header", "name": "flow-api-user-id"},
        "flowLivingSecret": {"type": "apiKey", "in": "header", "name": "flow-api-user-secret"},
    }

    takes_callback = True

    def seed(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.told: dict[str, str] = {}
        self.listings = {f"listing_{number}" for number in range(1001, 1011)}
        self.revoked: set[str] = set()

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        for kind, names in wanted.items():
            if kind != "listings" or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("flow_living can seed listings, a list of texts")
            self.listings.update(names)

    def authenticate(self, call: Call) -> str:
        if call.path.startswith(ANALYTICS):
            given = call.headers.get("flow-api-user-id"), call.headers.get("flow-api-user-secret")
            if given != (ANALYTICS_USER, ANALYTICS_SECRET):
                raise VendorError(401, "Invalid API user")
            return "analytics"
        if call.route == TOKEN_ROUTE:
            return call.parameter("organisationId") or "anonymous"
        claims = jwt.claims_of(call.bearer or "", _SIGNING_KEY)
        if claims is None:
            raise VendorError(401, "Invalid access token")
        if claims["jti"] in self.revoked or claims["exp"] + claims["advanced"] <= self.world.clock.shelf():
            raise VendorError(403, "JWT expired")
        wanted = "propertyAPI" if call.route == LISTING_ROUTE else self.switch("campaign_request_type")
        if wanted is not None and claims["requestType"] != wanted:
            raise VendorError(401, "Invalid access token")
        call.facts["client_id"] = claims["sub"]
        return str(claims["sub"])

    def buckets(self, call: Call) -> tuple[str, ...]:
        return ("default", "publish") if call.route == "/campaigns/publish" else ("default",)

    def envelope(self, error: VendorError) -> Mapping[str, Any]:
        return {"error": error.message}

    @classmethod
    def connection_to(cls, base: str) -> dict[str, Any]:
        extra = {
            "request_type": "campaignAPI",
            "analytics_host": base + ANALYTICS,
            "analytics_user_id": ANALYTICS_USER,
            "analytics_user_secret": ANALYTICS_SECRET,
        }
        return {"host": f"{base}/flow-living", "login": CLIENT_ID, "password": API_KEY, "extra": extra}

    def credentials(self) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "api_key": API_KEY,
            "expired_api_key": EXPIRED_API_KEY,
            "analytics_user_id": ANALYTICS_USER,
            "analytics_user_secret": ANALYTICS_SECRET,
        }

    def expire(self, call: Call) -> VendorError:
        if call.path.startswith(ANALYTICS):
            return VendorError(401, "Invalid API user")
        if call.route == TOKEN_ROUTE:
            return VendorError(401, "API key expired")
        claims = jwt.claims_of(call.bearer or "", _SIGNING_KEY)
        if claims is not None:
            self.revoked.add(claims["jti"])
        return VendorError(403, "JWT expired")

    def token(self, client_id: str, request_type: str) -> tuple[str, str]:
        """A new access token and its id.

        Its ``exp`` is true by the client's own clock; how far the sandbox's was advanced by then is kept beside it.
        """
        clock = self.world.clock
        token_id = f"jwt_{self.number('token')}"
        claims = {
            "sub": client_id,
            "requestType": request_type,
            "jti": token_id,
            "iat": int(clock.now()),
            "exp": int(clock.now() + self.switch("token_lifetime")),
            "advanced": clock.shelf() - clock.now(),
        }
        return jwt.issue(claims, _SIGNING_KEY), token_id

    def look(self) -> None:
        ticks = self.world.clock.ticks()
        for campaign in self.campaigns.values():
            status, before = campaign.status(ticks), self.told.get(campaign.tracking_id)
            if status != before:
                self.told[campaign.tracking_id] = status
                event = "campaign.created" if before is None else _EVENTS.get(status, "campaign.status_updated")
                ids = {"campaign_tracking_id": campaign.tracking_id, "campaign_id": campaign.visible_id(ticks)}
                self.emit(event, {**ids, "status": status, "order_ref": campaign.order_ref})

    def emit(self, event: str, data: Mapping[str, Any]) -> None:
        if self.callback is not None:
            payload = {"event": event, **data, "timestamp": iso(self.world.clock.now())}
            self.post("callback", event, self.callback, payload)

    def campaign(self, tracking_id: str) -> Campaign:
        """A campaign by its tracking id.

        :raises VendorError: 404, also while the queue has not made it visible yet
        """
        found = self.campaigns.get(tracking_id)
        ticks = self.world.clock.ticks()
        if found is None or ticks - found.timeline.born < self.switch("visibility_delay"):
            raise VendorError(404, "Campaign not found")
        return found

    def check(self, order: Publish) -> None:
        """Refuse dates out of order and references that do not exist."""
        now = self.world.clock.now()
        if order.startDate is not None and order.startDate.timestamp() <= now:
            raise VendorError(400, "startDate: must be in the future")
        earliest = order.startDate.timestamp() if order.startDate is not None else now
        if order.endDate is not None and order.endDate.timestamp() <= earliest:
            raise VendorError(400, "endDate: must be after startDate")
        if not self.switch("check_references"):
            return
        if order.planRef not in PLANS:
            raise VendorError(404, "Resource not found: planRef")
        if not self.listings.issuperset(order.listingExternalIds):
            raise VendorError(404, "Resource not found: listingExternalIds")
        if order.branchId not in BRANCHES:
            raise VendorError(404, "Resource not found: branchId")
        if order.agentExternalId is not None and order.agentExternalId not in AGENTS:
            raise VendorError(404, "Resource not found: agentExternalId")

    def publish(self, order: Publish) -> list[str]:
        """Create the campaigns of an order: one for each listing and one more, so ids never match listings."""
        reference = reference_of(order)
        outcome = self.world.forced_outcomes.draw(self.name, reference)
        born, now = self.world.clock.ticks(), self.world.clock.now()
        run = None if order.endDate is None else order.endDate.timestamp() - now
        ids: list[str] = []
        for index, listing in enumerate([*order.listingExternalIds, order.listingExternalIds[0]]):
            number = self.number("campaign")
            concerned = outcome is not None and (outcome.limit is None or index < outcome.limit)
            campaign = Campaign(
                tracking_id=f"queue_{number}",
                campaign_id=f"camp_{number}",
                order_ref=order.orderRef,
                plan_ref=order.planRef,
                listing=listing,
                branch=order.branchId,
                agent=order.agentExternalId or "agent_7",
                starts=order.startDate.timestamp() if order.startDate else now,
                ends=order.endDate.timestamp() if order.endDate else None,
                timeline=course(born, run, outcome.outcome if outcome is not None and concerned else None),
            )
            self.campaigns[campaign.tracking_id] = campaign
            ids.append(campaign.tracking_id)
        return ids


def reference_of(order: Publish) -> str:
    """The natural handle of an order."""
    return order.orderRef or f"{order.planRef}:{','.join(order.listingExternalIds)}"


Living = Annotated[FlowLiving, THE_VENDOR]
