"""An exception's trace, found again where it is logged after its span has ended."""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

__all__ = ["origin_of", "remember_origin"]

_ORIGIN: Final = "__otelkit_origin__"  # on an exception: plain numbers, so that it can be pickled as before


def remember_origin(error: BaseException, span: Span) -> None:
    """Note on an exception that it passes through a span, for whoever logs it when that has ended.

    A web server logs an unhandled exception outside of the request's context.
    """
    origin = span.get_span_context()
    if origin.is_valid:
        vars(error).setdefault(_ORIGIN, (origin.trace_id, origin.span_id, int(origin.trace_flags)))


def origin_of(error: BaseException | None) -> Context | None:
    """The context of the span an exception came from; None inside any span, and where it is not known."""
    origin = vars(error).get(_ORIGIN) if error is not None else None
    if origin is None or trace.get_current_span().get_span_context().is_valid:
        return None
    trace_id, span_id, flags = origin
    span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags)))
    return trace.set_span_in_context(span)
