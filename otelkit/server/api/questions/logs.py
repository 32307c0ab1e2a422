"""Log records."""

from __future__ import annotations

from otelkit.server.api.asking import Ask, paged
from otelkit.server.api.responses import Json
from otelkit.server.insights.logs import LogFilter, list_logs
from otelkit.server.storage.logs import SEVERITIES

__all__ = ["logs"]


def logs(ask: Ask) -> Json:
    names = ("severity", "q", "trace_id", "span_id", "logger", "event_name", "limit", "cursor")
    params = ask.params(*names, ranged=True)
    wanted = LogFilter(
        severity=params.choice("severity", SEVERITIES),
        words=params.words("q"),
        trace_id=params.hexadecimal("trace_id", 32),
        span_id=params.hexadecimal("span_id", 16),
        logger=params.text("logger"),
        event_name=params.text("event_name"),
    )
    period, scope = ask.period(params), params.scope()
    limit, cursor = params.integer("limit", 100, 1, 500), params.text("cursor")
    return paged(
        lambda: list_logs(ask.connection, ask.context.payloads, period, scope, wanted, limit=limit, cursor=cursor)
    )
