"""What is noted on an exception on its way out: its trace, its user, and that it has been told of.

Plain values under names of our own, so that it can be pickled as before.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

__all__ = ["claim", "origin_of", "remember_origin", "remember_user", "span_of", "user_of"]

_ORIGIN: Final = "__otelkit_origin__"
_USER: Final = "__otelkit_user__"
_TOLD: Final = "__otelkit_told__"


def _notes(error: BaseException) -> dict[str, Any]:
    """What can be noted on an exception; on one of an odd make nothing stays."""
    try:
        return vars(error)
    except TypeError:
        return {}


def remember_origin(error: BaseException, span: Span) -> None:
    """Note on an exception that it passes through a span, for whoever logs it when that has ended.

    A web server logs an unhandled exception outside of the request's context.
    """
    origin = span.get_span_context()
    if origin.is_valid:
        _notes(error).setdefault(_ORIGIN, (origin.trace_id, origin.span_id, int(origin.trace_flags)))


def origin_of(error: BaseException | None) -> Context | None:
    """The context of the span an exception came from; None inside any span, and where it is not known."""
    if error is None or _ORIGIN not in _notes(error) or trace.get_current_span().get_span_context().is_valid:
        return None
    return trace.set_span_in_context(NonRecordingSpan(span_of(error)))


def span_of(error: BaseException | None) -> SpanContext:
    """The innermost span an exception is known to have passed through, else the current one."""
    origin = _notes(error).get(_ORIGIN) if error is not None else None
    if origin is None:
        return trace.get_current_span().get_span_context()
    trace_id, span_id, flags = origin
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags))


def remember_user(error: BaseException, user: str) -> None:
    """Note whose session an exception leaves; an empty string for nobody who may be named."""
    _notes(error).setdefault(_USER, user)


def user_of(error: BaseException) -> str | None:
    """The user noted on an exception; None where none was."""
    user: str | None = _notes(error).get(_USER)
    return user


def claim(error: BaseException) -> bool:
    """Whether nobody has told of this exception yet; from now on somebody has."""
    known = _notes(error)
    if known.get(_TOLD):
        return False
    known[_TOLD] = True
    return True
