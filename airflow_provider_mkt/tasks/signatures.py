# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The signature of an operator or a sensor with all that its bases take, for notebooks, ``help()`` and documentation.

Editors and type checkers read ``**kwargs: Unpack[…]`` instead, see :mod:`.parameters`.
"""

from __future__ import annotations

import inspect
from typing import Any

CONN_ID = "conn_id"
"""What the bases call the connection; users know it by the vendor's name."""


class WholeSignature:
    """Class attribute ``__signature__``: worked out when somebody asks, and not while DAGs are parsed."""

    def __get__(self, instance: Any, owner: type[Any]) -> inspect.Signature:
        """Return the signature of the class.

        :raises AttributeError: when an instance is asked; it cannot be called
        """
        if instance is not None:
            raise AttributeError("__signature__")
        return signature_of(owner)


def signature_of(cls: type[Any]) -> inspect.Signature:
    """Return the keyword parameters of a class: its own first, then those that its bases take by ``**kwargs``.

    A base's default counts only where no subclass has one of its own. A class that takes no ``**kwargs`` ends the list.

    :param cls: an operator or a sensor
    """
    found: dict[str, inspect.Parameter] = {}
    for each in cls.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
        for parameter in parameters:
            if parameter.kind is parameter.KEYWORD_ONLY:
                found.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    if any(name.endswith(f"_{CONN_ID}") for name in found):
        found.pop(CONN_ID, None)
    return inspect.Signature(list(found.values()))
