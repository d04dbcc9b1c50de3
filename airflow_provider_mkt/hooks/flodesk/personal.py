# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What lists of people hold as address and time of consent, in the form in which Flodesk takes it.

Messages name the field, never its value, which is personal data.
"""

from __future__ import annotations

import re

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError

UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Characters without width, which come along when an address is copied from a page."""
AROUND = " \t\r\n\u00a0,;<>"
"""What stands around an address that was cut out of a list."""
SCHEME = re.compile("mailto:", re.IGNORECASE)
EMAIL = re.compile(r"[^@\s,;<>()\[\]\"\\]+@[^@\s,;<>()\[\]\"\\]+\.[^@\s.,;<>()\[\]\"\\]+")
MAX_EMAIL, MAX_LOCAL = 254, 64
"""Characters of an address, and of its part before the @ (RFC 5321)."""
ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$", re.IGNORECASE)


def email_address(field: str, value: object) -> str:
    """Return an e-mail address without what came along with it, its domain in ASCII.

    :param field: what messages call it
    :raises ValidationError: when it is none; the message does not quote it
    """
    wrong = ValidationError(f"{field} is not an e-mail address; correct or remove the entry.")
    if not isinstance(value, str):
        raise wrong
    text = UNSEEN.sub("", value).strip(AROUND).rstrip(".")
    text = SCHEME.sub("", text, count=1).strip(AROUND) if SCHEME.match(text) else text
    if not EMAIL.fullmatch(text):
        raise wrong
    local, _, domain = text.rpartition("@")
    domain = _ascii(domain)
    dots = ".." in text or local.startswith(".") or local.endswith(".") or domain.startswith(".")
    if not domain or dots or len(local) > MAX_LOCAL or len(local) + len(domain) >= MAX_EMAIL:
        raise wrong
    return f"{local}@{domain}"


def _ascii(domain: str) -> str:
    """Return a domain as name servers know it, or "" for none."""
    if domain.isascii():
        labels = domain.split(".")
        known = all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", each) for each in labels)
        return domain if known and all(len(each) <= 63 for each in labels) else ""
    import idna  # few lists need its tables

    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return ""


def opt_in_time(field: str, value: str) -> str:
    """Return a time of consent as ISO 8601 in UTC; without a time zone it is UTC.

    :param field: what messages call it
    :raises ValidationError: when it is none; the message does not quote it
    """
    text = " ".join(value.split())
    try:
        return str(validation.moment(field, ZONE.sub("Z", text)))
    except ValidationError:
        pass
    raise ValidationError(
        f"{field} is not a date and time; write it like 2026-04-03 10:00:00 (in UTC) or 2026-04-03T10:00:00+02:00."
    )
