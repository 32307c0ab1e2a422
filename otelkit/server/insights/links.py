"""Links followed backwards: the spans of other traces that name a trace."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select

from otelkit.server.insights.rows import status_name
from otelkit.server.storage import schema

__all__ = ["linked_from"]

_SHOWN: Final = 50
_link, _span, _trace, _series = schema.link.c, schema.span.c, schema.trace.c, schema.series.c


def linked_from(connection: Connection, trace_id: bytes) -> list[dict[str, Any]]:
    """Return the spans of other traces that link to a trace, at most 50: those of the traces that came last."""
    query = (
        select(
            *(_trace.trace_id, _span.span_id, _link.target_span, _span.start, _span.status),
            *(_series.name, _series.service, _trace.name.label("root"), _trace.input),
        )
        .select_from(schema.link)
        .join(schema.span, (_span.trace == _link.trace) & (_span.span_id == _link.span_id))
        .join(schema.trace, _trace.id == _link.trace)
        .join(schema.series, _series.id == _span.series)
        .where(_link.target_trace == trace_id)
        .order_by(_link.trace.desc())  # numbered as they came: the index is walked from its end
        .limit(_SHOWN)
    )
    return [
        {
            "trace_id": row.trace_id.hex(),
            "span_id": row.span_id.hex(),
            "to_span_id": row.target_span.hex(),
            "title": row.input or row.root,
            "name": row.name,
            "service": row.service,
            "start": row.start / 1e6,
            "status": status_name(row.status),
        }
        for row in connection.execute(query).all()
    ]
