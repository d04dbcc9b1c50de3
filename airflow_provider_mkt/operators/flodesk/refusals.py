# Licensed under the Apache License, Version 2.0; see LICENSE.
"""People whom Flodesk refused: counted by code, and listed in a file for who may know them."""

from __future__ import annotations

import json
import re
from collections import Counter
from types import TracebackType
from typing import Any, NamedTuple

from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.files.paths import checked_path

MAX_CODES = 50
CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
OTHER = "other"
"""Stands for codes that are none, and for those after the fiftieth."""


class Refusal(NamedTuple):
    """Somebody who was refused.

    :param place: where they are named, such as ``buyers.csv, line 7``
    :param code: the vendor's code, or ours
    :param message: the vendor's words, without personal data
    :param who: ``email`` or ``id``; it goes into the file and nowhere else
    """

    place: str
    code: str
    message: str
    who: dict[str, Any]


class Refusals:
    """The refusals of one task; a context manager. Their number does not matter: they are counted, and written down.

    :param path: where the JSON lines go: a local path, or a URL that ``ObjectStoragePath`` opens; None: nowhere
    :raises ValidationError: when that is no path for a file
    :raises NotWrittenError: when nothing can be written there
    """

    def __init__(self, path: str | None) -> None:
        self.codes: Counter[str] = Counter()
        self._file = None if path is None else AtomicFile(checked_path("failures_path", path))

    def __enter__(self) -> Refusals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return sum(self.codes.values())

    def add(self, refusal: Refusal) -> None:
        """Count somebody, and write down the line about them."""
        code = refusal.code if CODE.fullmatch(refusal.code) else OTHER
        self.codes[code if code in self.codes or len(self.codes) < MAX_CODES else OTHER] += 1
        if self._file is not None:
            line = {"place": refusal.place, "code": refusal.code, "message": refusal.message, **refusal.who}
            self._file.write(json.dumps(line).encode() + b"\n")

    def publish(self) -> None:
        """Let the file appear, if one is wanted; without refusals it is empty, and replaces that of an earlier try."""
        if self._file is not None:
            self._file.seal()
            self._file.commit()
