"""Traces: the list, one of them, one span."""

from __future__ import annotations

from typing import Final

from otelkit.server.api.asking import Ask, paged
from otelkit.server.api.params import parse_id
from otelkit.server.api.responses import Json, found
from otelkit.server.insights.trace import one_span, one_trace
from otelkit.server.insights.traces import SORTS, TraceFilter, list_traces
from otelkit.server.kinds import KINDS

__all__ = ["span", "trace", "traces"]

_TEXTS: Final = ("model", "tool", "user", "group", "conversation", "session", "name")


def traces(ask: Ask) -> Json:
    bounds = ("min_duration_ms", "max_duration_ms")
    params = ask.params("sort", "status", "kind", *bounds, "q", "limit", "cursor", *_TEXTS, ranged=True)
    wanted = TraceFilter(
        status=params.choice("status", ("ok", "error")),
        kind=params.choice("kind", KINDS),
        min_duration_ms=params.number("min_duration_ms"),
        max_duration_ms=params.number("max_duration_ms"),
        words=params.words("q"),
        **{name: params.text(name) for name in _TEXTS},
    )
    period = ask.period(params, wide=wanted.narrow)
    return paged(
        lambda: list_traces(
            ask.connection,
            period,
            params.scope(),
            wanted,
            sort=params.choice("sort", SORTS) or "newest",
            limit=params.integer("limit", 50, 1, 200),
            cursor=params.text("cursor"),
        )
    )


def trace(ask: Ask) -> Json:
    ask.params()
    trace_id = parse_id("trace_id", ask.request.path_params["trace_id"], 32)
    return found(one_trace(ask.connection, ask.context.payloads, trace_id), "trace")


def span(ask: Ask) -> Json:
    ask.params()
    trace_id = parse_id("trace_id", ask.request.path_params["trace_id"], 32)
    span_id = parse_id("span_id", ask.request.path_params["span_id"], 16)
    return found(one_span(ask.connection, ask.context.payloads, trace_id, span_id), "span")
