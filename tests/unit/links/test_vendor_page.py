# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a task to the vendor's page of what it has made, where a company has told the addresses."""

from __future__ import annotations

import json
from collections.abc import Callable
from configparser import InterpolationSyntaxError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseHook, conf
from airflow.sdk.execution_time.xcom import XCom
from airflow.sdk.types import TaskInstanceKey
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.links.vendor_page import VendorPageLink, vendor_pages
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.provider_info import get_provider_info
from airflow_provider_mkt.testing.runs import DagRunner

POSTS = "https://social.example.com/posts/{post_id}"
KEY = TaskInstanceKey("d", "t", "r", 1)
Told = Callable[..., str]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Return the address for what a task of Flow Social has returned."""

    def told(pages: Any, made: Any, conn_id: str = "flow_social_default") -> str:
        monkeypatch.setenv("AIRFLOW__MKT__VENDOR_PAGES", pages if isinstance(pages, str) else json.dumps(pages))
        monkeypatch.setattr(XCom, "get_value", lambda **_: made)
        task = SimpleNamespace(conn_id=conn_id, vendor=FlowSocialSchedulePostOperator.vendor)
        return VendorPageLink().get_link(task, ti_key=KEY)  # type: ignore[arg-type]

    return told


def test_the_address_of_a_post(link: Told) -> None:
    assert link({"flow_social": [POSTS]}, {"post_id": "post_1"}) == "https://social.example.com/posts/post_1"
    assert link({"flow_social": POSTS}, {"post_id": 7}) == "https://social.example.com/posts/7"


def test_the_first_address_whose_ids_are_there(link: Told) -> None:
    pages = ["https://a.example.com/{campaign_id}/{post_id}", "https://b.example.com/?open={post_id}#now", POSTS]
    assert link({"flow_social": pages}, {"post_id": "p 1"}) == "https://b.example.com/?open=p%201#now"


def test_of_several_ids_the_first_one(link: Told) -> None:
    pages = {"flow_social": "https://social.example.com/{post_ids}"}
    assert link(pages, {"post_ids": ["post_4", "post_5"]}) == "https://social.example.com/post_4"
    assert link(pages, {"post_ids": []}) == ""
    assert link(pages, {"post_ids": [None, "post_5"]}) == "https://social.example.com/post_5", "the first was refused"


def test_a_connection_has_pages_of_its_own(link: Told) -> None:
    pages = {"flow_social": POSTS, "brand_b": "https://b.example.com/{post_id}"}
    assert link(pages, {"post_id": "post_1"}, "brand_b") == "https://b.example.com/post_1"


@pytest.mark.parametrize("odd", ["a/b", "a?b", "a#b", "javascript:1", "größe", '"><script>'])
def test_an_odd_id_leads_nowhere_else(odd: str, link: Told) -> None:
    found = link({"flow_social": [POSTS]}, {"post_id": odd})
    assert found.startswith("https://social.example.com/posts/")
    assert not set(found.removeprefix("https://social.example.com/posts/")) & set('/?#:<>"')


@pytest.mark.parametrize("made", [None, "post_1", {}, {"post_id": None}, {"post_id": True}, {"post_id": {"a": 1}}])
def test_no_id_no_link(made: Any, link: Told) -> None:
    assert link({"flow_social": [POSTS]}, made) == ""


@pytest.mark.parametrize("given", ["ada@example.com", "..", ""])
def test_no_personal_data_and_no_way_up(given: str, link: Told) -> None:
    assert link({"flow_social": [POSTS]}, {"post_id": given}) == ""


def test_nothing_is_read_where_no_page_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading an XCom is a request to Airflow's API for each task."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is to be read")

    monkeypatch.setattr(XCom, "get_value", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    monkeypatch.setenv("AIRFLOW__MKT__VENDOR_PAGES", json.dumps({"flinque": "https://f.example.com/{campaign_id}"}))
    task = FlowSocialSchedulePostOperator(
        task_id="t", channel_id="c", content="c", scheduled_for="2027-01-01T09:00:00Z"
    )
    assert VendorPageLink().get_link(task, ti_key=KEY) == ""
    monkeypatch.delenv("AIRFLOW__MKT__VENDOR_PAGES")
    assert VendorPageLink().get_link(task, ti_key=KEY) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"flow_social": [7]}',
        *(
            json.dumps({"flow_social": each})
            for each in (
                "http://social.example.com/{post_id}",
                "javascript:alert({post_id})",
                "https://{post_id}.example.com/",
                "https://user:password@example.com/{post_id}",
                "https://social.example.com/posts",
                "https://social.example.com/{0}",
                "https://social.example.com/{post_id.real}",
                "https://social.example.com/{post_id[0]}",
                "https://social.example.com/{post_id!r}",
                "https://social.example.com/{post_id:>9}",
                "https://social.example.com/{post_id",
                "https://[::1/{post_id}",
                "https://x}y.com/{post_id}",
            )
        ),
    ],
)
def test_a_wrong_setting_is_named_and_costs_no_task(wrong: str, link: Told, caplog: pytest.LogCaptureFixture) -> None:
    assert link(wrong, {"post_id": "post_1"}) == ""
    assert "There is no link to the vendor: [mkt] vendor_pages" in caplog.text
    with pytest.raises(ValidationError, match=r"An example: \{\"flow_social\""):
        vendor_pages()


def test_a_sign_that_airflow_cfg_takes_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interpolated(*_: Any, **__: Any) -> str:
        raise InterpolationSyntaxError("vendor_pages", "mkt", "'%' must be followed by '%' or '('")

    monkeypatch.setattr(conf, "get", interpolated)
    with pytest.raises(ValidationError, match="write %% for each %"):
        vendor_pages()


def test_the_example_of_the_configuration_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    example = get_provider_info()["config"]["mkt"]["options"]["vendor_pages"]["example"]
    monkeypatch.setenv("AIRFLOW__MKT__VENDOR_PAGES", example)
    assert vendor_pages() == {"flow_social": [POSTS]}


POST = {"channel_id": "c", "content": "c", "scheduled_for": "2027-01-01T09:00:00Z"}


@pytest.mark.parametrize("mapped", [False, True])
def test_a_dag_has_it_where_pages_are_told(mapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere it would cost each task an XCom that says nothing."""

    def stored() -> list[str]:
        with DAG("posts") as dag:
            if mapped:
                fixed = {name: value for name, value in POST.items() if name != "content"}
                FlowSocialSchedulePostOperator.partial(task_id="post", **fixed).expand(content=["a", "b"])
            else:
                FlowSocialSchedulePostOperator(task_id="post", **POST)
        text = json.dumps(DagSerialization.to_dict(dag))
        return [name for name in ("SubmissionLink", "VendorPageLink") if name in text]

    assert stored() == ["SubmissionLink"]
    monkeypatch.setenv("AIRFLOW__MKT__VENDOR_PAGES", json.dumps({"flow_social": POSTS}))
    assert stored() == ["SubmissionLink", "VendorPageLink"]


