# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is in the wheel, and what it says of itself."""

from __future__ import annotations

import zipfile
from email import message_from_bytes
from email.message import Message

import pytest

from tests.wheels import ROOT, built

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(built(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


def test_it_has_the_example_dags(wheel: zipfile.ZipFile) -> None:
    """The same files as in the folder, at the place where Airflow looks for those of a provider."""
    for path in (ROOT / "dags").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            name = f"airflow_provider_mkt/example_dags/{path.relative_to(ROOT / 'dags').as_posix()}"
            assert wheel.read(name) == path.read_bytes()


def test_it_has_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"airflow_provider_mkt"}
    assert "airflow_provider_mkt/py.typed" in wheel.namelist()
    assert not [name for name in wheel.namelist() if name.endswith(".pyc")]


def test_it_says_where_it_comes_from(metadata: Message) -> None:
    labels = {str(url).partition(",")[0] for url in metadata.get_all("Project-URL", [])}
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= labels


def test_an_index_shows_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    shown = metadata.get_payload()
    assert isinstance(shown, str)
    assert shown.strip().startswith("# airflow-provider-mkt")
    assert "](docs/" not in shown
