# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow is told about the provider, seen from Airflow's side."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseHook, Connection

from airflow_provider_mkt import __version__
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.provider_info import get_provider_info
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor

INFO = get_provider_info()
TYPES = {each["connection-type"]: each for each in INFO["connection-types"]}
VENDOR_OF = {vendor.conn_type: vendor for vendor in VENDORS}


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_the_schema_accepts_it() -> None:
    """A dict that breaks it stops Airflow's command line at its start."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    jsonschema.validate(json.loads(json.dumps(INFO)), schema)


def _modules() -> Iterator[str]:
    for room in ("hooks", "operators", "sensors", "triggers", "transfers"):
        for entry in INFO.get(room, []):
            yield from entry.get("python-modules") or [entry["python-module"]]


@pytest.mark.parametrize("module", list(_modules()))
def test_modules_exist(module: str) -> None:
    importlib.import_module(module)


def test_no_module_of_a_vendor_is_forgotten() -> None:
    package = Path(str(importlib.import_module("airflow_provider_mkt").__file__)).parent
    for room in ("hooks", "operators", "sensors", "transfers"):
        written = {entry.stem for entry in (package / room).iterdir() if entry.stem in VENDOR_OF}
        told = {name.rpartition(".")[2] for name in _modules() if f".{room}." in name}
        assert told == written, room


def test_paths_lead_somewhere() -> None:
    paths = [*INFO.get("cli", []), *INFO.get("extra-links", []), *INFO.get("notifications", [])]
    paths += [each["hook-class-name"] for each in INFO["connection-types"]]
    paths += [each["plugin-class"] for each in INFO.get("plugins", [])]
    assert all(callable(found(path)) for path in paths)


def test_guides_exist() -> None:
    root = Path(__file__).parents[2]
    guides = [guide for each in INFO["integrations"] for guide in each["how-to-guide"]]
    guides += [each["how-to-guide"] for each in INFO["transfers"]]
    assert len(INFO["integrations"]) == len(VENDORS)
    assert [guide for guide in guides if not (root / guide.lstrip("/")).is_file()] == []


def test_what_airflow_is_told_of_beside_operators() -> None:
    assert all(INFO[key] for key in ("triggers", "notifications", "task-decorators", "transfers", "extra-links"))


def test_integrations_are_those_that_are_used() -> None:
    known = {each["integration-name"] for each in INFO["integrations"]}
    used = {entry["integration-name"] for room in ("hooks", "operators", "sensors") for entry in INFO.get(room, [])}
    assert used == known


@pytest.mark.parametrize("conn_type", TYPES)
def test_a_hook_and_its_connection_type_agree(conn_type: str) -> None:
    told, hook = TYPES[conn_type], found(TYPES[conn_type]["hook-class-name"])
    assert issubclass(hook, BaseHook)
    assert (hook.conn_type, hook.hook_name) == (conn_type, told["hook-name"])
    assert hook.conn_name_attr == f"{conn_type}_conn_id"
    assert hook.default_conn_name == f"{conn_type}_default"
    assert hook.vendor is VENDOR_OF[conn_type]
    assert hook(**{hook.conn_name_attr: "other"}).conn_id == "other"
    assert callable(hook.test_connection)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_the_form_offers_what_is_accepted(vendor: Vendor) -> None:
    """Every field of the form is a known extra, with the form's own default a valid value for it."""
    told = TYPES[vendor.conn_type]
    fields = told["conn-fields"]
    assert set(fields) == set(vendor.all_extras)
    defaults = {name: each["schema"].get("default") for name, each in fields.items()}
    empty = dict.fromkeys(fields, "")
    for extra in (defaults, dict.fromkeys(fields), empty):
        connection = Connection(
            conn_id="c", conn_type=vendor.conn_type, login="someone", password="secret", extra=json.dumps(extra)
        )
        account = account_of(vendor, connection)
        assert set(account.extras) == set(fields)
    for name, field in fields.items():
        schema = field["schema"]
        assert (schema.get("format") == "password") is vendor.all_extras[name].secret
        assert ("null" in schema["type"]) is not vendor.all_extras[name].required
        if "default" in schema:
            jsonschema.validate(schema["default"], schema)
    behaviour = told["ui-field-behaviour"]
    assert ("login" in behaviour["hidden-fields"]) is (vendor.login is None)
    assert behaviour["placeholders"]["host"] == vendor.base_url
    assert not set(behaviour["hidden-fields"]) & set(behaviour["relabeling"])


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_the_form_says_what_is_needed_first_and_what_each_field_is_for(vendor: Vendor) -> None:
    fields = TYPES[vendor.conn_type]["conn-fields"]
    required = [isinstance(each["schema"]["type"], str) for each in fields.values()]
    assert required == sorted(required, reverse=True)
    for name, field in fields.items():
        told = field["description"]
        assert told[0].isupper(), name
        assert told.endswith("."), name
        assert "`" not in told, name
    numbers = [name for name, extra in vendor.all_extras.items() if extra.numeric]
    for name in numbers:
        schema = fields[name]["schema"]
        for value, accepted in ((schema["maximum"], True), (schema["maximum"] + 1, False), (-1, False)):
            extra = json.dumps({name: value})
            connection = Connection(conn_id="c", conn_type=vendor.conn_type, login="a", password="b", extra=extra)
            if accepted:
                assert account_of(vendor, connection).extras[name] == value
                continue
            with pytest.raises(ValidationError, match=name):
                account_of(vendor, connection)


