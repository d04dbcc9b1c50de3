# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a task to what it has made, on the vendor's own site: where a company has told the addresses of its pages."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from configparser import InterpolationError
from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink, conf

from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

log = logging.getLogger(__name__)

EXAMPLE = '{"flow_social": ["https://social.example.com/posts/{post_id}"]}'


class VendorPageLink(BaseOperatorLink):
    """Leads to the vendor's page of what the task has returned. It is empty, and not shown, where none is known.

    No vendor documents the addresses of its pages, so ``[mkt] vendor_pages`` names them.
    """

    @property
    def name(self) -> str:
        """Return the text of the button."""
        return "Vendor page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address; empty when there is none. It holds ids of the vendor, and nothing else."""
        try:
            pages = vendor_pages()
        except ValidationError as error:
            log.warning("There is no link to the vendor: %s", error)
            return ""
        vendor = getattr(operator, "vendor", None)
        templates = pages.get(getattr(operator, "conn_id", "")) or pages.get(getattr(vendor, "conn_type", ""), [])
        if not templates:
            return ""
        from airflow.sdk.execution_time.xcom import XCom  # which a company may have replaced by its own

        made = XCom.get_value(ti_key=ti_key, key="return_value")
        return next(_filled(templates, made), "") if isinstance(made, dict) else ""


def told() -> bool:
    """Tell whether ``[mkt] vendor_pages`` says anything; that it cannot be read is told where it is used."""
    try:
        return bool(conf.get("mkt", "vendor_pages", fallback=""))
    except InterpolationError:
        return True


def vendor_pages() -> dict[str, list[str]]:
    """Return the addresses of pages, as ``[mkt] vendor_pages`` gives them: by connection id or connection type.

    :raises ValidationError: naming what is wrong
    """
    try:
        found = json.loads(conf.get("mkt", "vendor_pages", fallback="") or "{}")
    except InterpolationError:
        raise ValidationError("[mkt] vendor_pages: write %% for each %, as anywhere in airflow.cfg.") from None
    except ValueError as error:
        raise ValidationError(f"[mkt] vendor_pages is no JSON ({error}). An example: {EXAMPLE}") from None
    if not isinstance(found, dict):
        raise ValidationError(f"[mkt] vendor_pages must be an object. An example: {EXAMPLE}")
    return {name: [_checked(name, each) for each in _listed(templates)] for name, templates in found.items()}


def _listed(templates: Any) -> list[Any]:
    return templates if isinstance(templates, list) else [templates]


def _checked(name: str, template: Any) -> str:
    """Return an address of which ids fill in parts of the path, the query or the fragment alone."""
    try:
        url = urlsplit(template if isinstance(template, str) else "")
        fields = _fields(url.path + url.query + url.fragment)
        fits = url.scheme == "https" and bool(url.hostname) and not set("{}@") & set(url.netloc)
    except ValueError:
        fits, fields = False, set()
    if not fits or not fields or not all(each.isidentifier() for each in fields):
        raise ValidationError(
            f"[mkt] vendor_pages: {template!r} of {name!r} is not an https:// address with the name of an id in its "
            f"path, in braces. An example: {EXAMPLE}"
        )
    return str(template)


def _fields(text: str) -> set[str]:
    """Return the names in braces; "" for one that says more than a name."""
    return {
        "" if form or conversion else name for _, name, form, conversion in Formatter().parse(text) if name is not None
    }


def _filled(templates: list[str], made: Mapping[str, Any]) -> Iterator[str]:
    """Yield those addresses of which each id is among what was made. Of several ids, the first one."""
    for template in templates:
        found = {name: _id(made.get(name)) for name in _fields(template)}
        if all(found.values()):
            yield template.format_map(found)


def _id(value: Any) -> str:
    """Return an id for an address; "" for what is none. E-mail addresses are personal, and dots lead elsewhere."""
    one = next((each for each in value if each is not None), None) if isinstance(value, list) else value
    text = str(one) if isinstance(one, (str, int)) and not isinstance(one, bool) else ""
    return "" if "@" in text or not text.strip(".") else quote(text, safe="")
