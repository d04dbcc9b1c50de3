# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Draws what waiting costs over the number of waiting tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.waiting_runs import Measured

WIDTH, HEIGHT, MARGIN, TOP = 640, 280, 60, 60
COLORS = ("#1f6f8b", "#b5542c", "#5b7f2b", "#7a4f9a", "#555555")


def plot(lines: Sequence[tuple[str, int, Measured]]) -> str:
    """Draw calls a minute and the triggerer's CPU, side by side, a curve for each vendor that lists, as SVG.

    :param lines: what each line of the table is about, its number of tasks, and what was seen
    """
    names = list(dict.fromkeys(name for name, _, _ in lines if "(a list)" in name))
    kept = [each for each in lines if each[0] in names]
    parts = [
        *_panel("calls a minute", 0, [(name, tasks, seen.calls) for name, tasks, seen in kept], 100.0),
        *_panel("CPU, percent of a core", 1, [(name, tasks, 100 * seen.cpu) for name, tasks, seen in kept], 10.0),
    ]
    for index, name in enumerate(names):
        x = MARGIN + 200 * index
        parts.append(f'<line x1="{x}" y1="14" x2="{x + 20}" y2="14" stroke="{COLORS[index]}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 26}" y="18" fill="#555">{name}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="background: #ffffff" '
    return f'{head}font-family="sans-serif" font-size="12">{"".join(parts)}</svg>\n'


def _panel(title: str, place: int, points: Sequence[tuple[str, int, float]], least: float) -> list[str]:
    """Draw one of the two panels, its scale from 0 to ``least`` or to the highest value."""
    width, bottom = WIDTH / 2 - MARGIN - 20, HEIGHT - 45
    left = MARGIN + place * (WIDTH / 2 - 5)
    most, top = max(tasks for _, tasks, _ in points), max(least, *(value for _, _, value in points))
    parts = [
        f'<text x="{left:.0f}" y="{TOP - 16}" fill="#333">{title}</text>',
        f'<line x1="{left:.0f}" y1="{bottom}" x2="{left + width:.0f}" y2="{bottom}" stroke="#999"/>',
        f'<text x="{left + width:.0f}" y="{HEIGHT - 8}" text-anchor="end" fill="#555">waiting tasks</text>',
    ]
    for value in (0.0, top / 2, top):
        y = bottom - (bottom - TOP) * value / top
        parts.append(f'<text x="{left - 6:.0f}" y="{y + 4:.0f}" text-anchor="end" fill="#555">{value:.0f}</text>')
        parts.append(f'<line x1="{left:.0f}" y1="{y:.0f}" x2="{left + width:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
    for tasks in sorted({tasks for _, tasks, _ in points}):
        x = left + width * tasks / most
        parts.append(f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{tasks:,}</text>')
    for index, name in enumerate(dict.fromkeys(name for name, _, _ in points)):
        curve = [
            (left + width * tasks / most, bottom - (bottom - TOP) * value / top)
            for each, tasks, value in points
            if each == name
        ]
        drawn = " ".join(f"{x:.0f},{y:.1f}" for x, y in curve)
        parts.append(f'<polyline fill="none" stroke="{COLORS[index]}" stroke-width="2" points="{drawn}"/>')
        parts += [f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3" fill="{COLORS[index]}"/>' for x, y in curve]
    return parts
