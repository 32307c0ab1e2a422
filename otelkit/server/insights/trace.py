"""One trace: its spans in waterfall order, the one that matters, its logs.

A trace of up to :data:`DETAILED` spans is told span by span with everything in it; a longer one column by column,
without contents, because twenty thousand repetitions of forty names are what takes the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from otelkit.model import SpanKind
from otelkit.semconv.attributes import Operation
from otelkit.server.insights.errors import errors_of_trace
from otelkit.server.insights.links import linked_from
from otelkit.server.insights.logs import logs_of_trace
from otelkit.server.insights.rows import status_name, trace_row
from otelkit.server.insights.sums import tokens
from otelkit.server.insights.waterfall import LOST, Placed, Tree, critical_path, tree_of
from otelkit.server.messages import messages_of
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.storage.spent import Interval, self_times

__all__ = ["DETAILED", "call_of", "details_of", "number_of", "one_span", "one_trace", "spans_of"]

DETAILED: Final = 1000
_SHOWN: Final = 20_000
_KIND_NAMES: Final = {kind.value: kind.name.lower() for kind in SpanKind}
_STEP: Final = ("name", "service", "kind", "step", "model", "provider", "tool")
_CONTENT: Final = ("input", "output", "attributes", "events", "links", "resource", "scope")


def one_trace(
    connection: Connection, payloads: PayloadReader, trace_id: bytes, *, full: bool = False
) -> dict[str, Any] | None:
    """Return a trace with all its spans, or None where there is none of this id; ``full`` tells long ones in full."""
    row = _trace(connection, trace_id)
    if row is None:
        return None
    stored = spans_of(connection, row.id)
    tree = tree_of([Placed(s.span_id, s.parent_id or b"", s.start, s.duration, s.service, _entered(s)) for s in stored])
    detail = full or len(stored) <= DETAILED
    focus = _focus(stored, tree.depths)
    return {
        "trace": trace_row(row),
        "focus": focus.span_id.hex() if focus is not None else None,
        "start": tree.start / 1e6,
        "length_ms": _ms(tree.length),
        "detail": detail,
        "spans": list(_in_full(connection, payloads, stored, tree)) if detail else None,
        "columns": None if detail else _columns(stored, tree),
        "logs": logs_of_trace(connection, payloads, trace_id),
        "errors": errors_of_trace(connection, trace_id),
        "linked_from": linked_from(connection, trace_id),
    }


def one_span(connection: Connection, payloads: PayloadReader, trace_id: bytes, span_id: bytes) -> dict[str, Any] | None:
    """Return one span in full, or None."""
    row = _trace(connection, trace_id)
    found = spans_of(connection, row.id, span_id) if row is not None else []
    if row is None or not found:
        return None
    return {"span": _span(found[0], details_of(payloads.read(connection, {found[0].payload}), found[0]), row.start)}


def spans_of(connection: Connection, trace: int, span_id: bytes | None = None) -> list[Row[Any]]:
    """Return the stored spans of a trace with what their series say, by start; at most 20,000."""
    query = (
        select(schema.span, *(schema.series.c[name] for name in (*_STEP, "operation")))
        .join(schema.series, schema.series.c.id == schema.span.c.series)
        .where(schema.span.c.trace == trace)
        .order_by(schema.span.c.start)
        .limit(_SHOWN)
    )
    if span_id is not None:
        query = query.where(schema.span.c.span_id == span_id)
    return list(connection.execute(query).all())


def details_of(blocks: Mapping[int, list[Any]], span: Row[Any]) -> dict[str, Any] | None:
    """Return what a block keeps of a span, with its resource; None where the block is not there."""
    block = blocks.get(span.payload)
    if block is None:
        return None
    found: dict[str, Any] = block[1 + span.place]
    return {**found, "r": block[0][found["r"]]}


def number_of(connection: Connection, trace_id: bytes) -> int | None:
    """Return the row id of a trace, or None."""
    row = _trace(connection, trace_id)
    return None if row is None else int(row.id)


def _trace(connection: Connection, trace_id: bytes) -> Row[Any] | None:
    return connection.execute(select(schema.trace).where(schema.trace.c.trace_id == trace_id)).first()


def _entered(span: Row[Any]) -> bool:
    return bool(span.flags & schema.ENTRY)


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _focus(spans: Sequence[Row[Any]], depths: Sequence[int]) -> Row[Any] | None:
    failing = [at for at, span in enumerate(spans) if span.status == 2]
    if failing:
        return spans[max(failing, key=lambda at: (depths[at], spans[at].start))]
    calls = [span for span in spans if span.operation in Operation.INFERENCE and not span.flags & schema.DUPLICATE]
    if calls:
        return max(calls, key=lambda span: span.duration)
    first = min(range(len(spans)), key=lambda at: (depths[at], spans[at].start), default=None)
    return spans[first] if first is not None else None


def _own_times(stored: Sequence[Row[Any]], tree: Tree) -> list[int]:
    return self_times(
        [
            Interval(span.span_id, span.parent_id or b"", start, end, span.kind)
            for span, start, end in zip(stored, tree.starts, tree.ends, strict=True)
        ]
    )


def _stretches(tree: Tree) -> dict[int, list[list[float]]]:
    """Return the critical path as [offset, length] in milliseconds, by place; earliest first."""
    return {
        at: [[_ms(start - tree.start), _ms(end - start)] for start, end in sorted(stretches)]
        for at, stretches in critical_path(tree).items()
    }


def _in_full(
    connection: Connection, payloads: PayloadReader, stored: Sequence[Row[Any]], tree: Tree
) -> Iterator[dict[str, Any]]:
    blocks = payloads.read(connection, {span.payload for span in stored})
    own, critical = _own_times(stored, tree), _stretches(tree)
    for at in tree.order:
        span, shift = stored[at], tree.shifts[at]
        yield {
            **_span(span, details_of(blocks, span), tree.start - shift),
            "missing_parent": tree.parents[at] == LOST,
            "depth": tree.depths[at],
            "children": len(tree.children.get(at, ())),
            "offset_ms": _ms(tree.starts[at] - tree.start),
            "self_ms": _ms(own[at]),
            "clock_ms": _ms(shift) if shift else None,
            "critical": critical.get(at, []),
        }


def _columns(stored: Sequence[Row[Any]], tree: Tree) -> dict[str, Any]:
    """Return the same figures column by column; what few spans have is by place."""
    own, critical = _own_times(stored, tree), _stretches(tree)
    place = {at: number for number, at in enumerate(tree.order)}
    steps: dict[int, int] = {}
    names: list[dict[str, Any]] = []
    for span in stored:
        if span.series not in steps:
            steps[span.series] = len(names)
            names.append({name: getattr(span, name) or None for name in _STEP})
    ordered = [stored[at] for at in tree.order]
    return {
        "steps": names,
        "step": [steps[span.series] for span in ordered],
        "span_id": [span.span_id.hex() for span in ordered],
        "parent": [place.get(tree.parents[at], tree.parents[at]) for at in tree.order],
        "offset_ms": [_ms(tree.starts[at] - tree.start) for at in tree.order],
        "duration_ms": [_ms(span.duration) for span in ordered],
        "self_ms": [_ms(own[at]) for at in tree.order],
        "failed": [number for number, span in enumerate(ordered) if span.status == 2],
        "duplicates": [number for number, span in enumerate(ordered) if span.flags & schema.DUPLICATE],
        "calls": {str(number): call_of(span) for number, span in enumerate(ordered) if span.flags & schema.INFERENCE},
        "clock_ms": {str(place[at]): _ms(shift) for at, shift in enumerate(tree.shifts) if shift},
        "critical": {str(place[at]): stretches for at, stretches in critical.items()},
    }


def call_of(row: Row[Any]) -> dict[str, Any]:
    """Return what a model call took and cost; of any other span, that nothing is known."""
    reported = row.input_tokens is not None or row.output_tokens is not None
    return {
        "first_token_ms": row.first_token / 1e6 if row.first_token is not None else None,
        "tokens": tokens(row) if reported else None,
        "cost_usd": row.cost,
        "unpriced": bool(row.flags & schema.UNPRICED),
    }


def _span(row: Row[Any], details: dict[str, Any] | None, origin: int) -> dict[str, Any]:
    """Return one span; ``origin`` is the time from which its events are counted."""
    given = details or {}
    return {
        "span_id": row.span_id.hex(),
        "parent_id": row.parent_id.hex() if row.parent_id else None,
        "name": given.get("n") or row.name,
        "service": row.service,
        "kind": row.kind,
        "step": row.step,
        "otel_kind": _KIND_NAMES.get(given.get("k", 0), "unspecified"),
        "start": row.start / 1e6,
        "duration_ms": row.duration / 1e6,
        "status": status_name(row.status),
        "status_message": given.get("m") or None,
        "model": row.model or None,
        "provider": row.provider or None,
        "tool": row.tool or None,
        "duplicate": bool(row.flags & schema.DUPLICATE),
        **call_of(row),
        **_content(details, origin),
    }


def _content(details: dict[str, Any] | None, origin: int) -> dict[str, Any]:
    if details is None:
        return dict.fromkeys(_CONTENT)
    attributes = details.get("a", {})
    given, returned = messages_of(attributes)
    scope = details.get("s") or ["", ""]
    return {
        "input": given,
        "output": returned,
        "attributes": attributes,
        "events": [
            {"name": name, "time": time / 1e6, "offset_ms": _ms(time - origin), "attributes": of_event}
            for name, time, of_event in details.get("e", ())
        ],
        "links": [
            {"trace_id": trace_id, "span_id": span_id, "attributes": of_link}
            for trace_id, span_id, of_link in details.get("l", ())
        ],
        "resource": details.get("r", {}),
        "scope": {"name": scope[0], "version": scope[1]},
    }
