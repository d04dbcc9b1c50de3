# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Is the audience one that Flodesk can take in?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import NotFoundError, ValidationError
from airflow_provider_mkt.operators.preflight.findings import connected, meant
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow_provider_mkt.operators.preflight.findings import Findings


def audience(findings: Findings, conn_id: str, path: str | None, segment_ids: Sequence[str]) -> None:
    """Read the whole audience file; look for its custom fields and for the segments at Flodesk."""
    from airflow_provider_mkt.hooks.flodesk import FlodeskHook

    custom = _read_people(findings, path) if path is not None else set()
    hook = FlodeskHook(conn_id)
    if not connected(findings, hook):
        return
    if custom:
        with findings.about("audience"):
            known = [str(row.get("key")) for row in hook.list_all_custom_fields()]
            for name in sorted(custom - set(known)):
                findings.add("audience", f"Flodesk has no custom field {name!r}{meant(name, known)}")
    with findings.about("segments"):
        validation.texts("segment_ids", segment_ids, most=flodesk.MAX_SEGMENTS, least=0)
    with findings.about("segments"):
        for segment_id in _askable(segment_ids):
            try:
                hook.get_segment(segment_id)
            except NotFoundError:
                findings.add(
                    "segments", f"Flodesk has no segment {segment_id!r}; create it or take its id from Flodesk"
                )


def _askable(segment_ids: Sequence[str]) -> list[str]:
    """Return the segments that can be asked for, each once and as many as one request takes."""
    named = [] if isinstance(segment_ids, (str, bytes)) or not isinstance(segment_ids, Sequence) else segment_ids
    usable = [each for each in named if isinstance(each, str) and each.strip()]
    return list(dict.fromkeys(usable))[: flodesk.MAX_SEGMENTS]


def _read_people(findings: Findings, path: str) -> set[str]:
    """Check the people of a file as the step that sends them does, and return the custom fields that they have.

    Nobody is named in a problem.
    """
    from airflow_provider_mkt.hooks.flodesk.audience import subscriber_body
    from airflow_provider_mkt.planning.audience import read_audience

    custom: set[str] = set()
    bad, anybody = [], False
    with findings.about("audience"):
        for place, person in read_audience(path):
            anybody = True
            try:
                if isinstance(person, ValidationError):
                    raise person
                custom.update(subscriber_body(person, place).get("custom_fields", {}))
            except ValidationError as error:
                bad.append(f"{error}" if str(error).startswith(place) else f"{place}: {error}")
        if not anybody:
            findings.add("audience", "there is nobody in the file; add a line for each person")
    for line in bad[:10]:
        findings.add("audience", line)
    if len(bad) > 10:
        findings.add("audience", f"{len(bad) - 10:,} more lines like these")
    return custom