def test_a_setting_that_cannot_be_read_keeps_no_dag_from_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def interpolated(*_: Any, **__: Any) -> str:
        raise InterpolationSyntaxError("vendor_pages", "mkt", "'%' must be followed by '%' or '('")

    task = FlowSocialSchedulePostOperator(task_id="post", **POST)
    monkeypatch.setattr(conf, "get", interpolated)
    assert "VendorPageLink" in [type(each).__name__ for each in task.operator_extra_links]


def test_the_provider_tells_airflow_of_it() -> None:
    assert f"{VendorPageLink.__module__}.VendorPageLink" in get_provider_info()["extra-links"]


DAG_FILE = """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator

with DAG("posts"):
    FlowSocialSchedulePostOperator(
        task_id="post",
        channel_id="channel_1",
        content="Spring",
        scheduled_for=(datetime.now(timezone.utc) + timedelta(days=1)).isoformat(),
        wait_for_completion=False,
        retries=1,
    )
"""


def test_a_task_that_has_run_shows_it(mkt_run_dag: DagRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "posts.py"
    file.write_text(DAG_FILE)
    monkeypatch.setenv("AIRFLOW__MKT__VENDOR_PAGES", json.dumps({"flow_social": POSTS}))
    result = mkt_run_dag(file)
    assert result.state == "success", result.errors
    post_id = result.xcom("post", "post_id")
    assert result.xcom("post", VendorPageLink().xcom_key) == POSTS.format(post_id=post_id)
