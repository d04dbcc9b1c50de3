# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The API reference is whole, and the diagrams can be drawn anywhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.operators.submitting import InstantOperator
from airflow_provider_mkt.tasks import parameters
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor
from tests.docs.blocks import ROOT
from tests.docs.test_links import public

PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
PARTS = {part.partition("\n")[0]: part for part in PAGE.split("\n### ")[1:]}
PICTURES = [ROOT / "docs" / name for name in ("launch.svg", "wait.svg", "webhook.svg")]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_parameter_and_every_method_is_in_it(vendor: Vendor) -> None:
    for name, cls in public(vendor.conn_type).items():
        part = PARTS[name]
        if issubclass(cls, MarketingHook):
            wanted = [each for each in vars(cls) if not each.startswith("_") and inspect.isfunction(vars(cls)[each])]
            assert [each for each in wanted if f"| `{each}(" not in part] == [], name
            continue
        own = set(inspect.signature(cls).parameters) - set(parameters.AirflowParameters.__annotations__)
        left_out = set(parameters.SensorParameters.__annotations__)
        if issubclass(cls, InstantOperator):
            left_out |= set(parameters.SubmittingParameters.__annotations__)  # taken, and without effect
        told = set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))
        assert own - left_out <= told, name


def test_nothing_of_the_code_s_own_marks_is_left() -> None:
    assert ":class:" not in PAGE
    assert ":param" not in PAGE
    assert "``" not in PAGE
    assert " at 0x" not in PAGE


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_load_nothing_and_say_what_they_show(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert re.findall(r"https?://[^\"<]+", text) == ["http://www.w3.org/2000/svg"]
    width = float(root.attrib["width"])
    assert all(0 <= float(each.attrib.get("x", 0)) <= width for each in root.iter())
