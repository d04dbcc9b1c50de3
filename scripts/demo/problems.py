# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Why a demo ends early."""

from __future__ import annotations


class DemoError(Exception):
    """Something that the user must be told, in words that say what to do.

    :param message: one line
    :param details: further lines, for example the end of a log
    """

    def __init__(self, message: str, details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or []


class Interrupted(BaseException):
    """The user or the system asked the runner to stop. Not an error, hence no ``Exception``.

    :param signum: the signal that said so
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
