"""Services, steps and facets: what there is in a range."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.server.insights.models import CALLS
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls, total_tokens
from otelkit.server.storage import schema

__all__ = ["ENTRIES", "facets", "services", "steps"]

_SERVICE: Final = ("service", "environment")
_STEP: Final = ("service", "name", "kind", "step", "model", "tool", "route")
_MOST: Final = 50
_MOST_STEPS: Final = 200
ENTRIES: Final = (schema.series.c.entry == 1,)


def services(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return one row per service and environment, most requests first."""
    spans = rolls(connection, period, scope, _SERVICE)
    entries = {tuple(row[:2]): row for row in rolls(connection, period, scope, _SERVICE, only=ENTRIES)}
    calls = {tuple(row[:2]): row for row in rolls(connection, period, scope, _SERVICE, only=CALLS)}
    durations = hists(connection, period, scope, schema.DURATION, _SERVICE, only=ENTRIES)
    rows = []
    for row in spans:
        key = (row.service, row.environment)
        entry, call = entries.get(key), calls.get(key)
        rows.append(
            {
                "service": row.service,
                "environment": row.environment or None,
                "spans": row.calls,
                "requests": entry.calls if entry is not None else 0,
                "errors": entry.errors if entry is not None else 0,
                "error_ratio": entry.errors / entry.calls if entry is not None else None,
                "p50_ms": milliseconds(durations.get(key), 0.5),
                "p95_ms": milliseconds(durations.get(key), 0.95),
                "llm_calls": call.calls if call is not None else 0,
                "tokens": total_tokens(call) if call is not None else None,
                "cost_usd": call.cost if call is not None else None,
                "last": row.last * 1000,
            }
        )
    rows.sort(key=lambda row: (-row["requests"], -row["spans"]))
    return {"range": period.json(), "services": rows}


def steps(connection: Connection, period: Range, scope: Scope, kind: str | None = None) -> dict[str, Any]:
    """Return one row per kind of step, most time first."""
    only = (schema.series.c.kind == kind,) if kind is not None else ()
    durations = hists(connection, period, scope, schema.DURATION, _STEP, only=only)
    rows = []
    for row in rolls(connection, period, scope, _STEP, only=only):
        counts = durations.get(tuple(row[:7]))
        rows.append(
            {
                "service": row.service,
                "name": row.name,
                "label": row.tool or row.model or row.route or row.name,
                "kind": row.kind,
                "step": row.step,
                "calls": row.calls,
                "errors": row.errors,
                "error_ratio": row.errors / row.calls,
                "p50_ms": milliseconds(counts, 0.5),
                "p95_ms": milliseconds(counts, 0.95),
                "total_ms": row.duration / 1e6,
            }
        )
    rows.sort(key=lambda row: -row["total_ms"])
    return {"range": period.json(), "steps": rows[:_MOST_STEPS]}


def facets(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return what can be filtered by, most frequent first."""
    columns = ("service", "environment", "model", "provider", "tool", "kind")
    counts: dict[str, Counter[str]] = {name: Counter() for name in columns}
    for row in rolls(connection, period, scope, columns):
        for name in columns:
            value = getattr(row, name)
            if value and (name != "tool" or row.kind == "tool"):
                counts[name][value] += row.calls
    found: dict[str, Any] = {"range": period.json()}
    for name in columns:
        found[name] = [{"value": value, "count": count} for value, count in counts[name].most_common(_MOST)]
    for name in ("user", "conversation"):
        found[name] = _of_traces(connection, period, scope, name)
    return found


def _of_traces(connection: Connection, period: Range, scope: Scope, name: str) -> list[dict[str, Any]]:
    table = schema.trace.c
    count = func.count()
    query = (
        select(table[name], count)
        .where(table.start >= period.start_ns, table.start < period.end_ns, table[name].is_not(None))
        .where(*scope.conditions(table))
        .group_by(table[name])
        .order_by(count.desc(), table[name])
        .limit(_MOST)
    )
    return [{"value": value, "count": number} for value, number in connection.execute(query)]
