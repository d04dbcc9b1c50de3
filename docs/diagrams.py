# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Draws the sequence diagrams of the documentation as SVG. ``docs/generate.py`` calls it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH, STEP, TOP, MARGIN = 190, 46, 56, 95
STYLE = """\
<style>
  svg { background: #ffffff; font: 13px sans-serif; }
  text { fill: #222222; text-anchor: middle; }
  .actor { font-weight: bold; }
  .life { stroke: #bbbbbb; stroke-dasharray: 4 4; }
  .message { stroke: #3f51b5; stroke-width: 1.5; marker-end: url(#head); }
  .note { fill: #fff4d6; stroke: #d9b44a; }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
  <path d="M0,0 L8,4 L0,8 z" fill="#3f51b5"/></marker></defs>
"""


@dataclass(frozen=True)
class Diagram:
    """Who tells whom what, from top to bottom.

    :param title: for those who cannot see it
    :param actors: from left to right
    :param steps: sender, receiver and message; a sender that is its own receiver does something by itself
    """

    title: str
    actors: Sequence[str]
    steps: Sequence[tuple[str, str, str]]


DIAGRAMS = {
    "launch.svg": Diagram(
        "A launch: the record is written before the request, and the ids after it",
        ("Task, first try", "Task state store", "Vendor", "Task, next try"),
        (
            ("Task, first try", "Task state store", "1. the exact body"),
            ("Task, first try", "Vendor", "2. the request"),
            ("Vendor", "Vendor", "publishes, once"),
            ("Task, first try", "Task, first try", "the worker dies"),
            ("Task, next try", "Task state store", "3. what was sent?"),
            ("Task, next try", "Vendor", "4. did it arrive?"),
            ("Vendor", "Task, next try", "its ids"),
            ("Task, next try", "Task state store", "5. the ids"),
        ),
    ),
    "wait.svg": Diagram(
        "A wait: one loop polls for all tasks that wait for the same account",
        ("Tasks", "Triggerer", "Rate budget", "Vendor"),
        (
            ("Tasks", "Triggerer", "defer, with ids only"),
            ("Triggerer", "Rate budget", "one turn for all"),
            ("Triggerer", "Vendor", "one list"),
            ("Vendor", "Triggerer", "all statuses"),
            ("Triggerer", "Triggerer", "which are final?"),
            ("Triggerer", "Tasks", "resume those"),
        ),
    ),
    "webhook.svg": Diagram(
        "A webhook: checked, stored, answered, then handed over",
        ("Vendor", "API server", "Shared store", "Scheduler, triggerer"),
        (
            ("Vendor", "API server", "a signed delivery"),
            ("API server", "API server", "checks the signature"),
            ("API server", "Shared store", "stores it once"),
            ("API server", "Vendor", "200, only now"),
            ("Shared store", "Scheduler, triggerer", "an asset event"),
            ("Scheduler, triggerer", "Scheduler, triggerer", "a DAG starts"),
        ),
    ),
}


def pages() -> dict[Path, str]:
    """Return the text that each picture should have."""
    return {HERE / name: drawn(diagram) for name, diagram in DIAGRAMS.items()}


def drawn(diagram: Diagram) -> str:
    """Return a diagram as SVG."""
    across = {name: MARGIN + number * WIDTH for number, name in enumerate(diagram.actors)}
    width, height = 2 * MARGIN + (len(across) - 1) * WIDTH, TOP + STEP * len(diagram.steps) + 20
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>{escape(diagram.title)}</title>\n'
    return "".join([head, STYLE, *_actors(across, height), *_steps(diagram, across), "</svg>\n"])


def _actors(across: dict[str, int], height: int) -> Iterator[str]:
    for name, x in across.items():
        yield f'<line class="life" x1="{x}" y1="36" x2="{x}" y2="{height - 10}"/>\n'
        yield f'<text class="actor" x="{x}" y="24">{escape(name)}</text>\n'


def _steps(diagram: Diagram, across: dict[str, int]) -> Iterator[str]:
    for number, (sender, receiver, message) in enumerate(diagram.steps):
        y, begin, end = TOP + STEP * number + 20, across[sender], across[receiver]
        if sender == receiver:
            yield f'<rect class="note" x="{begin - 78}" y="{y - 18}" width="156" height="26" rx="4"/>\n'
            yield f'<text x="{begin}" y="{y}">{escape(message)}</text>\n'
        else:
            yield f'<line class="message" x1="{begin}" y1="{y}" x2="{end}" y2="{y}"/>\n'
            yield f'<text x="{(begin + end) // 2}" y="{y - 6}">{escape(message)}</text>\n'
