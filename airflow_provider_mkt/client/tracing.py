# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Spans of launches, requests, waits for the rate budget and vendors, for Airflow's own traces (section ``[traces]``).

They are children of Airflow's span of the task, and the vendor is sent ``traceparent``. Attributes are names and
templates of routes: nothing in them is secret or personal. While traces are off, which is Airflow's default, nothing of
OpenTelemetry is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from airflow_provider_mkt import metrics

NAMES = {
    "mkt.launch": "one try to submit something once, from the fence to the receipt",
    "mkt.request": "a request with all its repetitions",
    "mkt.budget.wait": "waiting for a slot of the rate budget",
    "mkt.vendor": "one exchange with the vendor, who is sent `traceparent`",
}


class Span:
    """A span, or nothing while traces are off.

    Its parent is given, not looked up: an attempt goes on in other threads than the one that it began in.

    :param span: of OpenTelemetry; None when there is none
    """

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def answered(self, outcome: str, status: int | None) -> None:
        """Note what is known after an exchange.

        :param status: HTTP status, None when there was no answer
        """
        if self._span is not None:
            self._span.set_attribute("mkt.outcome", outcome.lower())
            if status is not None:
                self._span.set_attribute("http.response.status_code", status)

    def headers(self) -> dict[str, str]:
        """Return the headers by which the vendor's spans become children of this one."""
        carrier: dict[str, str] = {}
        if self._span is not None:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            TraceContextTextMapPropagator().inject(carrier, context=self._context())
        return carrier

    @contextmanager
    def child(self, name: str, **attributes: str | float) -> Iterator[Span]:
        """Trace what happens in the ``with`` block, as a part of this span."""
        if self._span is None:
            yield OFF
        else:
            with _traced(name, self._context(), attributes) as found:
                yield Span(found)

    def _context(self) -> Any:
        from opentelemetry import trace

        return trace.set_span_in_context(self._span)


OFF = Span()
"""What stands for a span while traces are off."""


@contextmanager
def span(name: str, **attributes: str | float) -> Iterator[Span]:
    """Trace what happens in the ``with`` block, as a part of the present span, and make it the present one.

    :param name: one of :data:`NAMES`
    :param attributes: what it is about
    """
    if _tracer() is None:
        yield OFF
        return
    from opentelemetry import trace

    with _traced(name, None, attributes) as found, trace.use_span(found, record_exception=False):
        yield Span(found)


@contextmanager
def _traced(name: str, context: Any, attributes: dict[str, Any]) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind, StatusCode

    kind = SpanKind.CLIENT if name == "mkt.vendor" else SpanKind.INTERNAL
    found = _tracer().start_span(name, context=context, kind=kind, attributes=attributes)
    try:
        yield found
    except Exception as error:
        # The type says enough: messages are for the log, which is searched for secrets.
        found.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        found.end()


@lru_cache(maxsize=1)
def _tracer() -> Any:
    """Return Airflow's tracer, or None while traces are off."""
    if not metrics.traces_are_on():
        return None
    from opentelemetry import trace

    return trace.get_tracer("airflow_provider_mkt")
