# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Beginning and lifting stops: in the store, and in Airflow's variable, which is read while the store is away."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict

from airflow.models.variable import Variable
from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.stops import SCOPE, VARIABLE, WORDS, Stop, Stops, stop_of
from airflow_provider_mkt.vendors import installed_vendors

log = logging.getLogger(__name__)

LONGEST = 250
"""Characters of a name that Airflow and the shared store can hold."""


def keep(stop: Stop) -> str:
    """Have Airflow's variable hold a stop, beside all others that are in force.

    :return: why it does not, in words; "" when it does. The shared store alone has to do then
    """
    try:
        kept = _kept()
        # At once: the store may take its time to fail.
        _write([*kept, stop])
        if missing := _missing(kept):
            _write([*kept, *missing, stop])
    except SQLAlchemyError as error:
        return f"Airflow's database cannot be used ({type(error).__name__})"
    except AirflowException as error:
        return f"Airflow cannot write its variable {VARIABLE!r} ({error})"
    return ""


def lift(reason: str, by: str, numbers: Collection[int] = ()) -> list[Stop]:
    """End stops, in the variable and in the store.

    :param reason: why
    :param by: who
    :param numbers: of the stops; none: all
    :return: those that ended
    :raises StoreError: when the store fails
    """
    stops = Stops()
    found = [each for each in stops.in_force() if not numbers or each.id in numbers]
    kept = _kept()
    _write([each for each in [*kept, *_missing(kept)] if not _among(each, found)] if numbers else [])
    lifted = stops.lift([each.id for each in found], reason, by)
    return found if lifted else []


def checked_scope(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a stop is for, as the shared store can hold it: it is written after Airflow's variable.

    :param given: names of :data:`SCOPE`; None for what is not named
    :return: all of them, "" for what is not named
    :raises ValidationError: when a name is empty, too long or not printable, or there is no such vendor
    """
    words = dict(zip(SCOPE, WORDS, strict=True))
    scope = {name: "" if given.get(name) is None else _checked(words[name], str(given[name])) for name in SCOPE}
    return {**scope, "vendor": vendor_named(scope["vendor"])}


def _checked(word: str, name: str) -> str:
    if not name.strip():
        raise ValidationError(f"The name of the {word} to stop is empty. Leave it out to stop every {word}.")
    if len(name) > LONGEST:
        raise ValidationError(
            f"The name of the {word} to stop has {len(name):,} characters; none has more than {LONGEST}. Check it."
        )
    if not name.isprintable():
        raise ValidationError(f"The name of the {word} to stop has characters that cannot be seen: {name!a}.")
    return name


def vendor_named(given: str) -> str:
    """Return the vendor's name, by its name or connection type; "" for none.

    :raises ValidationError: when there is no such vendor
    """
    known = {each.conn_type: each.name for each in installed_vendors()}
    found = known.get(given) or next((name for name in known.values() if name.lower() == given.lower()), None)
    if given and found is None:
        raise ValidationError(f"There is no vendor {given!r}; there are {', '.join(vendor_names())}.")
    return found or ""


def vendor_names() -> list[str]:
    """Return the vendors that a stop may name."""
    return sorted(each.name for each in installed_vendors())


def _kept() -> list[Stop]:
    """Return the stops that the variable holds: none where somebody broke it, or Airflow has another Fernet key."""
    try:
        return [stop_of(each) for each in Variable.get(VARIABLE, default_var=None, deserialize_json=True) or ()]
    except (ValueError, TypeError, AttributeError):
        log.warning("Airflow's variable %r could not be read; it is written again.", VARIABLE)
        return []


def _missing(kept: Collection[Stop]) -> list[Stop]:
    """Return the stops in force that the variable does not hold; none while the store is away."""
    try:
        return [each for each in Stops().in_force() if not _among(each, kept)]
    except StoreError:
        return []


def _write(stops: list[Stop]) -> None:
    Variable.set(VARIABLE, [asdict(each) for each in stops], "Stops of airflow mkt stop", serialize_json=True)


def _among(stop: Stop, others: Collection[Stop]) -> bool:
    return any(all(getattr(stop, name) == getattr(each, name) for name in SCOPE) for each in others)
