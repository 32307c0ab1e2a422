"""Stored rows as the records they came from, oldest rows first, a batch at a time.

What the store derives is left out, because it is derived again on arrival. What it does not keep is not given back: a
status of "ok" is one that is unset; of a log's or a metric's resource only service and environment are known, and of a
metric's scope nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from otelkit.model import LogRecord, MetricPoint, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink
from otelkit.semconv.attributes import Core
from otelkit.server.storage import schema
from otelkit.server.storage.chunks import chunks
from otelkit.server.storage.logs import exported_uid
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["SIGNALS", "count", "stored"]

_BATCH: Final = 1000
_TRACES: Final = 100
_REMOTE_PARENT: Final = 0x300
_LOCAL_ENTRIES: Final = (SpanKind.SERVER, SpanKind.CONSUMER)
_trace, _span, _log, _point = schema.trace.c, schema.span.c, schema.log.c, schema.metric_point.c
_TIMES: Final = {"spans": _trace.start, "logs": _log.time, "metrics": _point.time}


def count(connection: Connection, signal: str, start: int, end: int) -> int:
    """Return how many records :func:`stored` will give."""
    what = func.sum(_trace.spans) if signal == "spans" else func.count()
    time = _TIMES[signal]
    query = select(what).select_from(time.table).where(time >= start, time < end)
    return int(connection.execute(query).scalar() or 0)


def stored(connection: Connection, signal: str, start: int, end: int) -> Iterator[list[Any]]:
    """Give the records of a signal (see :data:`SIGNALS`) from ``start`` up to and without ``end``, in nanoseconds.

    Spans are given trace by trace, and by the start of their trace.
    """
    return SIGNALS[signal](connection, start, end)


def _spans(connection: Connection, start: int, end: int) -> Iterator[list[Span]]:
    blocks = PayloadReader()
    query = select(_trace.id, _trace.trace_id).where(_trace.start >= start, _trace.start < end)
    for traces in chunks(connection, query, _trace.id, _TRACES):
        ids = {row.id: row.trace_id for row in traces}
        rows = connection.execute(
            select(schema.span, *(schema.series.c[name] for name in schema.SERIES_KEY))
            .join(schema.series, schema.series.c.id == _span.series)
            .where(_span.trace.in_(ids))
            .order_by(_span.payload, _span.place)
        ).all()
        for at in range(0, len(rows), _BATCH):
            some = rows[at : at + _BATCH]
            read = blocks.read(connection, {row.payload for row in some})
            yield [_span_of(row, ids[row.trace], read) for row in some]


def _span_of(row: Row[Any], trace_id: bytes, blocks: Mapping[int, list[Any]]) -> Span:
    block = blocks.get(row.payload)
    details: dict[str, Any] = block[1 + row.place] if block is not None else {"r": None}
    kind = details.get("k", 0)
    remote = row.entry and row.parent_id and kind not in _LOCAL_ENTRIES
    scope = details.get("s") or ("", "")
    return Span(
        trace_id=trace_id,
        span_id=row.span_id,
        parent_id=row.parent_id or b"",
        name=details.get("n") or row.name,
        kind=kind,
        start=row.start,
        end=row.start + row.duration,
        status=row.status,
        status_message=details.get("m", ""),
        attributes=details.get("a", {}),
        events=tuple(SpanEvent(*event) for event in details.get("e", ())),
        links=tuple(
            SpanLink(bytes.fromhex(trace), bytes.fromhex(span), attributes)
            for trace, span, attributes in details.get("l", ())
        ),
        resource=_resource(row) if block is None else Resource(block[0][details["r"]]),
        scope=Scope(*scope),
        flags=1 | (_REMOTE_PARENT if remote else 0),
        trace_state=details.get("t", ""),
        dropped_attributes=details.get("d", 0),
    )


def _logs(connection: Connection, start: int, end: int) -> Iterator[list[LogRecord]]:
    blocks = PayloadReader()
    series = schema.log_series.c
    query = (
        select(schema.log, series.service, series.environment, series.logger, series.event_name)
        .join(schema.log_series, series.id == _log.series)
        .where(_log.time >= start, _log.time < end)
    )
    for rows in chunks(connection, query, _log.id, _BATCH):
        read = blocks.read(connection, {row.payload for row in rows})
        yield [_log_of(row, *read[row.payload][row.place]) for row in rows]


def _log_of(row: Row[Any], severity_text: str, attributes: dict[str, Any]) -> LogRecord:
    return LogRecord(
        time=row.time,
        observed=0,
        severity=row.severity,
        severity_text=severity_text,
        body=row.body,
        attributes={Core.LOG_RECORD_UID: exported_uid(row.uid), **attributes},
        event_name=row.event_name,
        trace_id=row.trace_id or b"",
        span_id=row.span_id or b"",
        resource=_resource(row),
        scope=Scope(row.logger),
    )


def _points(connection: Connection, start: int, end: int) -> Iterator[list[MetricPoint]]:
    for series in connection.execute(select(schema.metric_series).order_by(schema.metric_series.c.id)).all():
        query = select(schema.metric_point).where(_point.series == series.id, _point.time >= start, _point.time < end)
        for rows in chunks(connection, query, _point.time, _BATCH):
            yield [_point_of(row, series) for row in rows]


def _point_of(row: Row[Any], series: Row[Any]) -> MetricPoint:
    bounds, buckets, detail = json.loads(row.detail) if row.detail else ((), (), {})
    return MetricPoint(
        name=series.name,
        unit=series.unit,
        kind=series.kind,
        start=row.start,
        time=row.time,
        value=row.value,
        samples=row._mapping["count"] or 0,
        total=row.sum,
        bounds=tuple(bounds),
        buckets=tuple(buckets),
        monotonic=bool(series.monotonic),
        cumulative=bool(series.cumulative),
        attributes=json.loads(series.attributes),
        description=series.description,
        detail=detail,
        resource=_resource(series),
    )


def _resource(row: Row[Any]) -> Resource:
    known = ((Core.SERVICE_NAME, row.service), (Core.DEPLOYMENT_ENVIRONMENT, row.environment))
    return Resource({name: value for name, value in known if value})


SIGNALS: Final[dict[str, Callable[[Connection, int, int], Iterator[list[Any]]]]] = {
    "spans": _spans,
    "logs": _logs,
    "metrics": _points,
}
