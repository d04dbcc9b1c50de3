# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Traces: launch, request, wait and vendor, one below the other, and nothing at all while they are off."""

from __future__ import annotations

import asyncio
import timeit
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_provider_mkt.client import tracing
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flokit
from tests.unit.context import Task


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    monkeypatch.setattr(tracing, "_tracer", lambda: tracer)
    yield exporter
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [each for each in spans.get_finished_spans() if each.name == name]


def ancestors(spans: InMemorySpanExporter, one: ReadableSpan) -> list[str]:
    by_id = {each.context.span_id: each for each in spans.get_finished_spans()}
    found = []
    while one.parent is not None:
        one = by_id[one.parent.span_id]
        found.append(one.name)
    return found


def traceparents(vendors: Sandbox, vendor: str) -> list[str | None]:
    return [row["headers"].get("traceparent") for row in vendors.requests(vendor)]


def test_a_launch_is_traced_down_to_the_vendor(vendors: Sandbox, task: Task, spans: InMemorySpanExporter) -> None:
    operator = FlowSocialSchedulePostOperator(
        task_id="post", channel_id="channel_1", content="Sold!", wait_for_completion=False
    )
    operator.execute(task.context)
    sent = named(spans, "mkt.vendor")[-1]
    assert ancestors(spans, sent) == ["mkt.request", "mkt.launch"]
    assert sent.attributes is not None
    assert (sent.attributes["mkt.outcome"], sent.attributes["http.response.status_code"]) == ("answered", 201)
    expected = f"00-{sent.context.trace_id:032x}-{sent.context.span_id:016x}-"
    assert str(traceparents(vendors, "flow_social")[-1]).startswith(expected)
    assert {each.name for each in spans.get_finished_spans()} <= set(tracing.NAMES)


def test_repetitions_and_errors_show_without_any_message(
    vendors: Sandbox, spans: InMemorySpanExporter, connect: Any
) -> None:
    vendors.fault("GET /flokit/*", "status", status=503, count=None, message="secret-word")
    with pytest.raises(ApiError):
        FlokitHook().get_workspace()
    (request,) = named(spans, "mkt.request")
    assert request.status.description in {"ServerError", "OutcomeUnknownError"}
    attempts = named(spans, "mkt.vendor")
    assert len(attempts) > 1
    assert all(ancestors(spans, each) == ["mkt.request"] for each in attempts)
    assert "secret-word" not in "".join(each.to_json() for each in spans.get_finished_spans())


def test_a_wait_for_the_budget_is_traced_in_triggers_too(
    vendors: Sandbox, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = FlokitHook()
    client = hook.client
    monkeypatch.setattr(client.budget, "reserve", lambda *_: 0.05)
    from airflow_provider_mkt.client.endpoint import Call

    asyncio.run(client.asend(Call(flokit.GET_WORKSPACE)))
    (wait,) = named(spans, "mkt.budget.wait")
    assert ancestors(spans, wait) == ["mkt.request"]
    assert wait.end_time is not None
    assert wait.start_time is not None
    assert wait.end_time - wait.start_time >= 0.05e9


def test_nothing_is_sent_and_it_costs_next_to_nothing_while_traces_are_off(vendors: Sandbox) -> None:
    FlokitHook().get_workspace()
    assert traceparents(vendors, "flokit")[-1] is None

    def off() -> None:
        with tracing.span("mkt.request") as one, one.child("mkt.vendor") as sent:
            sent.headers()

    assert min(timeit.repeat(off, number=1000, repeat=5)) / 1000 < 50e-6
