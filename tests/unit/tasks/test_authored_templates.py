# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every field of every operator and sensor, through Airflow's own mapping: a DAG's author is rendered, data is not."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, literal, task_group

from airflow_provider_mkt.operators.flodesk import FlodeskCreateSegmentOperator, FlodeskUnsubscribeOperator
from airflow_provider_mkt.operators.flow_social import (
    FlowSocialSchedulePostOperator,
    FlowSocialSchedulePostsOperator,
    FlowSocialUpdatePostOperator,
)
from airflow_provider_mkt.tasks.authored_templates import AuthoredTemplates, parameter_of
from airflow_provider_mkt.transfers.flodesk import SqlToFlodeskSubscribersOperator
from tests.unit.test_definitions import TASKS

HOSTILE = [
    "{{ conn.flinque_default.password }}@x.example",
    "{{ conn.shop.get_hook().run('create table pwned(a)') }}",
    "Save {{ 20 + 5 }}% today",
    "{% for each in params %}{{ each }}{% endfor %}{# gone #}",
    "{{ no_such_name }}",
    "{% not jinja",
    "report.sql",
    "{{ ds }}.json",
    '"Quoted"',
    "0x1F",
    "12_000",
    "[1, 2]",
]
KEPT = ["None", 7, 1.5, True, ["{{ ds }}", 2], {"text": "{{ ds }}", "n": [1]}]
every_task = pytest.mark.parametrize(
    ("cls", "arguments", "conn_type"),
    [(*task[:2], task[3]) for task in TASKS],
    ids=[task[0].__name__ for task in TASKS],
)
native_or_not = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])


class Upstream(BaseOperator):
    """Stands for any task that hands values on."""


def context(dag: DAG, handed: Any, map_index: int = 0) -> Any:
    """What Airflow has at hand for a task whose upstream returned ``handed``."""

    def pull(**asked: Any) -> Any:
        return handed if asked["key"] == "return_value" else handed[asked["key"]]

    ti = SimpleNamespace(map_index=map_index, xcom_pull=pull, _upstream_map_indexes={})
    run = SimpleNamespace(conf={})
    return {
        "ti": ti,
        "dag": dag,
        "dag_run": run,
        "ds": "2026-06-08",
        "word": "0x1F",
        "words": ["a", "1"],
        "handed": handed,
    }


def rendered(dag: DAG, handed: Any = None, map_index: int = 0) -> tuple[Any, Any]:
    """Render the task "target" as Airflow's task runner does; return it with its context."""
    names = context(dag, handed, map_index)
    task = dag.task_dict["target"]
    names["ti"].task = names["task"] = task
    task.render_template_fields(names, dag.get_template_env())
    return names["ti"].task, names


def value_of(task: Any, name: str, names: Any) -> Any:
    return getattr(task, name) if name in task.template_fields else task.private(name, names)


def fields_of(cls: Any, arguments: dict[str, Any], conn_type: str) -> dict[str, str]:
    """Return the rendered fields with the parameters that set them, private ones included."""
    parameters = {
        name for each in cls.__mro__ if "__init__" in vars(each) for name in inspect.signature(each.__init__).parameters
    }
    private = [name for name in ("id_or_email", "parameters") if name in parameters]
    fields = {name: parameter_of(cls, name) for name in [*cls.template_fields, *private]}
    assert set(fields.values()) <= parameters
    assert f"{conn_type}_conn_id" in fields
    return fields


@native_or_not
@every_task
def test_no_field_renders_what_expand_kwargs_gets_from_a_task(
    cls: Any, arguments: dict[str, Any], conn_type: str, *, native: bool
) -> None:
    fields = fields_of(cls, arguments, conn_type)
    with DAG("a", render_template_as_native_obj=native, default_args={"task_display_name": "{{ ds }}"}) as dag:
        before = Upstream(task_id="before")
        rest = {name: value for name, value in arguments.items() if name not in fields.values()}
        cls.partial(task_id="target", **rest).expand_kwargs(before.output)
    for number, value in enumerate([*HOSTILE, *KEPT]):
        handed = [dict.fromkeys(fields.values(), value)]
        task, names = rendered(dag, handed)
        assert {name: value_of(task, name, names) for name in fields} == dict.fromkeys(fields, value), number


