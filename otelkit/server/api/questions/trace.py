"""One trace: all of it, one span, what it says, and as a conversation."""

from __future__ import annotations

from otelkit.server.api.asking import Ask
from otelkit.server.api.params import BadParameterError, parse_id
from otelkit.server.api.responses import Json, found
from otelkit.server.insights.search import find_in_trace
from otelkit.server.insights.trace import one_span, one_trace
from otelkit.server.insights.transcript import transcript

__all__ = ["conversation", "search", "span", "trace"]


def trace(ask: Ask) -> Json:
    full = ask.params("detail").choice("detail", ("full",)) is not None
    return found(one_trace(ask.connection, ask.context.payloads, _trace_id(ask), full=full), "trace")


def span(ask: Ask) -> Json:
    ask.params()
    span_id = parse_id("span_id", ask.request.path_params["span_id"], 16)
    return found(one_span(ask.connection, ask.context.payloads, _trace_id(ask), span_id), "span")


def search(ask: Ask) -> Json:
    text = ask.params("q").text("q")
    if text is None:
        raise BadParameterError("q", "a text to look for is needed")
    return found(find_in_trace(ask.connection, ask.context.payloads, _trace_id(ask), text), "trace")


def conversation(ask: Ask) -> Json:
    ask.params()
    return found(transcript(ask.connection, ask.context.payloads, _trace_id(ask)), "trace")


def _trace_id(ask: Ask) -> bytes:
    return parse_id("trace_id", ask.request.path_params["trace_id"], 32)
