# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The page at ``/``: vendors, faults and ledger of a running sandbox, kept up to date by the browser.

It loads nothing from elsewhere. What clients and tests have sent is escaped, and only the page's own script may run.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_provider_mkt.sandbox.simulation import Simulation

MAX_ROWS = 50
"""Latest entries of the ledger that are shown."""
MAX_TEXT = 120
"""Characters of one cell."""

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { width: 100%; border-collapse: collapse; margin: 0 0 2rem; }
caption { text-align: left; font-weight: 600; font-size: 1.15rem; padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid #8884; }
td { overflow-wrap: anywhere; }
th { font-weight: 500; opacity: .7; white-space: nowrap; }
.wide { overflow-x: auto; }
"""
SCRIPT = """
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname, {cache: "no-store"});
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const shown = document.querySelector("main");
    if (fresh.innerHTML !== shown.innerHTML) shown.replaceWith(fresh);
    document.title = "Sandbox";
  } catch {
    document.title = "Sandbox (stopped)";
  }
}, 2000);
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """The page."""
    simulation: Simulation = request.app.state.simulation
    nonce = secrets.token_urlsafe(16)
    policy = f"style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
    headers = {
        "Content-Security-Policy": f"default-src 'none'; {policy}; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(_document(simulation, nonce), headers=headers)


def _document(simulation: Simulation, nonce: str) -> str:
    world = simulation.world
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox</title><style nonce="{nonce}">{STYLE}</style></head>
<body><h1>Marketing vendors, simulated</h1>
<p>Nothing here is real: no money is spent and no person is written to. Vendor time runs {world.clock.speed:g} times as
fast as real time. The control API is below <code>/__sandbox__/</code>.</p>
<main>
{_table("Vendors", ("Vendor", "Address", "Connection", "Requests", "Effects"), _vendors(simulation))}
{_table("Faults", ("Number", "Route", "Kind", "Still hits", "Has hit"), _faults(world.faults.describe()))}
{_table("Ledger: what really happened", ("When", "Vendor", "Effect", "Reference", "Ids"), _ledger(simulation))}
</main>
<script nonce="{nonce}">{SCRIPT}</script></body></html>
"""


def _vendors(simulation: Simulation) -> Iterable[Sequence[Any]]:
    world = simulation.world
    requests = Counter(entry["vendor"] for entry in world.request_log.entries())
    effects = Counter(entry["vendor"] for entry in world.ledger.entries())
    for name, vendor in simulation.vendors.items():
        yield name, ", ".join(vendor.prefixes), f"{name}_default", requests[name], effects[name]


def _faults(rules: Iterable[dict[str, Any]]) -> Iterable[Sequence[Any]]:
    for rule in rules:
        left = "every request" if rule["count"] is None else rule["count"]
        yield rule["id"], rule["route"], rule["kind"], left, rule["hits"]


def _ledger(simulation: Simulation) -> Iterable[Sequence[Any]]:
    for entry in islice(reversed(simulation.world.ledger.entries()), MAX_ROWS):
        yield entry["at"], entry["vendor"], entry["effect"], entry["reference"], ", ".join(entry["ids"])


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "\n".join(f"<tr>{''.join(f'<td>{_shown(cell)}</td>' for cell in row)}</tr>" for row in rows)
    body = body or f'<tr><td colspan="{len(names)}">None.</td></tr>'
    table = f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _shown(cell: Any) -> str:
    text = str(cell)
    return escape(text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…")
