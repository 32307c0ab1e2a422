"""Who and what causes the most: calls, errors, tokens and cost by one column, with the period before."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select

from otelkit.server.insights.models import CALLS
from otelkit.server.insights.ranges import Range, before, is_much
from otelkit.server.insights.services import ENTRIES
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls, total_tokens
from otelkit.server.storage import schema

__all__ = ["BY", "SORTS", "entries", "top"]

Entry = dict[str, Any]
_trace: Final = schema.trace.c
_series: Final = schema.series.c
_WHOM: Final[dict[str, ColumnElement[Any]]] = {
    "user": _trace.user,
    "group": _trace.grp,
    "conversation": _trace.conversation,
}
# The rollups' column, and which spans are counted by it.
_WHAT: Final[dict[str, tuple[str, tuple[ColumnElement[bool], ...]]]] = {
    "route": ("route", (*ENTRIES, _series.route != "")),
    "name": ("name", ENTRIES),
    "service": ("service", ENTRIES),
    "model": ("model", CALLS),
    "provider": ("provider", CALLS),
    "tool": ("tool", (_series.kind == "tool", _series.tool != "")),
}
BY: Final = (*_WHOM, *_WHAT)
SORTS: Final = ("cost", "count", "errors", "tokens")
_SORT_KEYS: Final = {"cost": "cost_usd", "count": "count", "errors": "errors", "tokens": "tokens"}
_KEPT: Final = ("count", "errors", "llm_calls", "tokens", "cost_usd")


def top(
    connection: Connection, period: Range, scope: Scope, by: str, *, sort: str = "cost", limit: int = 20
) -> dict[str, Any]:
    """Return the values of ``by`` (see :data:`BY`) with the most of ``sort``, and how many values there are.

    Tokens and cost of a route or root are unknown: the calls to models below it are counted by model and service.
    """
    found = entries(connection, period, scope, by)
    earlier = before(connection, period)
    then = {entry["value"]: entry for entry in entries(connection, earlier, scope, by)} if earlier is not None else {}
    key = _SORT_KEYS[sort]
    found.sort(key=lambda entry: (-(entry[key] or 0), -entry["count"], str(entry["value"])))
    for entry in found[:limit]:
        old = then.get(entry["value"])
        nothing = dict.fromkeys(_KEPT, 0) if earlier is not None else None
        entry["previous"] = {name: old[name] for name in _KEPT} if old is not None else nothing
    return {"range": period.json(), "by": by, "total": len(found), "top": found[:limit]}


def entries(connection: Connection, period: Range, scope: Scope, by: str) -> list[Entry]:
    """Return the figures of every value of ``by``, in no order."""
    whom = _WHOM.get(by)
    return _by_trace(connection, period, scope, whom) if whom is not None else _by_series(connection, period, scope, by)


def _by_trace(connection: Connection, period: Range, scope: Scope, column: ColumnElement[Any]) -> list[Entry]:
    # Much of the store is read fastest from the index that holds all of these figures, in the order of the groups; an
    # index on the start would lead to every row.
    start = _trace.start + 0 if is_much(connection, period) else _trace.start
    query = (
        select(
            column.label("value"),
            func.count().label("count"),
            func.sum(case((_trace.status == 2, 1), else_=0)).label("errors"),
            func.sum(_trace.llm_calls).label("calls"),
            func.sum(_trace.unreported).label("unreported"),
            func.sum(_trace.input_tokens).label("input_tokens"),
            func.sum(_trace.output_tokens).label("output_tokens"),
            func.sum(_trace.cost).label("cost"),
        )
        .where(column.is_not(None), start >= period.start_ns, start < period.end_ns)
        .where(*scope.conditions(_trace))
        .group_by(column)
    )
    return [_entry(row.value, row, row._mapping["count"], int(row.calls)) for row in connection.execute(query).all()]


def _by_series(connection: Connection, period: Range, scope: Scope, by: str) -> list[Entry]:
    column, only = _WHAT[by]
    durations = hists(connection, period, scope, schema.DURATION, (column,), only=only)
    calls = {}
    if by == "service":
        calls = {row[0]: row for row in rolls(connection, period, scope, (column,), only=CALLS)}
    found = []
    for row in rolls(connection, period, scope, (column,), only=only):
        spent = calls.get(row[0], row)
        made = spent.calls if spent is not row or by in ("model", "provider") else 0
        entry = _entry(row[0] or None, spent, row.calls, made)
        counts = durations.get((row[0],))
        entry.update(errors=row.errors, error_ratio=row.errors / row.calls)
        entry.update(p50_ms=milliseconds(counts, 0.5), p95_ms=milliseconds(counts, 0.95))
        found.append(entry)
    return found


def _entry(value: Any, row: Any, count: int, llm_calls: int) -> Entry:
    tokens = total_tokens(row)
    return {
        "value": value,
        "count": count,
        "errors": int(row.errors),
        "error_ratio": int(row.errors) / count,
        "llm_calls": llm_calls,
        "tokens": None if tokens is None else int(tokens),
        "cost_usd": row.cost,
        "unreported_calls": int(row.unreported),
        "p50_ms": None,
        "p95_ms": None,
        "previous": None,
    }
