"""Log records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otelkit.server.api.asking import Ask, paged
from otelkit.server.api.params import Params
from otelkit.server.api.responses import Json
from otelkit.server.insights.filters import Term
from otelkit.server.insights.logs import LOGS, list_logs
from otelkit.server.storage.logs import SEVERITIES

__all__ = ["logs"]

# Older than the filter language: each means one term of it.
_PARAMS: Final = ("q", "severity", "trace_id", "span_id", "logger", "event_name")


def logs(ask: Ask) -> Json:
    params = ask.params("filter", *_PARAMS, "limit", "cursor", "newer", ranged=True)
    wanted = params.filter(LOGS, _terms(params))
    period, scope = ask.period(params), params.scope()
    limit, cursor, newer = params.integer("limit", 100, 1, 500), params.text("cursor"), params.text("newer")
    connection, payloads = ask.connection, ask.context.payloads
    return paged(
        lambda: list_logs(connection, payloads, period, scope, wanted, limit=limit, cursor=cursor, newer=newer)
    )


def _terms(params: Params) -> Iterator[Term]:
    trace_id, span_id = params.hexadecimal("trace_id", 32), params.hexadecimal("span_id", 16)
    for key, value in (
        ("severity", params.choice("severity", SEVERITIES)),
        ("trace", trace_id.hex() if trace_id is not None else None),
        ("span", span_id.hex() if span_id is not None else None),
        ("logger", params.text("logger")),
        ("event", params.text("event_name")),
    ):
        if value is not None:
            yield Term(key, "", value)
    yield from (Term("", "", word) for word in params.words("q"))
