# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A complete HTTP answer, held so that it can be replayed or spoiled before it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body."""


@dataclass
class Answer:
    """Status, headers (names in lower case, without content-length) and body."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def with_headers(self, extra: Mapping[str, str]) -> Answer:
        """A copy with more headers."""
        return Answer(self.status, [*self.headers, *extra.items()], self.body)

    def with_body(self, body: bytes, content_type: str = "application/json") -> Answer:
        """A copy with another body; a status that permits none becomes 200."""
        kept = [(name, value) for name, value in self.headers if name.lower() != "content-type"]
        return Answer(200 if self.status in BODILESS else self.status, [*kept, ("content-type", content_type)], body)

    def bare(self) -> Answer:
        """A copy without body and without what describes one, for statuses that permit none."""
        kept = [(name, value) for name, value in self.headers if name.lower() != "content-type"]
        return Answer(self.status, kept)

    def start(self, length: int | None) -> dict[str, Any]:
        """The ASGI message that begins the answer; without a length it is sent in chunks."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if length is not None and self.status not in BODILESS:
            headers.append((b"content-length", str(length).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": headers}


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(
        status, [("content-type", "application/json"), *(headers or {}).items()], json.dumps(content).encode()
    )
