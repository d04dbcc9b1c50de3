# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Writes what the documentation says of each vendor: pages of endpoints and classes, and tables in other pages.

Run it after a change in ``airflow_provider_mkt/vendors``, and after one that adds a method, an operator or a sensor:
``.venv/bin/python docs/generate.py``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import COMMON_EXTRAS, Extra, Vendor

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = ROOT / "airflow_provider_mkt"
REPOSITORY = re.findall(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[
    0
]
"""README.md is also shown by package indexes, where relative links lead nowhere."""
BEGIN, END = "<!-- generated: {name} -->", "<!-- end -->"
HEAD = """\
# Endpoints

Every route that the package can call. This page is generated from the code; do not edit it.

- *Safety* says what is repeated when it is unknown whether a request was executed. See
  [Errors and retries](errors-and-retries.md#safety-classes).
- *Budgets* are the rate limits that one call counts against. See
  [Rate limits and tokens](rate-limits-and-tokens.md).
- *Hook method* is how a DAG calls it. A dash: the package calls it by itself, for example for tokens.
"""


def endpoints_page() -> str:
    """Return the text of the page of endpoints."""
    parts = [HEAD]
    for vendor in VENDORS:
        parts.append(f"\n## {vendor.name}\n\n{_limits(vendor)}\n")
        callers = _callers(vendor)
        rows = []
        for name, endpoint in _endpoints(vendor):
            methods = ", ".join(f"`{method}`" for method in callers[name]) or "–"
            budgets = ", ".join(endpoint.budgets) or "none"
            host = "" if endpoint.base == "api" else f" ({endpoint.base} host)"
            safety = f"{endpoint.safety.name}, a 429 is final" if endpoint.final_429 else endpoint.safety.name
            rows.append((f"`{endpoint.method} {endpoint.path}`{host}", safety, budgets, methods))
        parts.append("\n" + _table(("Route", "Safety", "Budgets", "Hook method"), rows))
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
    hooks = PACKAGE / "hooks"
    for path in sorted([*hooks.glob(f"{vendor.conn_type}.py"), *hooks.glob(f"{vendor.conn_type}/*.py")]):
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


def vendors_table(folder: str) -> str:
    """Return what there is for each vendor, linked to its page in ``folder``."""
    rows = []
    for vendor in VENDORS:
        found = {room: _classes(vendor, room) for room in ("operators", "transfers", "sensors")}
        rows.append(
            (
                f"[{vendor.name}]({folder}{vendor.page}): {vendor.summary}",
                f"`{vendor.hook}`",
                _names_of([*found["operators"], *found["transfers"]]),
                _names_of(found["sensors"]),
            )
        )
    return _table(("Vendor", "Hook", "Operators", "Sensors"), rows)


def types_table() -> str:
    """Return the connection types."""
    rows = [
        (
            f"`{vendor.conn_type}`",
            f"`{vendor.default_conn_id}`",
            f"{vendor.login}{', required' if vendor.login_required else ''}" if vendor.login else "–",
            vendor.password,
            f"`{vendor.base_url}`",
        )
        for vendor in VENDORS
    ]
    return _table(("Type", "Default id", "Login", "Password", "Base URL when the host is empty"), rows)


def common_extras_table() -> str:
    """Return the extras that all types have."""
    return _table(("Key", "Kind", "Default", "Meaning"), [_extra(*item) for item in COMMON_EXTRAS.items()])


def extras_table() -> str:
    """Return the extras of single types."""
    rows = [(f"`{vendor.conn_type}`", *_extra(*item)) for vendor in VENDORS for item in vendor.extras.items()]
    return _table(("Type", "Key", "Kind", "Default", "Meaning"), rows)


def checks_table() -> str:
    """Return what the "Test" button does, in the words of the hooks."""
    rows = []
    for vendor in VENDORS:
        hook = getattr(import_module(f"{vendor.package}.hooks.{vendor.conn_type}"), vendor.hook)
        rows.append((f"`{vendor.conn_type}`", (inspect.getdoc(hook.check) or "").partition("\n\n")[0].rstrip(".")))
    return _table(("Type", "What it does"), rows)


def pages() -> dict[Path, str]:
    """Return the text that each page should have."""
    readme, connections = ROOT / "README.md", HERE / "connections.md"
    return {
        **run_path(str(HERE / "reference.py"))["pages"](),
        **run_path(str(HERE / "diagrams.py"))["pages"](),
        HERE / "endpoints.md": endpoints_page(),
        readme: _filled(
            readme, {"vendors": vendors_table(f"{REPOSITORY}/blob/main/docs/"), "connection types": types_table()}
        ),
        connections: _filled(
            connections,
            {
                "connection types": types_table(),
                "common extras": common_extras_table(),
                "extras": extras_table(),
                "checks": checks_table(),
            },
        ),
        HERE / "index.md": _filled(HERE / "index.md", {"vendors": vendors_table("")}),
    }


def _filled(page: Path, tables: Mapping[str, str]) -> str:
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin = BEGIN.format(name=name)
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
        text, found = pattern.subn(lambda _, new=f"{begin}\n\n{table}\n{END}": new, text)
        if found != 1:
            raise ValueError(f"{page}: {begin} … {END} is there {found} times")
    return text


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _extra(name: str, extra: Extra) -> tuple[str, ...]:
    kind = ", ".join(f"`{choice}`" for choice in extra.choices or ()) or ("secret" if extra.secret else extra.kind)
    default = "–" if extra.default is None else f"`{extra.default}`"
    needed = "required: " if extra.required else ""
    return f"`{name}`", kind.replace("string", "text"), default, f"{needed}{extra.description}"


def _classes(vendor: Vendor, room: str) -> list[str]:
    """Return the operators and sensors that users import from a room, in the order in which it has them."""
    path = f"{vendor.package}.{room}.{vendor.conn_type}"
    if find_spec(path) is None:
        return []
    module: Any = import_module(path)
    return [
        name
        for name in getattr(module, "__all__", vars(module))
        if name.endswith(("Operator", "Sensor")) and getattr(module, name).__module__.startswith(path)
    ]


def _names_of(classes: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in classes) or "–"


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
