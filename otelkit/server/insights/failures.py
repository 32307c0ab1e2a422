"""What failed lately, each error once."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select, text

from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema

__all__ = ["failures"]

_NEWEST: Final = 500
_SHOWN: Final = 8
_trace: Final = schema.trace.c


def failures(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Group the newest failing traces by error and root: how often, since when, and the newest of each to look at."""
    query = (
        select(_trace.trace_id, _trace.start, _trace.error, _trace.name, _trace.input)
        .where(_trace.start >= period.start_ns, _trace.start < period.end_ns, text("trace.status = 2"))
        .where(*scope.conditions(_trace))
        .order_by(_trace.start.desc())
        .limit(_NEWEST)
    )
    found: dict[tuple[str | None, str], dict[str, Any]] = {}
    looked_at = 0
    for row in connection.execute(query):
        looked_at += 1
        newest = {
            "error": row.error,
            "name": row.name,
            "count": 0,
            "last": row.start / 1e6,
            "trace_id": row.trace_id.hex(),
            "title": row.input or row.name,
        }
        group = found.setdefault((row.error, row.name), newest)
        group["count"] += 1
        group["first"] = row.start / 1e6
    return {
        "range": period.json(),
        "looked_at": {"traces": looked_at, "complete": looked_at < _NEWEST},
        "total": len(found),
        "errors": list(found.values())[:_SHOWN],
    }
