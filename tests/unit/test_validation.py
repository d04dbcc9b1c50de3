# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Checks that several vendors share: what templates render to, and slips of the pen."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError

KNOWN = ("published", "completed", "paused")


@pytest.mark.parametrize(
    ("given", "read"), [(True, True), (False, False), ("True", True), ("false", False), (" TRUE ", True)]
)
def test_flags(*, given: Any, read: bool) -> None:
    assert validation.flag("dry_run", given) is read


@pytest.mark.parametrize("given", [None, "", "None", "yes", "0", 0, 1, [], ["true"], {"true": True}])
def test_neither_true_nor_false(given: Any) -> None:
    with pytest.raises(ValidationError, match=r"^dry_run must be true or false, got "):
        validation.flag("dry_run", given)


@pytest.mark.parametrize("given", ["None", " None "])
def test_what_a_template_shows_for_nothing_is_no_text(given: str) -> None:
    with pytest.raises(ValidationError, match=r"^name must be non-empty text, got .* a template had nothing to show"):
        validation.text("name", given)
    for values in (given, ["a", given]):
        with pytest.raises(ValidationError, match="a template had nothing to show"):
            validation.ids("name", values)


@pytest.mark.parametrize("given", ["Nonesuch", "none", "no-one", "0", 7])
def test_what_only_looks_like_it_passes(given: Any) -> None:
    assert validation.text("name", given) == str(given)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    ("given", "read"), [("paused", ["paused"]), (("paused", "completed"), ["paused", "completed"])]
)
def test_known_statuses(*, given: Any, read: list[str], closed: bool) -> None:
    assert validation.statuses("targets", given, KNOWN, closed=closed) == read


def test_unknown_statuses_pass_where_the_vendor_publishes_no_list() -> None:
    assert validation.statuses("targets", ["under_review", "live"], KNOWN, closed=False) == ["under_review", "live"]
    with pytest.raises(ValidationError, match="must be one of published, completed, paused"):
        validation.statuses("targets", ["under_review"], KNOWN, closed=True)


@pytest.mark.parametrize("given", ["publishd", "Published", "PAUSED", "complete"])
def test_slips_of_the_pen(given: str) -> None:
    with pytest.raises(ValidationError, match="is probably meant"):
        validation.statuses("targets", ["paused", given], KNOWN, closed=False)
