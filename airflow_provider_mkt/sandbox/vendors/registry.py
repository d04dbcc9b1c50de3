# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors: those of this folder, and those that other packages name in their entry points."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules

from airflow_provider_mkt.sandbox.engine.vendor import Vendor

ENTRY_POINTS = "airflow_provider_mkt.sandbox"
"""Group of entry points; each leads to a subclass of :class:`Vendor`."""


def _of_this_folder() -> Iterator[type[Vendor]]:
    """Yield the class of every vendor whose module or package lies here: that is all it takes to be simulated."""
    here = __name__.rpartition(".")[0]
    for module in iter_modules([str(Path(__file__).parent)]):
        if module.name != "registry":
            yield import_module(f"{here}.{module.name}").VENDOR


def _of_other_packages() -> Iterator[type[Vendor]]:
    for entry in entry_points(group=ENTRY_POINTS):
        yield entry.load()


VENDORS: tuple[type[Vendor], ...] = (*_of_this_folder(), *_of_other_packages())
