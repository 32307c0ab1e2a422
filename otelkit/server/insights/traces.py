"""The list of traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, literal_column, select, text, tuple_

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.rows import trace_row
from otelkit.server.insights.sums import Scope
from otelkit.server.kinds import KIND_BITS
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import Dialect, dialect_of

__all__ = ["SORTS", "TraceFilter", "list_traces"]

SORTS: Final = ("newest", "slowest", "errors")
_COUNTED: Final = 10_000
_table: Final = schema.trace.c


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What to show; None and empty mean no condition. Durations are milliseconds."""

    status: str | None = None
    model: str | None = None
    tool: str | None = None
    user: str | None = None
    group: str | None = None
    conversation: str | None = None
    session: str | None = None
    name: str | None = None
    kind: str | None = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    words: tuple[str, ...] = ()

    @property
    def narrow(self) -> bool:
        """Whether it asks for something so particular that all of time is meant."""
        return bool(self.words or self.user or self.group or self.conversation or self.session)

    def conditions(self, dialect: Dialect) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        for name, column in (
            ("user", _table.user),
            ("group", _table.grp),
            ("conversation", _table.conversation),
            ("session", _table.session),
            ("name", _table.name),
        ):
            value = getattr(self, name)
            if value is not None:
                found.append(column == value)
        for column, value in ((_table.models, self.model), (_table.tools, self.tool)):
            if value is not None:
                found.append(dialect.holds(column, value))
        if self.status is not None:
            # As literals, so that the partial index on failing traces is seen to fit.
            found.append(text("trace.status = 2") if self.status == "error" else text("trace.status <> 2"))  # type: ignore[arg-type]
        if self.kind is not None:
            found.append(_table.kinds.bitwise_and(KIND_BITS[self.kind]) != 0)
        if self.min_duration_ms is not None:
            found.append(_table.duration >= int(self.min_duration_ms * 1e6))
        if self.max_duration_ms is not None:
            found.append(_table.duration <= int(self.max_duration_ms * 1e6))
        if self.words:
            found.append(dialect.matches(_table.id, "trace_text", self.words))
        return found


def list_traces(
    connection: Connection,
    period: Range,
    scope: Scope,
    wanted: TraceFilter,
    *,
    sort: str = "newest",
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return one page of traces; raises ValueError for a cursor that is not one of this list."""
    conditions = [
        _table.start >= period.start_ns,
        _table.start < period.end_ns,
        *scope.conditions(_table),
        *wanted.conditions(dialect_of(connection)),
    ]
    counted = connection.execute(
        select(func.count()).select_from(select(literal_column("1")).where(*conditions).limit(_COUNTED + 1).subquery())
    ).scalar_one()
    keys = {
        "newest": (_table.start, _table.id),
        "slowest": (_table.duration, _table.id),
        "errors": (_table.status, _table.start, _table.id),
    }[sort]
    if cursor is not None:
        conditions.append(tuple_(*keys) < tuple_(*decode_cursor(cursor, len(keys))))
    rows = _rows(connection, conditions, keys, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "range": period.json(),
        "total": min(counted, _COUNTED),
        "total_exact": counted <= _COUNTED,
        "next_cursor": encode_cursor(*(getattr(last, key.name) for key in keys)) if last is not None else None,
        "traces": [trace_row(row) for row in rows[:limit]],
    }


def worst_traces(connection: Connection, period: Range, scope: Scope, limit: int = 8) -> list[dict[str, Any]]:
    """Return failing traces, newest first, then the slowest, ``limit`` in all and at most half of them failing."""
    inside = [_table.start >= period.start_ns, _table.start < period.end_ns, *scope.conditions(_table)]
    failing = _rows(connection, [*inside, text("trace.status = 2")], (_table.start,), limit // 2)  # type: ignore[list-item]
    seen = {row.id for row in failing}
    slowest = _rows(connection, inside, (_table.duration, _table.id), limit)
    rows = failing + [row for row in slowest if row.id not in seen]
    return [trace_row(row) for row in rows[:limit]]


def _rows(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], keys: Sequence[Any], limit: int
) -> list[Row[Any]]:
    """Return whole rows, highest keys first; numbers are sorted first, texts read after."""
    order = [key.desc() for key in keys]
    chosen = select(_table.id).where(*conditions).order_by(*order).limit(limit)
    return list(connection.execute(select(schema.trace).where(_table.id.in_(chosen)).order_by(*order)))
