# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What goes in, Flodesk's token, and secrets that must be nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ValidationError,
)
from airflow_provider_mkt.hooks.account import secrets_of
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task
from tests.unit.operators.ensure_webhook.kinds import (
    FLODESK,
    TOKEN,
    URL,
    Kind,
    every_kind,
    every_signed,
    settle,
)

pytestmark = pytest.mark.usefixtures("store_file", "flodesk_token")

NEWER = "a-newer-t0ken-of-the-address"


def test_flodesk_gets_the_address_with_the_token(vendors: Sandbox, task: Task) -> None:
    result = FLODESK().execute(task.context)
    assert [row["post_url"] for row in FlodeskHook().list_webhooks()] == [f"{URL}/{TOKEN}"]
    assert result["url"] == URL


def test_flodesk_gets_a_new_token(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    first = FLODESK().execute(task.context)
    connect("flodesk", "flodesk_default", extra={"webhook_token": NEWER})
    result = FLODESK().execute(Task(run_id="next").context)
    assert (result["webhook_id"], result["updated"]) == (first["webhook_id"], True)
    assert [row["post_url"] for row in FlodeskHook().list_webhooks()] == [f"{URL}/{NEWER}"]
    assert not FLODESK().execute(Task(run_id="last").context)["updated"]


@pytest.mark.parametrize("token", ["", "short", "with/slash-and-enough-characters", "..................", "ä" * 20])
def test_flodesk_without_a_good_token(token: str, vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    connect("flodesk", "flodesk_default", extra={"webhook_token": token})
    with pytest.raises(ValidationError, match="webhook_token") as caught:
        FLODESK().execute(task.context)
    assert not token or token not in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("url", [f"{URL}/{TOKEN}", f"{URL}/", f"{URL}?a=b"])
def test_flodesk_with_more_than_the_address(url: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="without the token") as caught:
        FLODESK(url=url).execute(task.context)
    assert TOKEN not in str(caught.value)
    assert vendors.requests() == []


@every_kind
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "http://"}, "url must be a full"),
        ({"url": "https://airflow.example.com:99999/"}, "url must be a full"),
        ({"url": None}, "url must be non-empty text"),
        ({"url": "https://me:pass@airflow.example.com/a"}, "url must have neither a user name"),
        ({"url": "https://airflow.example.com/a#b"}, "url must have neither a user name nor a fragment"),
        ({"events": []}, "events is empty"),
        ({"events": ["no.such"]}, "events"),
        ({"events": "report.ready"}, "events must be a list"),
    ],
)
def test_bad_input(kind: Kind, options: dict[str, Any], problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=problem):
        kind(**options).execute(task.context)
    assert vendors.requests() == []
    assert task.store.values == {}


@every_kind
@pytest.mark.parametrize("fault", [None, "drop_after", "truncate", "malformed", "html", "status"])
def test_secrets_are_nowhere(
    kind: Kind, fault: str | None, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    if fault:
        parameters = {"status": 400, "message": f"{URL}/{TOKEN} is refused", "processed": False}
        vendors.fault(kind.create, fault, **(parameters if fault == "status" else {}))
        try:
            kind().execute(task.context)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
            shown += [str(error), repr(error), repr(getattr(error, "__dict__", {}))]
        shown += task.store.values.values()
        vendors.clear_faults()
        task.retry()
        settle(task)
    operator = kind()
    result = operator.execute(task.context)
    kept = secrets_of(operator.hook.account)
    shown += [json.dumps(result), caplog.text, repr(operator), repr(kept.rows()), repr(kept)]
    shown += task.store.values.values()
    shown += [repr(getattr(operator, name)) for name in operator.template_fields]
    known = [secret for each in kept.rows() if (secret := kept.secret(each))]
    assert bool(known) == (kind is not FLODESK)
    for secret in known or [TOKEN]:
        assert not any(secret in text_ for text_ in shown)


@every_signed
def test_secrets_are_masked_in_logs(kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import log as airflow_log

    masked: list[str] = []
    monkeypatch.setattr(airflow_log, "mask_secret", lambda secret, name=None: masked.append(secret))
    result = kind().execute(task.context)
    assert kind.secret(result["webhook_id"]) in masked


@every_kind
def test_link(kind: Kind) -> None:
    assert [link.name for link in kind().operator_extra_links] == ["Submission"]
