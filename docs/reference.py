# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Writes the API reference from signatures and docstrings. ``docs/generate.py`` calls it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_provider_mkt.tasks import parameters
from airflow_provider_mkt.vendors import VENDORS

HERE = Path(__file__).resolve().parent
AIRFLOWS = frozenset(parameters.AirflowParameters.__annotations__)
PARAM = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)
RETURNS = re.compile(r"^Returns? .*", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r":\w+:`[.~]?([^`]+)`")
HEAD = """\
# API reference

Generated from the docstrings of the code; do not edit it. All parameters are given by name. Tasks also take those of
Airflow's `BaseOperator`, such as `task_id`, `retries` and `pool`.
"""
SHARED = (
    ("airflow_provider_mkt.operators", "PreflightOperator"),
    ("airflow_provider_mkt.task_groups", "launch"),
    ("airflow_provider_mkt.decorators", "mkt_post"),
    ("airflow_provider_mkt.decorators", "mkt_campaign"),
    ("airflow_provider_mkt.decorators", "mkt_subscribers"),
    ("airflow_provider_mkt.notifications", "LaunchNotifier"),
    ("airflow_provider_mkt.webhooks.assets", "webhook_asset"),
    ("airflow_provider_mkt.testing.review", "assert_launch_safe"),
    ("airflow_provider_mkt.testing.review", "launch_warnings"),
)
"""What belongs to no single vendor: module and name."""


def pages() -> dict[Path, str]:
    """Return the text that the page should have."""
    parts = [HEAD]
    for vendor in VENDORS:
        parts.append(f"\n## {vendor.name}\n")
        for room in ("operators", "sensors", "transfers"):
            module = f"{vendor.package}.{room}.{vendor.conn_type}"
            parts += [_task(module, getattr(import_module(module), name)) for name in _names(module)]
        module = f"{vendor.package}.hooks.{vendor.conn_type}"
        parts.append(_hook(module, getattr(import_module(module), vendor.hook)))
    parts.append("\n## For all vendors\n")
    parts += [_task(module, getattr(import_module(module), name)) for module, name in SHARED]
    return {HERE / "reference.md": "".join(parts)}


def _names(module: str) -> list[str]:
    """Return the operators and sensors that users import from a module."""
    if find_spec(module) is None:
        return []
    found: Any = import_module(module)
    return [
        name
        for name in getattr(found, "__all__", vars(found))
        if name.endswith(("Operator", "Sensor")) and getattr(found, name).__module__.startswith(module)
    ]


def _task(module: str, documented: Any) -> str:
    """Return the part about a class or a function with its parameters."""
    told = _described(documented)
    rows = [
        (f"`{name}`", _default(each), told.get(name, ""))
        for name, each in inspect.signature(documented).parameters.items()
        if name not in AIRFLOWS and each.kind is not each.VAR_KEYWORD and name in told
    ]
    intro = _plain(_text(documented).partition("\n:param")[0])
    table = _table(("Parameter", "Default", "Meaning"), rows)
    return f"\n### {documented.__name__}\n\n`from {module} import {documented.__name__}`\n\n{intro}\n\n{table}"


def _hook(module: str, hook: Any) -> str:
    """Return the part about a hook with its methods."""
    methods = [
        (name, value)
        for each in (hook, *hook.__mro__)
        if each.__module__.startswith(module)
        for name, value in vars(each).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]
    rows = [(f"`{name}{_arguments(value)}`", _first(value)) for name, value in dict(methods).items()]
    table = _table(("Method", "What it does"), rows)
    return f"\n### {hook.__name__}\n\n`from {module} import {hook.__name__}`\n\n{_first(hook)}\n\n{table}"


def _described(documented: Any) -> dict[str, str]:
    """Return what docstrings say of parameters; a class's own words come before those of its bases."""
    found: dict[str, str] = {}
    for each in getattr(documented, "__mro__", (documented,)):
        if each.__module__.startswith("airflow_provider_mkt"):
            for name, text in PARAM.findall(_text(each)):
                found.setdefault(name, _plain(text))
    return found


def _text(documented: Any) -> str:
    return inspect.cleandoc(documented.__doc__ or "")


def _first(documented: Any) -> str:
    return _plain(_text(documented).partition("\n\n")[0].partition("\n:")[0])


def _plain(text: str) -> str:
    """Return a docstring's text as Markdown: paragraphs on one line each."""
    text = ROLE.sub(r"`\1`", text.replace("``", "`"))
    paragraphs = [" ".join(each.split()) for each in text.split("\n\n") if not each.startswith(("- ", ":"))]
    lists = [each.strip() for each in text.split("\n\n") if each.startswith("- ")]
    return "\n\n".join([*paragraphs, *lists]).strip()


def _arguments(method: Callable[..., Any]) -> str:
    return f"({', '.join(_named(inspect.signature(method).parameters.values()))})"


def _named(found: Any) -> Iterator[str]:
    for each in found:
        if each.name != "self":
            stars = {each.VAR_KEYWORD: "**", each.VAR_POSITIONAL: "*"}.get(each.kind, "")
            yield f"{stars}{each.name}" if each.default is each.empty else f"{each.name}={each.default!r}"


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return "required"
    if callable(parameter.default) or type(parameter.default).__repr__ is object.__repr__:
        return "–"
    shown = repr(parameter.default)
    return f"`{shown}`" if " at 0x" not in shown and len(shown) < 60 else "–"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
