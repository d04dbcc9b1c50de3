# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The name of this Airflow, so that two of them with one vendor account never take each other's launches for theirs.

It is part of every idempotency key and reference. A copy of Airflow's database (a staging copy, a restore into another
place) must not pass for the original, so the name comes from the configuration, which a copy of the database does not
hold: ``[mkt] deployment``, or else a digest of ``[api] base_url`` and ``[core] fernet_key``. All workers of one Airflow
have these in common, also where their disks do not outlive a task.
"""

from __future__ import annotations

import hashlib
import re

from airflow_provider_mkt.exceptions import ValidationError

OPTION = ("mkt", "deployment")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
SOURCES = (("api", "base_url"), ("core", "fernet_key"))
"""What tells one Airflow from another when it has no name. Of several keys the last one, which a rotation keeps."""
DIGITS = 8


def deployment() -> str:
    """Return the name of this Airflow.

    :raises ValidationError: when ``[mkt] deployment`` is no usable name
    """
    from airflow.sdk import conf  # reads the configuration

    given = str(conf.get(*OPTION, fallback="") or "").strip()
    if not given:
        return _derived([str(conf.get(*source, fallback="") or "").split(",")[-1].strip() for source in SOURCES])
    if NAME.fullmatch(given) is None:
        raise ValidationError(
            f"[mkt] deployment is {given!r}; it must be a name of up to 40 letters, digits, '.', '_' and '-' that "
            "begins with a letter or digit, such as 'production'."
        )
    return given


def _derived(parts: list[str]) -> str:
    # The key is random, and eight digits of a digest with a purpose of its own tell nothing of it.
    text = "\n".join(["airflow-provider-mkt deployment", *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
