"""Performance budgets that services declare, against what their requests took."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import RequestMetrics
from otelkit.server.insights.heartbeats import newest
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.services import ENTRIES
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls
from otelkit.server.storage import schema
from otelkit.settings.budgets import MEASURES, SHARES

__all__ = ["budgets"]

_DECLARED: Final = 86_400.0  # seconds: one that no process has declared for so long is no budget any more
_FRESH: Final = 300.0
_series, _trace = schema.series.c, schema.trace.c


def budgets(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return each budget with its value in the range: from the requests stored, else as a process reported it lately.

    What is exceeded comes first; a value that nobody knows is None.
    """
    limits = _reported(connection, scope, RequestMetrics.BUDGET_LIMIT.name, period.now - _DECLARED)
    told = _reported(connection, scope, RequestMetrics.BUDGET_VALUE.name, period.now - _FRESH)
    rows: list[dict[str, Any]] = []
    for (target, measure), limit in limits.items():
        if measure not in MEASURES:
            continue
        requests, value = (None, None) if measure == "bytes" else _value(connection, period, scope, target, measure)
        source = "requests" if value is not None else "reported" if (target, measure) in told else None
        value = told.get((target, measure)) if value is None else value
        rows.append(
            {
                "target": target,
                "measure": measure,
                "unit": MEASURES[measure],
                "limit": limit,
                "value": value,
                "used": None if value is None else value / limit,
                "exceeded": value is not None and value > limit,
                "requests": requests,
                "source": source,
            }
        )
    rows.sort(key=lambda row: (not row["exceeded"], -(row["used"] or 0), row["target"], row["measure"]))
    return {"range": period.json(), "budgets": rows, "exceeded": sum(row["exceeded"] for row in rows)}


def _reported(connection: Connection, scope: Scope, name: str, since: float) -> dict[tuple[str, str], float]:
    """Return the newest limit of each budget, or the worst value of several processes."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    latest = name == RequestMetrics.BUDGET_LIMIT.name
    for point in newest(connection, scope, name, since):
        key = str(point.labels.get(Otelkit.BUDGET_TARGET, "")), str(point.labels.get(Otelkit.BUDGET_MEASURE, ""))
        rank = point.time if latest else point.value
        if point.value > 0 and rank > found.get(key, (0.0, 0.0))[0]:
            found[key] = rank, point.value
    return {key: value for key, (_, value) in found.items()}


def _value(connection: Connection, period: Range, scope: Scope, target: str, measure: str) -> tuple[int, float | None]:
    """Return how many requests of a route there were, and what they took by a measure."""
    only = (*ENTRIES, _series.name == target)
    sums = rolls(connection, period, scope, only=only)
    requests = int(sums[0].calls) if sums else 0
    if not requests:
        return 0, None
    if measure in SHARES:
        counts = hists(connection, period, scope, schema.DURATION, only=only).get(())
        value = milliseconds(counts, SHARES[measure])
        return requests, None if value is None else value / 1000
    if measure == "mean":
        return requests, sums[0].duration / requests / 1e9
    tokens = func.avg(func.coalesce(_trace.input_tokens, 0) + func.coalesce(_trace.output_tokens, 0))
    query = select(tokens).where(
        _trace.start >= period.start_ns,
        _trace.start < period.end_ns,
        _trace.name == target,
        _trace.unreported == 0,
        _trace.input_tokens.is_not(None) | _trace.output_tokens.is_not(None),
        *scope.conditions(_trace),
    )
    mean = connection.execute(query).scalar()
    return requests, None if mean is None else float(mean)