@native_or_not
@every_task
def test_no_field_renders_what_expand_gets_from_a_task(
    cls: Any, arguments: dict[str, Any], conn_type: str, *, native: bool
) -> None:
    for field, parameter in fields_of(cls, arguments, conn_type).items():
        with DAG("a", render_template_as_native_obj=native) as dag:
            before = Upstream(task_id="before")
            rest = {name: value for name, value in arguments.items() if name != parameter}
            cls.partial(task_id="target", **rest).expand(**{parameter: before.output})
        values = [*HOSTILE, *KEPT]
        for index, value in enumerate(values):
            task, names = rendered(dag, values, index)
            assert (field, value_of(task, field, names)) == (field, value)


@native_or_not
@every_task
def test_an_output_is_never_rendered(cls: Any, arguments: dict[str, Any], conn_type: str, *, native: bool) -> None:
    fields = fields_of(cls, arguments, conn_type)
    with DAG("a", render_template_as_native_obj=native) as dag:
        before: Any = Upstream(task_id="before")
        rest = {name: value for name, value in arguments.items() if name not in fields.values()}
        cls(task_id="target", **rest, **dict.fromkeys(fields.values(), before.output["x"]))
    for value in HOSTILE:
        names = context(dag, {"x": value})
        task = dag.task_dict["target"].prepare_for_execution()
        task.render_template_fields(names, dag.get_template_env())
        assert {name: value_of(task, name, names) for name in fields} == dict.fromkeys(fields, value)


@native_or_not
@every_task
def test_every_field_renders_what_the_author_wrote(
    cls: Any, arguments: dict[str, Any], conn_type: str, *, native: bool
) -> None:
    fields = fields_of(cls, arguments, conn_type)
    written = dict.fromkeys(fields.values(), "on {{ ds }}")
    rest = {name: value for name, value in arguments.items() if name not in fields.values()}
    shapes: dict[str, Any] = {
        "plain": lambda: cls(task_id="target", **rest, **written),
        "expand_kwargs": lambda: cls.partial(task_id="target", **rest).expand_kwargs([written]),
        "expand": lambda: cls.partial(task_id="target", **rest).expand(
            **{key: [text] for key, text in written.items()}
        ),
        "partial": lambda: cls.partial(task_id="target", **rest, **written).expand_kwargs(
            Upstream(task_id="before").output
        ),
    }
    for shape, make in shapes.items():
        with DAG("a", render_template_as_native_obj=native) as dag:
            make()
        task, names = rendered(dag, [{}])
        found = {name: value_of(task, name, names) for name in fields}
        assert (shape, found) == (shape, dict.fromkeys(fields, "on 2026-06-08"))


def test_partial_beside_a_map() -> None:
    with DAG("a", default_args={"scheduled_for": "{{ ds }}T09:00:00Z"}) as dag:
        FlowSocialSchedulePostOperator.partial(task_id="target", content="{{ ds }}: {{ handed[0] }}").expand(
            channel_id=Upstream(task_id="before").output
        )
    task, _ = rendered(dag, ["{{ ds }}"])
    assert (task.channel_id, task.content) == ("{{ ds }}", "2026-06-08: {{ ds }}")
    assert task.scheduled_for == "2026-06-08T09:00:00Z"


def test_a_map_that_replaces_the_authors_values() -> None:
    with DAG("a") as dag:
        FlowSocialSchedulePostOperator.partial(
            task_id="target", content="{{ ds }}", channel_id="{{ ds }}"
        ).expand_kwargs(Upstream(task_id="before").output, strict=False)
    task, _ = rendered(dag, [{"content": "{{ ds }}!"}])
    assert (task.content, task.channel_id) == ("{{ ds }}!", "2026-06-08")


def test_a_map_that_replaces_default_arguments() -> None:
    defaults = {"content": "{{ ds }}", "media_keys": ["{{ ds }}"], "flodesk_conn_id": "a", "flow_social_conn_id": "b"}
    with DAG("a", default_args=defaults) as dag:
        FlowSocialSchedulePostOperator.partial(task_id="target").expand_kwargs(Upstream(task_id="before").output)
    task, _ = rendered(dag, [{"content": "{{ ds }}!", "channel_id": "{{ ds }}", "flow_social_conn_id": "{{ ds }}"}])
    assert (task.content, task.channel_id, task.media_keys) == ("{{ ds }}!", "{{ ds }}", ["2026-06-08"])
    assert task.conn_id == "{{ ds }}"


