"""Single calls of one kind, found through their traces: the newest, the slowest, the failing.

Figures over a whole range come from the rollups; these are the calls themselves, for what rollups do not hold (scores,
result counts, error types, texts) and to lead from a figure to what is behind it. Every look is at a bounded number of
traces, and says whether that was all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, select, text

from otelkit.semconv.attributes import Core
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.rows import status_name
from otelkit.server.insights.sums import Scope
from otelkit.server.insights.trace import details_of
from otelkit.server.kinds import KIND_BITS
from otelkit.server.messages import messages_of
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["Call", "Looked", "by_type", "error_type", "failing_calls", "newest_calls", "slowest_calls"]

_TRACES: Final = 200
_SHOWN: Final = 300
_TYPES: Final = 20
_FAILED: Final = 100  # failures are far apart: each may lie in a block of its own
_trace, _span, _series = schema.trace.c, schema.span.c, schema.series.c
_COLUMNS: Final = ("service", "name", "kind", "step", "tool", "model")


@dataclass(frozen=True, slots=True)
class Call:
    """One span and what it says; ``attributes`` are empty where its details are gone."""

    row: Row[Any]
    details: Mapping[str, Any]

    @property
    def attributes(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.details.get("a", {})
        return found

    @property
    def label(self) -> str:
        """The tool or data source, else the span's name."""
        return str(self.row.tool or self.row.name)

    def json(self) -> dict[str, Any]:
        """Return what a list of calls shows; ``asked`` is the query or the arguments, where they were captured."""
        given, _ = messages_of(self.attributes)
        row = self.row
        return {
            "trace_id": row.trace_id.hex(),
            "span_id": row.span_id.hex(),
            "label": self.label,
            "name": row.name,
            "service": row.service,
            "start": row.start / 1e6,
            "duration_ms": row.duration / 1e6,
            "status": status_name(row.status),
            "error": error_type(self.details) if row.status == 2 else None,
            "asked": next((message["text"] for message in given or () if message["text"]), None),
        }


@dataclass(frozen=True, slots=True)
class Looked:
    """Calls that were looked at; ``complete`` says that there are no others in the range."""

    calls: Sequence[Call]
    complete: bool


def newest_calls(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope, kind: str) -> Looked:
    """Return the newest calls of a kind, newest first."""
    rows, complete = _found(connection, period, scope, kind, _trace.start)
    rows.sort(key=lambda row: -row.start)
    return Looked(_read(connection, payloads, rows[:_SHOWN]), complete and len(rows) <= _SHOWN)


def slowest_calls(
    connection: Connection, payloads: PayloadReader, period: Range, scope: Scope, kind: str, limit: int = 10
) -> list[Call]:
    """Return the slowest calls of a kind, out of the traces that took longest.

    A call is no longer than its trace: where hundreds of traces took long for other reasons, a call that is slow by
    itself in a shorter one may be missing.
    """
    rows, _ = _found(connection, period, scope, kind, _trace.duration)
    rows.sort(key=lambda row: -row.duration)
    return _read(connection, payloads, rows[:limit])


def failing_calls(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope, kind: str) -> Looked:
    """Return calls of a kind that failed, newest first."""
    # As a literal, so that the partial index on failing traces is seen to fit.
    failing: ColumnElement[bool] = text("trace.status = 2")  # type: ignore[assignment]
    rows, complete = _found(connection, period, scope, kind, _trace.start, failing)
    failed = sorted((row for row in rows if row.status == 2), key=lambda row: -row.start)
    return Looked(_read(connection, payloads, failed[:_FAILED]), complete and len(failed) <= _FAILED)


def by_type(looked: Looked, noun: str, label: Callable[[Call], str] = lambda call: call.label) -> dict[str, Any]:
    """Return failures by ``noun`` (what ``label`` gives) and type, most frequent first, each with its newest call."""
    found: dict[tuple[str, str], list[Call]] = {}
    for call in looked.calls:
        found.setdefault((label(call), error_type(call.details)), []).append(call)
    rows = [
        {
            noun: of,
            "type": kind,
            "message": next((str(call.details["m"]) for call in calls if call.details.get("m")), None),
            "calls": len(calls),
            "last": calls[0].row.start / 1e6,
            "trace_id": calls[0].row.trace_id.hex(),
            "span_id": calls[0].row.span_id.hex(),
        }
        for (of, kind), calls in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
    return {"calls": len(looked.calls), "complete": looked.complete, "rows": rows[:_TYPES]}


def _found(
    connection: Connection, period: Range, scope: Scope, kind: str, by: Any, *only: ColumnElement[bool]
) -> tuple[list[Row[Any]], bool]:
    """Return the calls in the traces highest by a column, and whether those are all traces of the range."""
    inside = (_trace.start >= period.start_ns, _trace.start < period.end_ns)
    holds = _trace.kinds.bitwise_and(KIND_BITS[kind]) != 0
    chosen = select(_trace.id).where(*inside, holds, *only).order_by(by.desc()).limit(_TRACES + 1)
    numbers = [row.id for row in connection.execute(chosen).all()]
    query = (
        select(schema.span, _trace.trace_id, *(_series[name] for name in _COLUMNS))
        .join(schema.series, _series.id == _span.series)
        .join(schema.trace, _trace.id == _span.trace)
        .where(_span.trace.in_(numbers[:_TRACES]), _series.kind == kind, *scope.conditions())
        .where(_span.flags.bitwise_and(schema.DUPLICATE) == 0)
    )
    return list(connection.execute(query).all()), len(numbers) <= _TRACES


def _read(connection: Connection, payloads: PayloadReader, rows: Sequence[Row[Any]]) -> list[Call]:
    blocks = payloads.read(connection, {row.payload for row in rows})
    return [Call(row, details_of(blocks, row) or {}) for row in rows]


def error_type(details: Mapping[str, Any]) -> str:
    """Return the type of what went wrong, as short as people say it."""
    attributes = details.get("a", {})
    found = attributes.get(Core.ERROR_TYPE) or attributes.get(Core.EXCEPTION_TYPE)
    if not found or found == "_OTHER":
        raised = (more for name, _, more in details.get("e", ()) if name == Core.EXCEPTION_EVENT)
        found = next((more.get(Core.EXCEPTION_TYPE) for more in raised if more.get(Core.EXCEPTION_TYPE)), None)
    return str(found or "Error").rpartition(".")[2] or "Error"
