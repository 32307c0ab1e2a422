"""The list of traces."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, false, func, literal_column, not_, or_, select, text, tuple_

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.filters import Field, Filter, Language
from otelkit.server.insights.ranges import Range, is_much
from otelkit.server.insights.rows import trace_row
from otelkit.server.insights.sums import Scope
from otelkit.server.kinds import KIND_BITS, KINDS
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import Dialect, dialect_of

__all__ = ["SORTS", "list_traces", "narrow", "trace_conditions", "trace_language", "worst_traces"]

SORTS: Final = ("newest", "slowest", "dearest", "errors")
_COUNTED: Final = 10_000
_table: Final = schema.trace.c
_COLUMN: Final = {"group": "grp"}
# NULL only where neither is known.
_TOKENS: Final = func.coalesce(_table.input_tokens + _table.output_tokens, _table.input_tokens, _table.output_tokens)
_COST_UNKNOWN: Final = or_(_table.unpriced != "[]", _table.unreported > 0)


def trace_language(connection: Connection) -> Language:
    """Return what traces can be filtered by."""
    dialect = dialect_of(connection)

    def texts(*described: tuple[str, str, Callable[[str], ColumnElement[bool]]]) -> Iterator[Field]:
        for key, about, condition in described:
            yield Field(key, "text", about, condition, facet=None if key == "trace" else key)

    columns = (
        *(("service", "service of the root"), ("environment", "deployment environment"), ("name", "name of the root")),
        *(("user", "user"), ("group", "group or tenant"), ("session", "session"), ("conversation", "conversation")),
    )
    return Language(
        "traces",
        (
            Field("status", "choice", "how it ended", _status, values=("error", "ok")),
            Field("kind", "choice", "a kind of step", _kind, values=KINDS, facet="kind"),
            *texts(
                ("model", "a model that was called", lambda value: dialect.holds(_table.models, value)),
                ("tool", "a tool that was called", lambda value: dialect.holds(_table.tools, value)),
                ("provider", "a provider that was called", lambda value: _span_with(connection, "provider", value)),
                ("route", "an HTTP route that was entered", lambda value: _span_with(connection, "route", value)),
                ("trace", "trace id", _trace_id),
                *((key, about, partial(operator.eq, _table[_COLUMN.get(key, key)])) for key, about in columns),
            ),
            Field("step", "text", "a step by its name", partial(_span_with, connection, "name")),
            Field("duration", "duration", "how long it took", column=_table.duration),
            Field("cost", "money", "cost in US dollars", column=_table.cost, unknown=_COST_UNKNOWN),
            Field("tokens", "number", "input and output tokens", column=_TOKENS, unknown=_table.unreported > 0),
            Field("errors", "number", "spans that failed", column=_table.errors),
            Field("spans", "number", "spans", column=_table.spans),
            Field("calls", "number", "calls to models", column=_table.llm_calls),
        ),
    )


def narrow(wanted: Filter) -> bool:
    """Say whether something so particular is asked for that all of time is meant."""
    return bool(wanted.words) or wanted.only("user", "group", "conversation", "session", "trace")


def trace_conditions(dialect: Dialect, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return everything that must hold for a trace."""
    found = list(wanted.conditions)
    if wanted.words:
        found.append(dialect.matches(_table.id, "trace_text", wanted.words))
    found.extend(not_(dialect.matches(_table.id, "trace_text", [word])) for word in wanted.without)
    return found


def list_traces(
    connection: Connection,
    period: Range,
    scope: Scope,
    wanted: Filter,
    *,
    sort: str = "newest",
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return one page of traces; raises ValueError for a cursor that is not one of this list."""
    conditions = [
        *_inside(connection, period, walked=sort in ("slowest", "dearest")),
        *scope.conditions(_table),
        *trace_conditions(dialect_of(connection), wanted),
    ]
    keys = {
        "newest": (_table.start, _table.id),
        "slowest": (_table.duration, _table.id),
        "errors": (_table.status, _table.start, _table.id),
        "dearest": (_table.cost, _table.id),
    }[sort]
    if sort == "dearest":
        conditions.append(_table.cost.is_not(None))  # as the index has it
    everything = tuple(conditions)
    if cursor is not None:
        types = (float if key is _table.cost else int for key in keys)
        conditions.append(tuple_(*keys) < tuple_(*decode_cursor(cursor, *types)))
    rows = _rows(connection, conditions, keys, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    # A page that is not full has counted them: what matches rarely is looked for once, not twice.
    counted = len(rows) if last is None and cursor is None else _count(connection, everything)
    return {
        "range": period.json(),
        "total": min(counted, _COUNTED),
        "total_exact": counted <= _COUNTED,
        "next_cursor": encode_cursor(*(getattr(last, key.name) for key in keys)) if last is not None else None,
        "traces": [trace_row(row) for row in rows[:limit]],
    }


def _count(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> int:
    some = select(literal_column("1")).where(*conditions).limit(_COUNTED + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def worst_traces(connection: Connection, period: Range, scope: Scope, limit: int = 8) -> list[dict[str, Any]]:
    """Return failing traces, newest first, then the slowest, ``limit`` in all and at most half of them failing."""
    here = scope.conditions(_table)
    inside = [*_inside(connection, period), *here]
    failing = _rows(connection, [*inside, _status("error")], (_table.start,), limit // 2)
    seen = {row.id for row in failing}
    walked = [*_inside(connection, period, walked=True), *here]
    slowest = _rows(connection, walked, (_table.duration, _table.id), limit)
    rows = failing + [row for row in slowest if row.id not in seen]
    return [trace_row(row) for row in rows[:limit]]


def _inside(connection: Connection, period: Range, *, walked: bool = False) -> list[ColumnElement[bool]]:
    """Say that a trace started in the range; ``walked`` where the index of the order is to be walked to find them."""
    # With the sum the index on the start is not thought of.
    start = _table.start + 0 if walked and is_much(connection, period) else _table.start
    return [start >= period.start_ns, start < period.end_ns]


def _rows(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], keys: Sequence[Any], limit: int
) -> list[Row[Any]]:
    """Return whole rows, highest keys first; numbers are sorted first, texts read after."""
    order = [key.desc() for key in keys]
    chosen = select(_table.id).where(*conditions).order_by(*order).limit(limit)
    return list(connection.execute(select(schema.trace).where(_table.id.in_(chosen)).order_by(*order)))


def _status(value: str) -> ColumnElement[bool]:
    # As literals, so that the partial index on failing traces is seen to fit.
    return text("trace.status = 2") if value == "error" else text("trace.status <> 2")  # type: ignore[return-value]


def _kind(value: str) -> ColumnElement[bool]:
    return _table.kinds.bitwise_and(KIND_BITS[value]) != 0


def _trace_id(value: str) -> ColumnElement[bool]:
    if len(value) != 32:
        raise ValueError("a trace id has 32 hex digits")
    return _table.trace_id == bytes.fromhex(value)


def _span_with(connection: Connection, name: str, value: str) -> ColumnElement[bool]:
    """Say that one of the trace's spans belongs to a series with this value."""
    series = connection.execute(select(schema.series.c.id).where(schema.series.c[name] == value)).scalars().all()
    span = schema.span.c
    # Not a subquery: where there is no such series nothing needs to be looked at.
    return (
        select(literal_column("1")).where(span.trace == _table.id, span.series.in_(series)).exists()
        if series
        else false()
    )
