"""Models: calls, errors, tokens, cost, latency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.semconv.attributes import Operation
from otelkit.server.insights.ranges import Range, before
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls, tokens, total_tokens, unpriced_models
from otelkit.server.storage import schema

__all__ = ["CALLS", "models"]

_KEY: Final = ("provider", "model", "operation")
_TOKENS: Final = ("input", "output", "cached", "cache_write", "reasoning", "total")
_NOTHING: Final = {"calls": 0, "errors": 0, "tokens": None, "cost_usd": None, "p95_ms": None}
# Conditions that pick calls to models: those whose tokens and cost count.
CALLS: Final = (schema.series.c.operation.in_([*Operation.INFERENCE, Operation.EMBEDDINGS]),)


def models(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return one row per provider, model and operation, dearest first, each with the period before."""
    sums = rolls(connection, period, scope, _KEY, only=CALLS)
    durations = hists(connection, period, scope, schema.DURATION, _KEY, only=CALLS)
    first = hists(connection, period, scope, schema.FIRST_TOKEN, _KEY, only=CALLS)
    series: dict[tuple[str, ...], tuple[list[int], list[float | None]]] = {}
    for row in rolls(connection, period, scope, _KEY, steps=True, only=CALLS):
        calls, costs = series.setdefault(tuple(row[:3]), ([0] * period.steps, [None] * period.steps))
        calls[row.at], costs[row.at] = row.calls, row.cost
    earlier = before(connection, period)
    then = _earlier(connection, earlier, scope) if earlier is not None else None
    known_cost = sum(row.cost or 0.0 for row in sums)
    rows = []
    for row in sums:
        key = (row.provider, row.model, row.operation)
        rows.append(
            {
                "provider": row.provider or None,
                "model": row.model or None,
                "operation": row.operation,
                **_counts(row),
                "error_ratio": row.errors / row.calls,
                "share": row.cost / known_cost if row.cost is not None and known_cost else None,
                "p50_ms": milliseconds(durations.get(key), 0.5),
                "p95_ms": milliseconds(durations.get(key), 0.95),
                "first_token_p50_ms": milliseconds(first.get(key), 0.5),
                "first_token_p95_ms": milliseconds(first.get(key), 0.95),
                "tokens_per_s": row.stream_tokens / (row.stream_time / 1e9) if row.stream_time else None,
                "calls_series": series[key][0],
                "cost_series": series[key][1],
                "previous": None if then is None else then.get(key, _NOTHING),
            }
        )
    rows.sort(key=lambda row: (-(row["cost_usd"] or 0.0), -row["calls"]))
    return {
        "range": period.json(),
        "times": period.times,
        "models": rows,
        "total": {**_total(rows), "previous": None if then is None else _sum_up(then.values())},
        "unpriced": unpriced_models(sums),
    }


def _earlier(connection: Connection, period: Range, scope: Scope) -> dict[tuple[str, ...], dict[str, Any]]:
    durations = hists(connection, period, scope, schema.DURATION, _KEY, only=CALLS)
    return {
        tuple(row[:3]): {
            "calls": row.calls,
            "errors": row.errors,
            "tokens": total_tokens(row),
            "cost_usd": row.cost,
            "p95_ms": milliseconds(durations.get(tuple(row[:3])), 0.95),
        }
        for row in rolls(connection, period, scope, _KEY, only=CALLS)
    }


def _sum_up(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    known = list(rows)
    return {
        "calls": sum(row["calls"] for row in known),
        "errors": sum(row["errors"] for row in known),
        "tokens": _known_sum(row["tokens"] for row in known),
        "cost_usd": _known_sum(row["cost_usd"] for row in known),
    }


def _counts(row: Any) -> dict[str, Any]:
    return {
        "calls": row.calls,
        "errors": row.errors,
        "unreported_calls": row.unreported,
        "unpriced_calls": row.unpriced,
        "tokens": tokens(row),
        "cost_usd": row.cost,
    }


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {
        name: sum(row[name] for row in rows) for name in ("calls", "errors", "unreported_calls", "unpriced_calls")
    }
    total["tokens"] = {name: _known_sum(row["tokens"][name] for row in rows) for name in _TOKENS}
    total["cost_usd"] = _known_sum(row["cost_usd"] for row in rows)
    return total


def _known_sum(values: Any) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
