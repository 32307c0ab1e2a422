"""One trace: its spans in waterfall order, the one that matters, its logs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from otelkit.model import SpanKind
from otelkit.semconv.attributes import Operation
from otelkit.server.insights.logs import logs_of_trace
from otelkit.server.insights.rows import status_name, trace_row
from otelkit.server.insights.sums import tokens
from otelkit.server.messages import messages_of
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.storage.spent import Interval, self_times

__all__ = ["one_span", "one_trace"]

_DETAILED: Final = 1000
_SHOWN: Final = 20_000
_KIND_NAMES: Final = {kind.value: kind.name.lower() for kind in SpanKind}


def one_trace(connection: Connection, payloads: PayloadReader, trace_id: bytes) -> dict[str, Any] | None:
    """Return a trace with all its spans, or None where there is none of this id."""
    row = connection.execute(select(schema.trace).where(schema.trace.c.trace_id == trace_id)).first()
    if row is None:
        return None
    stored = _spans(connection, row.id)
    detail = len(stored) <= _DETAILED
    blocks = payloads.read(connection, {span.payload for span in stored}) if detail else {}
    own = self_times([Interval(s.span_id, s.parent_id or b"", s.start, s.start + s.duration, s.kind) for s in stored])
    order, depths, children = _waterfall(stored)
    known = {span.span_id for span in stored}
    spans = []
    for at in order:
        span = stored[at]
        shown = _span(span, _details(blocks, span), row.start)
        spans.append(
            {
                **shown,
                "missing_parent": bool(span.parent_id) and span.parent_id not in known,
                "depth": depths[at],
                "children": len(children.get(at, ())),
                "offset_ms": (span.start - row.start) / 1e6,
                "self_ms": own[at] / 1e6,
            }
        )
    focus = _focus(stored, depths)
    return {
        "trace": trace_row(row),
        "focus": focus.span_id.hex() if focus is not None else None,
        "detail": detail,
        "spans": spans,
        "logs": logs_of_trace(connection, payloads, trace_id),
    }


def one_span(connection: Connection, payloads: PayloadReader, trace_id: bytes, span_id: bytes) -> dict[str, Any] | None:
    """Return one span in full, or None."""
    row = connection.execute(
        select(schema.trace.c.id, schema.trace.c.start).where(schema.trace.c.trace_id == trace_id)
    ).first()
    found = _spans(connection, row.id, span_id) if row is not None else []
    if row is None or not found:
        return None
    blocks = payloads.read(connection, {found[0].payload})
    return {"span": _span(found[0], _details(blocks, found[0]), row.start)}


def _spans(connection: Connection, trace: int, span_id: bytes | None = None) -> list[Row[Any]]:
    query = (
        select(schema.span, *(schema.series.c[name] for name in schema.SERIES_KEY if name != "entry"))
        .join(schema.series, schema.series.c.id == schema.span.c.series)
        .where(schema.span.c.trace == trace)
        .order_by(schema.span.c.start)
        .limit(_SHOWN)
    )
    if span_id is not None:
        query = query.where(schema.span.c.span_id == span_id)
    return list(connection.execute(query))


def _waterfall(spans: Sequence[Row[Any]]) -> tuple[list[int], list[int], Mapping[int, list[int]]]:
    """Return the order depth first by start, depths, and children; loops of parents are cut and shown as roots."""
    place = {span.span_id: at for at, span in enumerate(spans)}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for at, span in enumerate(spans):
        parent = place.get(span.parent_id, -1) if span.parent_id else -1
        children[-1 if parent == at else parent].append(at)
    order: list[int] = []
    depths = [-1] * len(spans)
    for first in (*children.get(-1, ()), *range(len(spans))):
        stack = [(first, 0)]
        while stack:
            at, depth = stack.pop()
            if depths[at] < 0:
                depths[at] = depth
                order.append(at)
                stack.extend((child, depth + 1) for child in reversed(children.get(at, ())))
    return order, depths, children


def _focus(spans: Sequence[Row[Any]], depths: Sequence[int]) -> Row[Any] | None:
    failing = [at for at, span in enumerate(spans) if span.status == 2]
    if failing:
        return spans[max(failing, key=lambda at: (depths[at], spans[at].start))]
    calls = [span for span in spans if span.operation in Operation.INFERENCE and not span.flags & schema.DUPLICATE]
    if calls:
        return max(calls, key=lambda span: span.duration)
    first = min(range(len(spans)), key=lambda at: (depths[at], spans[at].start), default=None)
    return spans[first] if first is not None else None


def _details(blocks: Mapping[int, list[Any]], span: Row[Any]) -> dict[str, Any] | None:
    block = blocks.get(span.payload)
    if block is None:
        return None
    found: dict[str, Any] = block[1 + span.place]
    return {**found, "r": block[0][found["r"]]}


def _span(row: Row[Any], details: dict[str, Any] | None, trace_start: int) -> dict[str, Any]:
    reported = row.input_tokens is not None or row.output_tokens is not None
    shown = {
        "span_id": row.span_id.hex(),
        "parent_id": row.parent_id.hex() if row.parent_id else None,
        "name": (details or {}).get("n") or row.name,
        "service": row.service,
        "kind": row.kind,
        "step": row.step,
        "otel_kind": _KIND_NAMES.get((details or {}).get("k", 0), "unspecified"),
        "start": row.start / 1e6,
        "duration_ms": row.duration / 1e6,
        "status": status_name(row.status),
        "status_message": (details or {}).get("m") or None,
        "model": row.model or None,
        "provider": row.provider or None,
        "tool": row.tool or None,
        "first_token_ms": row.first_token / 1e6 if row.first_token is not None else None,
        "duplicate": bool(row.flags & schema.DUPLICATE),
        "tokens": tokens(row) if reported else None,
        "cost_usd": row.cost,
        "unpriced": bool(row.flags & schema.UNPRICED),
    }
    return {**shown, **_content(details, trace_start)}


def _content(details: dict[str, Any] | None, trace_start: int) -> dict[str, Any]:
    if details is None:
        return dict.fromkeys(("input", "output", "attributes", "events", "links", "resource", "scope"))
    attributes = details.get("a", {})
    given, returned = messages_of(attributes)
    scope = details.get("s") or ["", ""]
    return {
        "input": given,
        "output": returned,
        "attributes": attributes,
        "events": [
            {"name": name, "time": time / 1e6, "offset_ms": (time - trace_start) / 1e6, "attributes": of_event}
            for name, time, of_event in details.get("e", ())
        ],
        "links": [
            {"trace_id": trace_id, "span_id": span_id, "attributes": of_link}
            for trace_id, span_id, of_link in details.get("l", ())
        ],
        "resource": details.get("r", {}),
        "scope": {"name": scope[0], "version": scope[1]},
    }
