"""What tests of steps say about spans."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

Spans = Callable[[], list[ReadableSpan]]


class Boom(Exception):
    pass


def current() -> str:
    return getattr(trace.get_current_span(), "name", "")


def only(spans: Spans) -> ReadableSpan:
    (span,) = spans()
    return span


def assert_failed(span: ReadableSpan) -> None:
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"].endswith("Boom")  # type: ignore[union-attr]
    assert [event.name for event in span.events] == ["exception"]


def assert_unfinished(span: ReadableSpan, outcome: str) -> None:
    """Neither a success nor an error: UNSET, no exception event, and a word for what it was."""
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["otelkit.outcome"] == outcome
    assert "error.type" not in span.attributes
    assert not span.events
