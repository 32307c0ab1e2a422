"""Services and steps: what there is in a range."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from otelkit.server.insights.models import CALLS
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls, total_tokens
from otelkit.server.storage import schema

__all__ = ["ENTRIES", "services", "steps"]

_SERVICE: Final = ("service", "environment")
_STEP: Final = ("service", "name", "kind", "step", "model", "tool", "route")
_MOST_STEPS: Final = 200
ENTRIES: Final = (schema.series.c.entry == 1,)


def services(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return one row per service and environment, most requests first."""
    spans = rolls(connection, period, scope, _SERVICE)
    entries = {tuple(row[:2]): row for row in rolls(connection, period, scope, _SERVICE, only=ENTRIES)}
    calls = {tuple(row[:2]): row for row in rolls(connection, period, scope, _SERVICE, only=CALLS)}
    durations = hists(connection, period, scope, schema.DURATION, _SERVICE, only=ENTRIES)
    series: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for row in rolls(connection, period, scope, _SERVICE, steps=True, only=ENTRIES):
        requests, errors = series.setdefault(tuple(row[:2]), ([0] * period.steps, [0] * period.steps))
        requests[row.at], errors[row.at] = row.calls, row.errors
    rows = []
    for row in spans:
        key = (row.service, row.environment)
        entry, call = entries.get(key), calls.get(key)
        requests, errors = series.get(key, ([0] * period.steps, [0] * period.steps))
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
                "requests_per_s": entry.calls / period.seconds if entry is not None else 0.0,
                "requests_series": requests,
                "errors_series": errors,
            }
        )
    rows.sort(key=lambda row: (-row["requests"], -row["spans"]))
    return {"range": period.json(), "times": period.times, "services": rows}


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
