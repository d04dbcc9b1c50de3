# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Links lead somewhere, the pages are all reachable, and what they name exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.submitting import RecordingOperator
from airflow_provider_mkt.operators.waiting import WaitingOperator
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import VENDORS
from tests.docs.blocks import PAGES, ROOT, prose
from tests.parsing import parsed

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
PREFIXES = "|".join(vendor.hook.removesuffix("Hook") for vendor in VENDORS)
CLASS = re.compile(rf"\b(?:SqlTo)?(?:{PREFIXES})\w+(?:Operator|Sensor|Hook)\b")
OURS = re.compile(rf"(?:SqlTo)?(?:{PREFIXES})")
SHARED_PAGES = ("transfers", "webhooks")
"""Where parameters that several vendors' tasks have may be described, instead of on the vendor's page."""
SHARED = frozenset(
    {"multiple_outputs", "retry_policy"}.union(
        *(inspect.signature(cls.__init__).parameters for cls in (RecordingOperator, WaitingOperator))
    )
)
"""What all submitting operators have is described on the page about launching once."""
ROOMS = {
    "operators": MarketingOperator,
    "sensors": WatchSensor,
    "hooks": MarketingHook,
    "transfers": MarketingOperator,
}


def anchor(heading: str) -> str:
    """Return the anchor of a heading; GitHub and MkDocs agree on those that consist of plain words."""
    return re.sub(r"[ ]", "-", re.sub(r"[^\w\- ]", "", heading.lower())).strip("-")


@cache
def anchors(page: Path) -> frozenset[str]:
    return frozenset(anchor(heading) for heading in HEADING.findall(prose(page)))


def classes(conn_type: str) -> frozenset[str]:
    """Return the names of the public classes of a vendor: hook, operators, sensors, transfers."""
    return frozenset(public(conn_type))


@cache
def public(conn_type: str) -> dict[str, type]:
    """Return the public classes of a vendor by their names."""
    found: dict[str, type] = {}
    for room, base in ROOMS.items():
        try:
            module = importlib.import_module(f"airflow_provider_mkt.{room}.{conn_type}")
        except ModuleNotFoundError:
            continue
        found |= {
            name: value
            for name, value in vars(module).items()
            # By name first: in Python 3.10 an alias of a generic type passes for a type.
            if OURS.match(name)
            and isinstance(value, type)
            and issubclass(value, base)
            and value.__module__.startswith(module.__name__)
        }
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, name = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{target} leads nowhere"
        if ROOT / "docs" in page.parents:
            assert ROOT / "docs" in other.parents, f"{target} leads out of the site"
        assert not name or name in anchors(other), f"{target}: no such heading"


def test_the_readme_also_works_on_a_package_index() -> None:
    """Every link is absolute, and those into the repository lead to what is there."""
    found = re.findall(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    base = f"{found[0]}/blob/main/"
    targets = LINK.findall(prose(ROOT / "README.md"))
    assert len(targets) > 15
    for target in targets:
        assert target.startswith("https://"), f"{target} leads nowhere on a package index"
        if target.startswith(found[0]):
            path, _, name = target.removeprefix(base).partition("#")
            assert (ROOT / path).is_file(), f"{target} leads nowhere"
            assert not name or name in anchors(ROOT / path), f"{target}: no such heading"


def test_the_readme_begins_with_installing_connecting_and_a_dag() -> None:
    headings = re.findall(r"^## (.+)$", prose(ROOT / "README.md"), re.MULTILINE)
    assert headings[:4] == ["Install", "A connection", "A DAG", "The demo"]
    install = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Install")[2].partition("## A con")[0]
    assert "--constraint" in install


def test_every_page_is_in_the_navigation() -> None:
    # The theme's own tags are no concern here.
    config = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    shown = [page for part in config["nav"] for page in _leaves(part)]
    # docs/navigation.py adds these.
    shown += [vendor.page for vendor in VENDORS]
    assert sorted(shown) == sorted(str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md"))


def _leaves(part: object) -> list[str]:
    if isinstance(part, dict):
        return [leaf for value in part.values() for leaf in _leaves(value)]
    if isinstance(part, list):
        return [leaf for value in part for leaf in _leaves(value)]
    return [str(part)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_classes_exist(page: Path) -> None:
    known = frozenset().union(*(classes(vendor.conn_type) for vendor in VENDORS))
    assert set(CLASS.findall(page.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_class_is_on_its_vendors_page(vendor: object) -> None:
    conn_type = vendor.conn_type  # type: ignore[attr-defined]
    page = (ROOT / "docs" / f"{conn_type.replace('_', '-')}.md").read_text(encoding="utf-8")
    assert {name for name in classes(conn_type) if f"`{name}`" not in page} == set()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in classes(conn_type) if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_parameter_is_described(vendor: object) -> None:
    conn_type = vendor.conn_type  # type: ignore[attr-defined]
    pages = [ROOT / "docs" / f"{name}.md" for name in (conn_type.replace("_", "-"), *SHARED_PAGES)]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    missing = set()
    for name, cls in public(conn_type).items():
        if not issubclass(cls, MarketingHook):
            text = "\n".join(each for each in texts if f"`{name}`" in each)
            named = [p for p in inspect.signature(cls.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
            missing |= {f"{name}.{p.name}" for p in named if p.name not in SHARED and f"`{p.name}`" not in text}
    assert missing == set()


def test_every_shared_parameter_is_described() -> None:
    page = (ROOT / "docs" / "launching-once.md").read_text(encoding="utf-8")
    assert {name for name in SHARED - {"self", "kwargs", "multiple_outputs"} if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_field_of_a_connection_is_described(vendor: object) -> None:
    page = (ROOT / "docs" / "connections.md").read_text(encoding="utf-8")
    assert {name for name in vendor.all_extras if f"`{name}`" not in page} == set()  # type: ignore[attr-defined]
    assert vendor.base_url in page  # type: ignore[attr-defined]


def test_every_error_is_described() -> None:
    from airflow_provider_mkt import exceptions

    page = (ROOT / "docs" / "errors-and-retries.md").read_text(encoding="utf-8")
    family = [
        each.__name__
        for each in vars(exceptions).values()
        if isinstance(each, type) and issubclass(each, exceptions.ApiError)
    ]
    assert {name for name in family if f"`{name}`" not in page} == set()


def test_every_switch_is_described() -> None:
    from airflow_provider_mkt.sandbox.engine.faults import KINDS
    from airflow_provider_mkt.sandbox.vendors.registry import VENDORS as SIMULATED

    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    switches = {f"{vendor.name}.{name}" for vendor in SIMULATED for name in vendor.switches}
    assert {name for name in switches if f"`{name}`" not in page} == set()
    assert {name for name in KINDS if f"`{name}`" not in page} == set()


@cache
def said_by_the_package() -> str:
    """Return all text that the package may show, one constant after the other."""
    found = []
    for path in sorted((ROOT / "airflow_provider_mkt").rglob("*.py")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\{\w*\}|%[sd]|%\.\d+f", "…", node.value))
    return "\n".join(found)


def test_alarms_are_what_the_package_says() -> None:
    """Headings in quotes on the page for people on call are messages: every piece between dots stands in the code."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^### \"(.+)\"$", page, re.MULTILINE)
    assert len(quoted) >= 10
    said = said_by_the_package()
    for message in quoted:
        for piece in message.split("…"):
            assert piece.strip() in said, f"nothing says {piece.strip()!r}"


def test_tests_that_are_named_exist() -> None:
    """The page about launching once names a test for each attack."""
    page = (ROOT / "docs" / "launching-once.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) >= 10
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
