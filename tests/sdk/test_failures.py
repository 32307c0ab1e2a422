"""Errors in real services are told apart and counted, each once however often it is recorded."""

from __future__ import annotations

import pickle
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from otelkit.mapping.failures import stamp_log, stamp_span
from otelkit.mapping.metrics import Measurement
from otelkit.model import LogRecord, Span, SpanEvent
from otelkit.sdk.failures import ErrorCounter
from otelkit.sdk.origins import origin_of, remember_origin
from otelkit.testing.otlp_sink import OtlpSink

from . import processes

UVICORN = [sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "error"]


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as running:
        yield running


def counted(sink: OtlpSink) -> dict[tuple[Any, ...], float | None]:
    names = ("error.type", "otelkit.error.category", "otelkit.error.unhandled")
    return {tuple(p.attributes[name] for name in names): p.value for p in sink.latest("otelkit.errors")}


def test_an_error_on_two_spans_in_a_log_and_in_the_servers_log_is_one(sink: OtlpSink, tmp_path: Path) -> None:
    with processes.service(UVICORN, tmp_path, {"OTELKIT_ENDPOINT": sink.address}) as shop:
        assert shop.get("/handled/7")[0] == 200
        assert shop.get("/handled/8")[0] == 200
        assert shop.get("/fails/9")[0] == 500
        assert shop.waits_to_say("Exception in ASGI application"), "uvicorn logs it when the request's span has ended"
        shop.get("/flush")
        assert counted(sink) == {
            ("LookupError", "bug", False): 2,
            ("LookupError", "bug", True): 1,
        }
        marks = {
            event.attributes["otelkit.error.fingerprint"]
            for span in sink.spans
            for event in span.events
            if event.name == "exception"
        }
        logged = [record for record in sink.logs if "exception.type" in record.attributes]
        assert marks == {record.attributes["otelkit.error.fingerprint"] for record in logged}
        assert len(marks) == 1
        (served,) = [record for record in logged if record.scope.name == "uvicorn.error"]
        assert served.trace_id == sink.span("GET /fails/{number}").trace_id, "its trace is found again"


def failing(trace_id: bytes, message: str = "x", **values: Any) -> Span:
    event = SpanEvent("exception", 1, {"exception.type": "ValueError", "exception.message": message})
    fields: dict[str, Any] = {"name": "s", "kind": 1, "start": 0, "end": 1, "parent_id": bytes(8), "events": (event,)}
    return stamp_span(Span(trace_id, secrets.token_bytes(8), **{**fields, **values}))


class Counter:
    """An ErrorCounter with a clock of its own, and what it counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.found: list[tuple[Any, ...]] = []
        self.counter = ErrorCounter(self._record, lambda: self.now)

    def _record(self, measurement: Measurement, span: Span | None) -> None:
        self.found.append((measurement.attributes["otelkit.error.unhandled"], measurement.value))


def test_whether_it_was_handled_is_known_when_the_trace_has_ended() -> None:
    bench = Counter()
    one, other = bytes(16), b"\1" * 16
    bench.counter.observe(failing(one))
    bench.counter.observe(failing(other))
    assert bench.found == []
    bench.counter.observe(failing(one, parent_id=b"", status=2))
    bench.counter.observe(failing(other, parent_id=b"", events=()))
    assert bench.found == [(True, 1), (False, 1)]
    bench.counter.observe(failing(one))
    bench.counter.observe_log(
        stamp_log(LogRecord(1, 1, 17, "ERROR", "", failing(one).events[0].attributes, trace_id=one))
    )
    bench.counter.settle(everything=True)
    assert len(bench.found) == 2, "said again after the end, it is still the same error"


def test_a_long_trace_is_not_waited_for_and_many_traces_are_bounded() -> None:
    bench = Counter()
    bench.counter.observe(failing(bytes(16)))
    bench.counter.settle()
    assert bench.found == []
    bench.now = 6.0
    bench.counter.settle()
    assert bench.found == [(False, 1)]
    for number in range(10_000):
        bench.counter.observe(failing(number.to_bytes(16)))
    assert len(bench.found) >= 10_000 - 2_048
    bench.counter.settle(everything=True)
    assert len(bench.found) == 10_000


def test_an_exception_is_what_it_was() -> None:
    error = ValueError("x", 7)
    before = pickle.dumps(ValueError("x", 7))
    remember_origin(error, trace.INVALID_SPAN)
    assert pickle.dumps(error) == before
    with trace.get_tracer("t").start_as_current_span("s") as span:
        remember_origin(error, span)
        assert origin_of(error) is None, "inside a span that one counts"
    found = trace.get_current_span(origin_of(error)).get_span_context()
    assert found.span_id == span.get_span_context().span_id
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.args, str(copy), repr(copy)) == (error.args, str(error), repr(error))
