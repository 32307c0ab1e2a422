"""What can be filtered by: the values of each facet in a range, with how often they occur."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, rolls
from otelkit.server.storage import schema
from otelkit.server.storage.logs import SEVERITIES

__all__ = ["facets", "log_facets"]

_MOST: Final = 50
_NEWEST: Final = 5_000
_COLUMNS: Final = ("service", "environment", "model", "provider", "tool", "kind", "route", "name")
_WHO: Final = {"user": "user", "group": "grp", "conversation": "conversation", "session": "session"}
_LOG_COLUMNS: Final = {"service": "service", "environment": "environment", "logger": "logger", "event": "event_name"}


def facets(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return the facets of traces: spans by what they did, and the newest traces by whom they were for."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COLUMNS}
    for row in rolls(connection, period, scope, (*_COLUMNS, "entry")):
        for name in _COLUMNS:
            value = getattr(row, name)
            # A data source is no tool, and only a root's name is one to filter by.
            if value and (name != "tool" or row.kind == "tool") and (name != "name" or row.entry):
                counts[name][value] += row.calls
    for name, values in _whom(connection, period, scope).items():
        counts[name] = values
    return {"range": period.json(), **{name: _listed(values) for name, values in counts.items()}}


def log_facets(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return the facets of log records, counted by record."""
    table, series = schema.LOGS[period.unit].c, schema.log_series.c
    columns = [series[column].label(name) for name, column in _LOG_COLUMNS.items()]
    query = (
        select(table.severity, *columns, func.sum(table["count"]).label("records"))
        .join(schema.log_series, series.id == table.series)
        .where(table.time >= period.start, table.time < period.end, *scope.conditions(series))
        .group_by(table.severity, *columns)
    )
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("severity", *_LOG_COLUMNS)}
    for row in connection.execute(query):
        counts["severity"][SEVERITIES[row.severity]] += row.records
        for name in _LOG_COLUMNS:
            if getattr(row, name):
                counts[name][getattr(row, name)] += row.records
    return {"range": period.json(), **{name: _listed(values) for name, values in counts.items()}}


def _whom(connection: Connection, period: Range, scope: Scope) -> dict[str, Counter[str]]:
    table = schema.trace.c
    newest = (
        select(*(table[column].label(name) for name, column in _WHO.items()))
        .where(table.start >= period.start_ns, table.start < period.end_ns, *scope.conditions(table))
        .order_by(table.start.desc())
        .limit(_NEWEST)
    )
    counts: dict[str, Counter[str]] = {name: Counter() for name in _WHO}
    for row in connection.execute(newest).all():
        for name, value in row._mapping.items():
            if value is not None:
                counts[name][value] += 1
    return counts


def _listed(counts: Counter[str]) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in counts.most_common(_MOST)]
