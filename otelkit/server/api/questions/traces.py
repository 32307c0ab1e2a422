"""Traces: the list, one of them, one span."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otelkit.server.api.asking import Ask, paged
from otelkit.server.api.params import Params, parse_id
from otelkit.server.api.responses import Json, found
from otelkit.server.insights.filters import Filter, Term
from otelkit.server.insights.trace import one_span, one_trace
from otelkit.server.insights.traces import SORTS, list_traces, narrow, trace_language
from otelkit.server.kinds import KINDS

__all__ = ["FILTER_PARAMS", "span", "trace", "trace_filter", "traces"]

_TEXTS: Final = ("model", "tool", "user", "group", "conversation", "session", "name")
_BOUNDS: Final = {"min_duration_ms": ">=", "max_duration_ms": "<="}
# Older than the filter language, and handier in links: each means one term of it.
FILTER_PARAMS: Final = ("filter", "q", "status", "kind", *_BOUNDS, *_TEXTS)


def traces(ask: Ask) -> Json:
    params = ask.params(*FILTER_PARAMS, "sort", "limit", "cursor", ranged=True)
    wanted = trace_filter(ask, params)
    period = ask.period(params, wide=narrow(wanted))
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


def trace_filter(ask: Ask, params: Params) -> Filter:
    """Return what ``filter`` and the parameters beside it ask for together."""
    return params.filter(trace_language(ask.connection), _terms(params))


def _terms(params: Params) -> Iterator[Term]:
    choices = (("status", params.choice("status", ("ok", "error"))), ("kind", params.choice("kind", KINDS)))
    for name, value in (*choices, *((name, params.text(name)) for name in _TEXTS)):
        if value is not None:
            yield Term(name, "", value)
    for name, sign in _BOUNDS.items():
        bound = params.number(name)
        if bound is not None:
            yield Term("duration", sign, f"{bound:f}ms")
    yield from (Term("", "", word) for word in params.words("q"))


def trace(ask: Ask) -> Json:
    ask.params()
    trace_id = parse_id("trace_id", ask.request.path_params["trace_id"], 32)
    return found(one_trace(ask.connection, ask.context.payloads, trace_id), "trace")


def span(ask: Ask) -> Json:
    ask.params()
    trace_id = parse_id("trace_id", ask.request.path_params["trace_id"], 32)
    span_id = parse_id("span_id", ask.request.path_params["span_id"], 16)
    return found(one_span(ask.connection, ask.context.payloads, trace_id, span_id), "span")
