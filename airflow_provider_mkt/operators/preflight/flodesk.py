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
        for segment_id in validation.texts("segment_ids", segment_ids, most=flodesk.MAX_SEGMENTS, least=0):
            try:
                hook.get_segment(segment_id)
            except NotFoundError:
                findings.add(
                    "segments", f"Flodesk has no segment {segment_id!r}; create it or take its id from Flodesk"
                )


def _read_people(findings: Findings, path: str) -> set[str]:
    """Return the custom fields that the people of a file have. Nobody is named in a problem."""
    from airflow_provider_mkt.planning.audience import read_audience

    custom: set[str] = set()
    bad = []
    with findings.about("audience"):
        for place, person in read_audience(path):
            if isinstance(person, ValidationError):
                bad.append(f"{person}" if str(person).startswith(place) else f"{place}: {person}")
            else:
                custom.update(map(str, person.get("custom_fields") or {}))
    for line in bad[:10]:
        findings.add("audience", line)
    if len(bad) > 10:
        findings.add("audience", f"{len(bad) - 10:,} more lines like these")
    return custom
