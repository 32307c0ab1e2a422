"""Databases: calls by what they do, slow and repeated statements, connection pools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.semconv.attributes import Core, Database, Otelkit
from otelkit.semconv.metrics import DatabaseMetrics
from otelkit.server.insights.calls import Call, by_type, failing_calls, newest_calls, slowest_calls
from otelkit.server.insights.groups import Group, together, with_before
from otelkit.server.insights.heartbeats import newest
from otelkit.server.insights.logs import events_of
from otelkit.server.insights.plots import increases
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["databases"]

_ONLY: Final = (schema.series.c.kind == "db",)
_FRESH: Final = 300.0  # seconds for which a pool's figures stand without newer ones
_TOLD: Final = 30


def databases(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return figures in all and by what is called; slow and repeated statements; pools; failures; the slowest calls."""
    now, earlier = with_before(connection, period, scope, _ONLY)
    total = together(now.values(), period.steps)
    known = _known(newest_calls(connection, payloads, period, scope, "db").calls)
    seconds = max(1.0, min(period.end, period.now) - period.start)
    failing = failing_calls(connection, payloads, period, scope, "db")
    told = _teller(connection, payloads, period, scope)
    return {
        "range": period.json(),
        "times": period.times,
        "total": _figures(total, seconds),
        "previous": _figures(together(earlier.values(), 1), seconds) if earlier else None,
        "series": _series(total),
        "calls": [
            {
                "call": group.label,
                **known.get(group.label, dict.fromkeys(_ABOUT)),
                "services": sorted(group.services),
                **_figures(group, seconds),
                "previous": _figures(earlier[group.label], seconds) if earlier and group.label in earlier else None,
                "series": _series(group),
            }
            for group in sorted(now.values(), key=lambda group: -group.calls)
        ],
        "slow": told(Database.SLOW_EVENT, Otelkit.DB_SECONDS),
        "repeated": told(Database.REPEATED_EVENT, Otelkit.DB_REPEATS),
        "pools": _pools(connection, period, scope),
        "errors": by_type(failing, "call"),
        "slowest": [_shown(call) for call in slowest_calls(connection, payloads, period, scope, "db")],
    }


def _figures(group: Group, seconds: float) -> dict[str, Any]:
    figures = {name: value for name, value in group.figures().items() if not name.startswith("empty")}
    return {**figures, "per_second": group.calls / seconds}


def _series(group: Group) -> dict[str, list[Any]]:
    return {name: values for name, values in group.series().items() if name != "empty"}


_ABOUT: Final = {
    "system": Core.DB_SYSTEM,
    "operation": Database.OPERATION,
    "table": Database.COLLECTION,
    "statement": Database.QUERY_TEXT,
}


def _known(calls: Iterable[Call]) -> dict[str, dict[str, Any]]:
    """What the newest call of each name says of itself; what none says is unknown."""
    found: dict[str, dict[str, Any]] = {}
    for call in calls:
        found.setdefault(call.label, {name: call.attributes.get(key) for name, key in _ABOUT.items()})
    return found


def _shown(call: Call) -> dict[str, Any]:
    return {**call.json(), "statement": call.attributes.get(Database.QUERY_TEXT)}


def _teller(
    connection: Connection, payloads: PayloadReader, period: Range, scope: Scope
) -> Callable[[str, str], list[dict[str, Any]]]:
    def told(event: str, measure: str) -> list[dict[str, Any]]:
        """Statements that were told about, by fingerprint, the newest first; ``worst`` is the highest measure."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in events_of(connection, payloads, period, scope, event):
            says: Mapping[str, Any] = record["attributes"]
            found.setdefault(str(says.get(Otelkit.DB_FINGERPRINT) or record["body"]), []).append(record)
        return [_statement(fingerprint, records, measure) for fingerprint, records in found.items()][:_TOLD]

    return told


def _statement(fingerprint: str, records: list[dict[str, Any]], measure: str) -> dict[str, Any]:
    last = records[0]
    says = last["attributes"]
    worst = max(records, key=lambda record: record["attributes"].get(measure) or 0)
    return {
        "fingerprint": fingerprint,
        "summary": says.get(Database.QUERY_SUMMARY) or last["body"],
        "statement": says.get(Database.QUERY_TEXT),
        "system": says.get(Core.DB_SYSTEM),
        "route": says.get(Core.HTTP_ROUTE),
        "service": last["service"],
        "times": sum(1 + (record["attributes"].get(Otelkit.DB_NOT_TOLD) or 0) for record in records),
        "worst": worst["attributes"].get(measure),
        "last": last["time"],
        "trace_id": worst["trace_id"],
        "span_id": worst["span_id"],
    }


_LEVELS: Final = {
    "most": DatabaseMetrics.CONNECTIONS_MAX,
    "waiting": DatabaseMetrics.PENDING,
}


def _pools(connection: Connection, period: Range, scope: Scope) -> list[dict[str, Any]]:
    """Pools as they stood last, those of all processes together; None for what they do not tell."""
    since = period.now - _FRESH
    found: dict[tuple[str, str], dict[str, Any]] = {}

    def row(labels: Mapping[str, Any]) -> dict[str, Any]:
        name, product = str(labels.get(Database.POOL_NAME, "")), str(labels.get(Core.DB_SYSTEM, ""))
        empty = dict.fromkeys(("used", "idle", "most", "waiting"))
        return found.setdefault((name, product), {"pool": name, "system": product, **empty, "timeouts": None})

    for point in newest(connection, scope, DatabaseMetrics.CONNECTIONS.name, since):
        _add(row(point.labels), str(point.labels.get(Database.CONNECTION_STATE)), point.value)
    for name, metric in _LEVELS.items():
        for point in newest(connection, scope, metric.name, since):
            _add(row(point.labels), name, point.value)
    timeouts = increases(connection, period, scope, DatabaseMetrics.TIMEOUTS.name, Database.POOL_NAME)
    for one in found.values():
        one["timeouts"] = round(timeouts[one["pool"]]) if one["pool"] in timeouts else None
    return sorted(found.values(), key=lambda one: (one["pool"], one["system"]))


def _add(row: dict[str, Any], name: str, value: float) -> None:
    if name in row:
        row[name] = (row[name] or 0) + int(value)
