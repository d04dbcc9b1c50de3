# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Forms that nobody else can send in a person's name.

A browser sends Airflow's cookie with whatever page makes it send something. So a form is taken only when:

- the browser says that it comes from a page of this server (by ``Sec-Fetch-Site`` or ``Origin``, or both);
- it is what a form sends by itself (``application/x-www-form-urlencoded``), and small;
- it holds a token that this server has signed for this person, less than 8 hours ago;
- a cookie that other servers' pages cannot read or set holds the same token's number (double submit).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.configuration import conf
from itsdangerous import BadSignature, URLSafeTimedSerializer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

FIELD, COOKIE = "token", "mkt_form"
AGE = 8 * 3600
"""Seconds for which a form may lie open."""
MAX_BODY = 64 * 1024
LENGTH = 43
"""Characters of a number: 32 bytes in base64."""
KIND = "application/x-www-form-urlencoded"
OWN_SITE = "same-origin"


class ForgedError(Exception):
    """A form that may not come from the person in whose name it was sent."""


async def form_of(request: Request, user: str) -> dict[str, str]:
    """Return the fields of a form that the person has sent.

    :param user: the person's id
    :raises ForgedError: when somebody else may have made the browser send it
    """
    _check_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != KIND:
        raise ForgedError(f"it is no form: its content type has to be {KIND}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ForgedError(f"it is larger than {MAX_BODY} bytes")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    _check_token(fields.pop(FIELD, ""), request.cookies.get(COOKIE, ""), user)
    return fields


def token_for(request: Request, user: str) -> tuple[str, str]:
    """Return a token for the forms of a page, and the number in it, which the cookie has to hold."""
    number = request.cookies.get(COOKIE, "")
    if len(number) != LENGTH:
        number = secrets.token_urlsafe(32)
    return _signer().dumps([user, number]), number


def set_cookie(request: Request, response: Response, number: str) -> None:
    """Give the browser the number that its forms have to name."""
    secure = request.url.scheme == "https" or bool(conf.get("api", "ssl_cert", fallback=""))
    path = request.scope.get("root_path", "") or "/"
    response.set_cookie(COOKIE, number, path=path, httponly=True, samesite="strict", secure=secure)


def _check_origin(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        raise ForgedError("the browser does not say which page it comes from")
    if site is not None and site != OWN_SITE:
        raise ForgedError("it comes from a page of another site")
    own = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    if origin is not None and _host(origin) not in own - {""}:
        raise ForgedError("it comes from a page of another origin")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as http://[
        return ""


def _check_token(token: str, number: str, user: str) -> None:
    try:
        signed_user, signed_number = _signer().loads(token, max_age=AGE)
    except (BadSignature, ValueError, TypeError):
        raise ForgedError("its token is missing, wrong or too old; load the page again") from None
    if not number or not secrets.compare_digest(str(signed_number).encode(), number.encode()) or signed_user != user:
        raise ForgedError("its token was made for another session; load the page again")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(get_signing_key("api", "secret_key"), salt="airflow-provider-mkt forms")