def test_map_zip_and_lists_of_both() -> None:
    with DAG("a") as dag:
        before = Upstream(task_id="before").output
        posts = before.map(lambda text: {"content": text, "channel_id": "{{ ds }}"})
        FlowSocialSchedulePostOperator.partial(task_id="target").expand_kwargs(posts)
    task, _ = rendered(dag, ["{{ ds }}"])
    assert (task.content, task.channel_id) == ("{{ ds }}", "{{ ds }}")
    with DAG("b") as dag:
        before = Upstream(task_id="before").output
        FlowSocialSchedulePostOperator.partial(task_id="target").expand(
            content=[literal("{{ ds }}"), "{{ ds }}", before], channel_id=["{{ ds }}"]
        )
    found = [rendered(dag, "{{ word }}", index)[0].content for index in range(3)]
    assert found == ["{{ ds }}", "2026-06-08", "{{ word }}"]


def test_a_group_of_mapped_tasks() -> None:
    with DAG("a", render_template_as_native_obj=True) as dag:

        @task_group
        def one(text: Any) -> None:
            FlowSocialUpdatePostOperator(task_id="target", post_id="{{ ds }}", content=text)

        one.expand(text=Upstream(task_id="before").output)
    task: Any = dag.task_dict["one.target"]
    task.render_template_fields(context(dag, HOSTILE, 2), dag.get_template_env())
    assert (task.post_id, task.content) == ("2026-06-08", HOSTILE[2])


def test_a_private_field_of_a_mapped_task() -> None:
    with DAG("a") as dag:
        SqlToFlodeskSubscribersOperator.partial(
            task_id="target", sql="SELECT '{{ ds }}'", sql_conn_id="db", parameters=["{{ ds }}", literal("{{ ds }}")]
        ).expand(segment_ids=Upstream(task_id="before").output)
        FlodeskUnsubscribeOperator.partial(task_id="leave").expand(id_or_email=["{{ ds }}@x.example"])
    task, names = rendered(dag, [["{{ ds }}"]])
    assert (task.sql, task.segment_ids) == ("SELECT '2026-06-08'", ["{{ ds }}"])
    assert task.private("parameters", names) == ["2026-06-08", "{{ ds }}"]
    dag.task_dict["leave"].render_template_fields(names, None)
    assert names["task"].private("id_or_email", names) == "2026-06-08@x.example"


@pytest.mark.parametrize(
    ("written", "yields"),
    [
        ('"Quoted"', '"Quoted"'),
        ("0x1F", "0x1F"),
        ("12_000", "12_000"),
        ("None", "None"),
        ("{{ word }}", "0x1F"),
        ("{{ words }}", ["a", "1"]),
        ("{{ words | length }}", 2),
        ("{{ ['a', 20] }}", ["a", 20]),
        ("{{ 20 }}", 20),
        ("{{ words | length > 1 }}", True),
        ("{{ words[1] }}{{ words[1] }}", "11"),
        ("[{{ words[1] }}]", "[1]"),
        ("{% if words %}{{ words }}{% endif %}", ["a", "1"]),
        ("{% if not words %}{{ words }}{% endif %}", ""),
    ],
)
def test_native_values(written: str, yields: Any) -> None:
    names: Any = {"word": "0x1F", "words": ["a", "1"]}
    posts: Any = written
    with DAG("a", render_template_as_native_obj=True):
        ours = FlowSocialSchedulePostsOperator(task_id="target", posts=posts)
    ours.render_template_fields(names)
    assert ours.posts == yields
    assert type(ours.posts) is type(yields)
    with DAG("b"):
        alone = FlowSocialSchedulePostsOperator(task_id="target", posts=posts, render_template_as_native_obj=True)
    alone.render_template_fields(names, DAG("c").get_template_env())
    assert alone.posts == yields


def test_native_values_that_are_missing() -> None:
    from jinja2 import UndefinedError

    with DAG("a", render_template_as_native_obj=True):
        task = FlodeskCreateSegmentOperator(task_id="target", name="{{ no_such_name }}")
    with pytest.raises(UndefinedError, match="no_such_name"):
        task.render_template_fields({})


@every_task
def test_every_task_takes_part(cls: Any, arguments: dict[str, Any], conn_type: str) -> None:
    order = cls.__mro__
    assert order.index(AuthoredTemplates) < order.index(BaseOperator)
