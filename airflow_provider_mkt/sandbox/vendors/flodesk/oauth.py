# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The OAuth routes; their errors follow RFC 6749 (assumed)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Instant
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import SEEDED_AT, Desk, Failure, basic
from airflow_provider_mkt.sandbox.vendors.flodesk.tokens import CLIENT_ID, CLIENT_SECRET, LOOPBACK_URI, REDIRECT_URI

router = APIRouter(prefix="/flodesk/oauth2", tags=["Flodesk OAuth"])
FORM = "application/x-www-form-urlencoded"


class OAuthFailure(BaseModel):
    """Error body of the OAuth routes."""

    error: str
    error_description: str


class Tokens(BaseModel):
    """Answer of the token route."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scopes: Literal["all"]
    refresh_token: str


class UserInfo(BaseModel):
    """The account's owner."""

    id: str
    email: str
    full_name: str
    created_at: Instant
    profile_url: str


def _refusal(status: int, error: str, text: str) -> VendorError:
    return VendorError(status, text, body={"error": error, "error_description": text})


_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": OAuthFailure | Failure} for status in (400, 401, 413)}
_TOKEN_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["authorization_code", "refresh_token"]},
                        "code": {"type": "string"},
                        "redirect_uri": {"type": "string"},
                        "refresh_token": {"type": "string"},
                    },
                }
            }
        },
    },
    "security": [{"flodeskKey": []}],
}


@router.get(
    "/authorize",
    status_code=302,
    response_class=RedirectResponse,
    responses={**_ERRORS, 302: {"description": "Back to the application with a code"}},
    openapi_extra={"security": []},
)
async def authorize(  # noqa: PLR0917 - the parameters of the protocol
    desk: Desk,
    call: TheCall,
    client_id: Annotated[str, Query()],
    redirect_uri: Annotated[str, Query()],
    response_type: Annotated[Literal["code"], Query()],
    state: Annotated[str, Query(min_length=1)],
) -> Any:
    """Log in and consent, which the sandbox's user does at once, and go back with a code."""
    if client_id != CLIENT_ID:
        raise _refusal(400, "invalid_client", "The client is unknown")
    if redirect_uri not in (REDIRECT_URI, LOOPBACK_URI) or response_type != "code":
        raise _refusal(400, "invalid_request", "The redirect address is not registered")
    code = desk.grants.new_code(redirect_uri)
    desk.record(call, "code.issued", client_id, [digest(code)])
    return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}", status_code=302)


@router.post("/token", response_model=Tokens, responses=_ERRORS, openapi_extra=_TOKEN_FORM)
async def token(desk: Desk, call: TheCall) -> Any:
    """Exchange a code or a refresh token, each of which works once."""
    if basic(call) != (CLIENT_ID, CLIENT_SECRET):
        raise _refusal(401, "invalid_client", "The client's credentials are wrong")
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise _refusal(400, "invalid_request", f"The body must be {FORM}")
    fields = dict(parse_qsl(call.body.decode("latin-1"), keep_blank_values=True))
    grant_type = fields.get("grant_type")
    if grant_type == "authorization_code":
        answer = desk.grants.redeem(fields.get("code", ""), fields.get("redirect_uri", ""))
    elif grant_type == "refresh_token":
        answer = desk.grants.refresh(fields.get("refresh_token", ""), desk.switch("refresh_grace"))
    else:
        raise _refusal(400, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
    if answer is None:
        raise _refusal(400, "invalid_grant", "The code or refresh token is unknown, expired or already used")
    desk.record(call, "token.issued", grant_type, [digest(answer["access_token"])])
    return answer


@router.get(
    "/userinfo",
    response_model=UserInfo,
    responses={401: {"model": Failure}},
    openapi_extra={"security": [{"flodeskToken": []}]},
)
async def userinfo() -> Any:
    """Who gave the consent."""
    return {
        "id": "a0000000-0000-4000-8000-000000000001",
        "email": "owner@example.com",
        "full_name": "Harbour Homes",
        "created_at": iso(SEEDED_AT),
        "profile_url": "https://harbour-homes.example",
    }
