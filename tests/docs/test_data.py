# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every YAML, CSV, JSON and INI block of the documentation is accepted by what reads such files."""

from __future__ import annotations

import configparser
import csv
import io
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import Connection

from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.planning.calendar import read_calendar
from airflow_provider_mkt.provider_info import CONFIG
from airflow_provider_mkt.vendors import VENDORS
from tests.docs.blocks import LANGUAGES, ROOT, Block, blocks

LAUNCH = datetime(2026, 6, 1, 8, tzinfo=timezone.utc)
BY_TYPE = {vendor.conn_type: vendor for vendor in VENDORS}


def check_connection(conn_id: str, fields: dict[str, Any]) -> None:
    """Have a connection checked as its hook would."""
    extra = fields.get("extra")
    fields = {**fields, "extra": json.dumps(extra) if isinstance(extra, dict) else extra}
    account_of(BY_TYPE[fields["conn_type"]], Connection(conn_id=conn_id, **fields))


def test_every_block_says_what_it_is() -> None:
    assert [block.place for block in blocks() if block.language not in LANGUAGES] == []


def check_helm_values(values: dict[str, Any]) -> None:
    """Every setting is one of Airflow or of this package, and only the migration is given the owner's URL."""
    from airflow.configuration import conf

    ours = {"mkt": CONFIG["mkt"]["options"]}
    for section, options in values["config"].items():
        if section != "celery_broker_transport_options":  # the Celery provider's, and not installed here
            known = ours.get(section) or conf.configuration_description[section]["options"]
            assert set(options) <= set(known), section
    assert [row["envName"] for row in values["secret"]] == ["AIRFLOW__MKT__STATE_URL"]
    assert values["migrateDatabaseJob"]["args"][-1].endswith("exec airflow db migrate")


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.place)
def test_yaml(block: Block, tmp_path: Path) -> None:
    content = yaml.safe_load(block.text)
    if "executor" in content:
        check_helm_values(content)
        return
    if "campaign" not in content:
        compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
        assert content["services"].keys() <= compose["services"].keys(), "neither a brief nor a part of docker-compose"
        return
    (tmp_path / content["audience"]["file"]).write_text("email\n", encoding="utf-8")
    (tmp_path / "brief.yaml").write_text(block.text, encoding="utf-8")
    brief = read_brief(tmp_path / "brief.yaml", LAUNCH)
    assert brief.listings
    assert brief.posts


@pytest.mark.parametrize("block", blocks("csv"), ids=lambda block: block.place)
def test_csv(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(block.text, encoding="utf-8")
    lines = len(list(csv.reader(io.StringIO(block.text)))) - 1
    found: list[Any] = read_calendar(path, LAUNCH) if block.text.startswith("at,") else list(read_audience(str(path)))
    assert len(found) == lines > 0


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.place)
def test_json(block: Block) -> None:
    content = json.loads(block.text)
    many = {"example": content} if "conn_type" in content else content
    connections = {name: fields for name, fields in many.items() if isinstance(fields, dict) and "conn_type" in fields}
    for conn_id, fields in connections.items():
        check_connection(conn_id, fields)
    assert connections or block.place.startswith("docs/launching-once.md"), "no connection in it"


@pytest.mark.parametrize("block", blocks("ini"), ids=lambda block: block.place)
def test_ini(block: Block) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    assert parser.sections()
