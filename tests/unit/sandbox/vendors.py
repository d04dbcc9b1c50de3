# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Plain requests to the simulated vendors, independent of the package's own clients."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from airflow_provider_mkt.sandbox.server import Sandbox

ORDER = {
    "planRef": "facebookv2",
    "listingExternalIds": ["listing_1001"],
    "branchId": "branch_harbour",
    "orderRef": "PO-1",
}
POST = {"channelId": "channel_1", "content": "Open house on Sunday"}


def later(seconds: float) -> str:
    """A date-time so many seconds ahead."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Caller:
    """A session that adds the credentials of the vendor whose path is called."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.credentials(path), **options.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value is not None}
        options.setdefault("timeout", 10)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.sandbox.url + path, headers=kept, **options)

    def credentials(self, path: str) -> dict[str, str]:
        """Headers that open a path."""
        connections = self.sandbox.connections
        if path.startswith("/flow-living-analytics"):
            extra = connections["flow_living_default"]["extra"]
            return {
                "flow-api-user-id": extra["analytics_user_id"],
                "flow-api-user-secret": extra["analytics_user_secret"],
            }
        if path.startswith("/flow-living"):
            known = "publickey" in path
            token = {} if known else {"Authorization": f"Bearer {self.living_token()}"}
            return {"Accept-Version": "v1", **token}
        if path.startswith("/flinque"):
            return {} if "oauth/token" in path else {"Authorization": f"Bearer {self.flinque_token()}"}
        if path.startswith("/flodesk/oauth2"):
            return {}
        if path.startswith("/flodesk"):
            return {"Authorization": basic(connections["flodesk_default"]["password"], "")}
        place = self.sandbox.url + path
        keys = [one["password"] for one in connections.values() if place.startswith(one["host"])]
        return {"Authorization": f"Bearer {keys[0]}"} if keys else {}

    def forget(self) -> None:
        """Fetch new tokens: a reset of the sandbox has ended the old ones."""
        self._tokens.clear()

    def living_token(self, request_type: str = "campaignAPI") -> str:
        """An access token of Flow Living, fetched once."""
        if request_type not in self._tokens:
            self._tokens[request_type] = self.new_living_token(request_type)
        return self._tokens[request_type]

    def new_living_token(self, request_type: str = "campaignAPI") -> str:
        """A new access token of Flow Living."""
        connection = self.sandbox.connections["flow_living_default"]
        answer = self.session.get(
            f"{connection['host']}/auth/access-key/publickey",
            params={
                "organisationId": connection["login"],
                "apiKey": connection["password"],
                "requestType": request_type,
            },
            headers={"Accept-Version": "v1"},
            timeout=10,
        )
        answer.raise_for_status()
        return str(answer.json()["accessToken"])

    def flinque_token(self) -> str:
        """An access token of Flinque, fetched once."""
        if "flinque" not in self._tokens:
            connection = self.sandbox.connections["flinque_default"]
            self._tokens["flinque"] = self.new_flinque_token(connection["login"], connection["password"])
        return self._tokens["flinque"]

    def new_flinque_token(self, client_id: str, client_secret: str) -> str:
        """A new access token of Flinque."""
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        answer = self.session.post(f"{self.sandbox.url}/flinque/v1/oauth/token", json=body, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def refresh(self, refresh_token: str) -> requests.Response:
        """Spend a refresh token of Flodesk."""
        known = self.sandbox.credentials()["flodesk"]
        return self.session.post(
            f"{self.sandbox.url}/flodesk/oauth2/token",
            data={"grant_type": "refresh_token", "refresh_token": refresh_token},
            headers={"Authorization": basic(known["client_id"], known["client_secret"])},
            timeout=10,
        )

    def flodesk_tokens(self) -> dict[str, Any]:
        """New tokens of Flodesk, for the refresh token that is valid now."""
        answer = self.refresh(self.sandbox.credentials()["flodesk"]["refresh_token"])
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def publish(self, **changes: Any) -> requests.Response:
        """Publish a campaign at Flow Living."""
        organisation = self.sandbox.connections["flow_living_default"]["login"]
        return self("POST", f"/flow-living/campaigns/publish?clientId={organisation}", json={**ORDER, **changes})


def basic(name: str, password: str) -> str:
    """A Basic authorization."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
