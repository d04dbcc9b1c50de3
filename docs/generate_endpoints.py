# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Writes ``endpoints.md``: every route that the package can call, read from the vendors' tables and the hooks' code.

Run it after a change in ``airflow_provider_mkt/vendors`` or ``hooks``: ``.venv/bin/python docs/generate_endpoints.py``.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "airflow_provider_mkt"
HEAD = """\
# Endpoints

Every route that the package can call. This page is generated from the code; do not edit it.

- *Safety* says what is repeated when nobody knows whether a request was executed. See
  [Errors and retries](errors-and-retries.md#safety-classes).
- *Budgets* are the rate limits that one call counts against. See
  [Rate limits and tokens](rate-limits-and-tokens.md).
- *Hook method* is how a DAG calls it. A dash: the package calls it by itself, for example for tokens.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for vendor in VENDORS:
        parts.append(f"\n## {vendor.name}\n\n{_limits(vendor)}\n")
        parts.append("\n| Route | Safety | Budgets | Hook method |\n| --- | --- | --- | --- |\n")
        callers = _callers(vendor)
        for name, endpoint in _endpoints(vendor):
            methods = ", ".join(f"`{method}`" for method in callers[name]) or "–"
            budgets = ", ".join(endpoint.budgets) or "none"
            host = "" if endpoint.base == "api" else f" ({endpoint.base} host)"
            safety = f"{endpoint.safety.name}, a 429 is final" if endpoint.final_429 else endpoint.safety.name
            parts.append(f"| `{endpoint.method} {endpoint.path}`{host} | {safety} | {budgets} | {methods} |\n")
    return "".join(parts)


def _limits(vendor: Vendor) -> str:
    limits = [f"{name} {limit.requests} in {limit.window:.0f} s" for name, limit in vendor.limits.items()]
    return f"Base URL `{vendor.base_url}`. Budgets: {', '.join(limits)}."


def _endpoints(vendor: Vendor) -> Iterator[tuple[str, Endpoint]]:
    module = import_module(f"airflow_provider_mkt.vendors.{vendor.conn_type}")
    for name, value in vars(module).items():
        if isinstance(value, Endpoint):
            yield name, value


def _callers(vendor: Vendor) -> Mapping[str, list[str]]:
    """Return, by endpoint name, the public hook methods that call the endpoint, by themselves or by way of another."""
    methods: dict[str, set[str]] = {}
    for path in sorted((PACKAGE / "hooks").glob(f"{vendor.conn_type}*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                functions = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                endpoints = {f".{name}" for name in _names(node, vendor.conn_type)}
                methods[node.name] = {*_names(node, "self"), *functions, *endpoints}
    # A connection test calls some route; that does not make its method a mere part of others.
    for name in ("auth", "check"):
        methods.pop(name, None)
    parts_of_others = {name for used in methods.values() for name in used & methods.keys()}
    found: dict[str, list[str]] = defaultdict(list)
    for name, used in methods.items():
        if name.startswith("_") or name in parts_of_others:
            continue
        for each in sorted(used.union(*(methods[part] for part in used & methods.keys()))):
            if each.startswith("."):
                found[each[1:]].append(name)
    return found


def _names(function: ast.FunctionDef, owner: str) -> Iterator[str]:
    """Yield the attributes of ``owner`` that a function uses."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner:
            yield node.attr


if __name__ == "__main__":
    (HERE / "endpoints.md").write_text(page(), encoding="utf-8")
