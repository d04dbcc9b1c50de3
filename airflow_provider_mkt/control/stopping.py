# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Beginning and lifting stops: in the store, and in Airflow's variable, which is read while the store is away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from airflow.models.variable import Variable

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.launches.stops import SCOPE, VARIABLE, Stop, Stops, stop_of
from airflow_provider_mkt.vendors import installed_vendors


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