def test_what_is_needed_is_marked() -> None:
    marked = {
        (conn_type, name)
        for conn_type, told in TYPES.items()
        for name, field in told["conn-fields"].items()
        if field["schema"]["type"] == "string"
    }
    assert marked == {("flow_living", "request_type")}


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_no_form_has_a_field_that_nothing_reads(vendor: Vendor) -> None:
    """An extra is read where its name stands, other than where it is declared."""
    package = Path(str(importlib.import_module("airflow_provider_mkt").__file__)).parent
    texts = [path.read_text() for path in package.rglob("*.py") if path.parent.name not in ("vendors", "sandbox")]
    unread = [name for name in vendor.all_extras if not any(f'"{name}"' in text for text in texts)]
    assert unread == []


def test_the_pages_of_airflow_read_it() -> None:
    """What the API server answers when the form is opened."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (form,) = [each for each in HookMetaService.hook_meta_data() if each.connection_type == "flow_living"]
    assert form.extra_fields is not None
    first = next(iter(form.extra_fields))
    assert first == "request_type"
    assert form.extra_fields["budget_share"]["schema"]["maximum"] == 1.0
    assert form.extra_fields["request_type"]["description"].startswith("RequestType of the token call")


def test_secrets_are_hidden_in_every_form() -> None:
    words = ("secret", "token", "password", "key")
    for each in TYPES.values():
        for name, field in each["conn-fields"].items():
            if any(word in name for word in words):
                assert field["schema"].get("format") == "password", name


def test_the_entry_point() -> None:
    entries = importlib.metadata.entry_points(group="apache_airflow_provider")
    mine = [entry for entry in entries if entry.value.startswith("airflow_provider_mkt.")]
    assert len(mine) == 1
    assert mine[0].load()() == INFO
    assert mine[0].dist is not None
    assert (mine[0].dist.name, mine[0].dist.version) == (INFO["package-name"], __version__)


def test_airflow_knows_the_provider() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["airflow-provider-mkt"].version == __version__
    with warnings.catch_warnings():
        # The successor that the warning names is for workers; the connection pages still read these.
        warnings.simplefilter("ignore")
        hooks = manager.hooks
    for conn_type, told in TYPES.items():
        hook = hooks[conn_type]
        assert hook is not None
        assert hook.hook_class_name == told["hook-class-name"]
        assert hook.connection_type == conn_type
        assert hook.hook_name == told["hook-name"]


def test_airflow_knows_the_command() -> None:
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    arguments = parser.parse_args(["mkt", "sandbox", "--port", "8095", "--speed", "60"])
    assert (arguments.port, arguments.speed) == (8095, 60.0)
    assert callable(arguments.func)


def loaded_by(statement: str) -> set[str]:
    """Return what a new interpreter has loaded after ``statement``, over a bare one."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_telling_is_cheap() -> None:
    """It happens at every start of every part of Airflow."""
    loaded = loaded_by("from airflow_provider_mkt.provider_info import get_provider_info; get_provider_info()")
    heavy = {
        "airflow",
        "requests",
        "urllib3",
        "tenacity",
        "sqlalchemy",
        "fastapi",
        "yaml",
        "pydantic",
        "ssl",
        "asyncio",
    }
    assert not loaded & heavy


@pytest.mark.slow
def test_reading_a_dag_loads_no_http_client() -> None:
    """Operators and sensors import it at their first request."""
    modules = ", ".join(name for name in _modules() if ".operators." in name or ".sensors." in name)
    over = loaded_by(f"import airflow.sdk, {modules}") - loaded_by("import airflow.sdk")
    roots = {name.partition(".")[0] for name in over}
    assert not roots & {"requests", "urllib3", "fastapi", "uvicorn", "sqlalchemy", "cryptography", "pandas"}
    assert not any(name.startswith(("airflow_provider_mkt.sandbox", "airflow_provider_mkt.state")) for name in over)
