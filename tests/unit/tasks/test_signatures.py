# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What editors, type checkers and notebooks know of an operator's parameters.

Invariant: what a class takes, what ``inspect`` shows and what a type checker knows are the same.

| What drifts | What shows it |
| --- | --- |
| a base takes a new parameter | it is missing from ``tasks.parameters`` |
| a new Airflow takes a new parameter | the same |
| a parameter is removed | ``tasks.parameters`` still names it |
| a class that users call forgets to say what it takes | its ``**kwargs`` are ``Any`` |
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_mkt import decorators
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.operators.preflight import PreflightOperator
from airflow_provider_mkt.operators.submitting import InstantOperator, SubmittingOperator
from airflow_provider_mkt.tasks import parameters
from airflow_provider_mkt.tasks.signatures import signature_of
from airflow_provider_mkt.vendors import VENDORS
from tests.vendors import task_classes

CLASSES = [cls for vendor in VENDORS for cls in task_classes(vendor).values()] + [PreflightOperator]
SHARED = {
    "wait_for_completion",
    "deferrable",
    "poll_interval",
    "wait_timeout",
    "resubmit",
    "cancel_on_kill",
    "on_timeout",
}


def source_of(function: Any) -> tuple[Any, dict[str, inspect.Parameter]]:
    """Return what ``**kwargs`` are declared as, and the parameters beside them."""
    own = inspect.signature(function).parameters
    return own["kwargs"].annotation, {name: each for name, each in own.items() if name not in ("self", "kwargs")}


def known_to_checkers(function: Any) -> set[str]:
    """Return the parameters that a type checker knows: those written out, and the keys of the TypedDict."""
    annotation, own = source_of(function)
    name = annotation.removeprefix("Unpack[").removesuffix("]")
    typed = getattr(parameters, name, None) or declared_beside(name)
    return {*own, *typed.__annotations__}


def declared_beside(name: str) -> Any:
    """Return a TypedDict that a vendor's module declares for type checkers only."""
    import ast

    import airflow_provider_mkt

    for path in Path(airflow_provider_mkt.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if f"class {name}(" in text:
            (found,) = [e for e in ast.walk(ast.parse(text)) if isinstance(e, ast.ClassDef) and e.name == name]
            (base,) = [getattr(parameters, each.id) for each in found.bases if isinstance(each, ast.Name)]
            keys = {each.target.id for each in found.body if isinstance(each, ast.AnnAssign)}  # type: ignore[union-attr]
            return type(name, (), {"__annotations__": {**base.__annotations__, **dict.fromkeys(keys, Any)}})
    raise AssertionError(name)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_checkers_know_all_that_it_takes_and_no_more(cls: Any) -> None:
    assert known_to_checkers(cls.__init__) == set(inspect.signature(cls).parameters)


@pytest.mark.parametrize(
    ("decorator", "operator", "returned"),
    [
        (decorators.mkt_post, FlowSocialSchedulePostOperator, {"content"}),
        (decorators.mkt_campaign, FlowLivingPublishCampaignOperator, set()),
        (decorators.mkt_subscribers, FlodeskUpsertSubscribersOperator, {"subscribers", "path"}),
    ],
)
def test_a_decorator_takes_what_its_operator_takes(decorator: Any, operator: Any, returned: set[str]) -> None:
    """But what its function returns."""
    known = known_to_checkers(decorator) - {"python_callable"}
    assert known == set(inspect.signature(operator).parameters) - returned


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_notebooks_show_the_shared_parameters(cls: Any) -> None:
    shown = inspect.signature(cls).parameters
    assert {"task_id", "retries", "retry_policy"} <= set(shown)
    assert "conn_id" not in shown
    assert next(iter(shown)) != "task_id", "its own parameters come first"
    if issubclass(cls, (SubmittingOperator, InstantOperator)):
        assert set(shown) >= SHARED


def test_a_subclass_s_default_is_the_one_that_is_shown() -> None:
    class Quick(FlowLivingPublishCampaignOperator):
        def __init__(self, *, poll_interval: float = 5.0, **kwargs: Any) -> None:
            super().__init__(poll_interval=poll_interval, **kwargs)

    shown = signature_of(Quick).parameters
    assert shown["poll_interval"].default == 5.0
    assert "plan_ref" in shown


def test_nothing_but_what_airflow_takes() -> None:
    """An older or newer Airflow within the supported range may have more."""
    taken = set(inspect.signature(BaseOperator.__init__).parameters) - {"self", "kwargs"}
    assert set(parameters.RetriedParameters.__annotations__) | {"multiple_outputs"} == taken


def test_a_running_airflow_does_not_load_it() -> None:
    module = "airflow_provider_mkt.tasks.parameters"
    code = f"import sys, airflow_provider_mkt.operators.flow_living; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")
