# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Beginning and lifting stops: in the store, and in Airflow's variable, which is read while the store is away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from airflow.models.variable import Variable

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.launches.stops import SCOPE, VARIABLE, Stop, Stops, stop_of
from airflow_provider_mkt.vendors import installed_vendors

WORDS = dict(zip(SCOPE, ("vendor", "connection", "DAG", "run"), strict=True))
LONGEST = 250
"""Characters of a name that Airflow and the shared store can hold."""


def keep(stop: Stop) -> None:
    """Have Airflow's variable hold a stop, beside those that it holds."""
    _write([*_kept(), stop])


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
    _write([each for each in _kept() if not any(_same(each, other) for other in found)] if numbers else [])
    lifted = stops.lift([each.id for each in found], reason, by)
    return found if lifted else []


def checked_scope(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a stop is for, as the shared store can hold it: it is written after Airflow's variable.

    :param given: names of :data:`SCOPE`; None for what is not named
    :return: all of them, "" for what is not named
    :raises ValidationError: when a name is empty, too long or not printable, or there is no such vendor
    """
    scope = {name: "" if given.get(name) is None else _checked(WORDS[name], str(given[name])) for name in SCOPE}
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
    return [stop_of(each) for each in Variable.get(VARIABLE, default_var=None, deserialize_json=True) or ()]


def _write(stops: list[Stop]) -> None:
    Variable.set(VARIABLE, [asdict(each) for each in stops], "Stops of airflow mkt stop", serialize_json=True)


def _same(one: Stop, other: Stop) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in SCOPE)
