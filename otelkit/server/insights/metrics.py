"""Metrics that arrived: their names, and the points of one."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from otelkit.model import MetricKind
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema

__all__ = ["metric_names", "metric_points"]

_SERIES: Final = 50
_POINTS: Final = 500
_series, _point = schema.metric_series.c, schema.metric_point.c


def metric_names(connection: Connection, scope: Scope) -> dict[str, Any]:
    """Return every metric with how many series it has and when it was last seen."""
    newest = select(func.max(_point.time)).where(_point.series == _series.id).scalar_subquery()
    query = (
        select(
            *(_series.name, _series.unit, _series.kind, func.max(_series.description).label("description")),
            func.count().label("series"),
            func.max(newest).label("last"),
        )
        .where(*scope.conditions(_series))
        .group_by(_series.name, _series.unit, _series.kind)
        .order_by(_series.name)
    )
    named = connection.execute(select(_series.name, _series.service).where(*scope.conditions(_series)).distinct())
    services: dict[str, list[str]] = {}
    for name, service in named:
        services.setdefault(name, []).append(service)
    return {
        "metrics": [
            {
                "name": row.name,
                "unit": row.unit,
                "kind": MetricKind(row.kind).name.lower(),
                "description": row.description,
                "series": row.series,
                "services": sorted(services.get(row.name, ())),
                "last": row.last / 1e6 if row.last is not None else None,
            }
            for row in connection.execute(query)
        ]
    }


def metric_points(connection: Connection, period: Range, scope: Scope, name: str) -> dict[str, Any] | None:
    """Return the points of one metric in the range, or None where there is no such metric."""
    query = (
        select(schema.metric_series)
        .where(_series.name == name, *scope.conditions(_series))
        .order_by(_series.id.desc())
        .limit(_SERIES + 1)
    )
    rows = list(connection.execute(query))
    if not rows:
        return None
    return {
        "range": period.json(),
        "name": name,
        "unit": rows[0].unit,
        "kind": MetricKind(rows[0].kind).name.lower(),
        "truncated": len(rows) > _SERIES,
        "series": [
            {
                "service": row.service,
                "attributes": json.loads(row.attributes),
                "monotonic": bool(row.monotonic),
                "cumulative": bool(row.cumulative),
                "points": _points(connection, period, row.id),
            }
            for row in rows[:_SERIES]
        ],
    }


def _points(connection: Connection, period: Range, series: int) -> list[dict[str, Any]]:
    query = (
        select(schema.metric_point)
        .where(_point.series == series, _point.time >= period.start_ns, _point.time < period.end_ns)
        .order_by(_point.time.desc())
        .limit(_POINTS)
    )
    return [_shown(row) for row in reversed(list(connection.execute(query)))]


def _shown(row: Row[Any]) -> dict[str, Any]:
    bounds, buckets, _ = json.loads(row.detail) if row.detail else (None, None, None)
    return {
        "time": row.time / 1e6,
        "value": row.value,
        "count": row._mapping["count"],
        "sum": row.sum,
        "bounds": bounds or None,
        "buckets": buckets or None,
    }
