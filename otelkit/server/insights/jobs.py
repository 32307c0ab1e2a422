"""Background jobs, their queues, and syncs with other systems: how they run, and which are late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from otelkit.semconv.attributes import Core, Messaging, Operation, Otelkit
from otelkit.semconv.metrics import JobMetrics
from otelkit.server.insights.calls import Call, by_type, failing_calls
from otelkit.server.insights.groups import Group, together, with_before
from otelkit.server.insights.heartbeats import Activity, activity, newest
from otelkit.server.insights.plots import increases
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["jobs"]

_FRESH: Final = 300.0  # seconds for which a queue's figures stand without a newer one
_series: Final = schema.series.c


def jobs(connection: Connection, payloads: PayloadReader, period: Range, scope: Scope) -> dict[str, Any]:
    """Return figures in all and by job, queues, syncs, and what failed lately."""
    total, previous, rows = _steps(connection, period, scope, Operation.JOB, "job")
    retried = increases(connection, period, scope, JobMetrics.RETRIES.name, Otelkit.JOB_NAME)
    waits_in = _queue_of(connection, scope)
    for row in rows:
        row["retries"] = round(retried[row["job"]]) if row["job"] in retried else None
        row["system"], row["queue"] = waits_in.get(row["job"], (None, None))
    failing = failing_calls(connection, payloads, period, scope, "job")
    return {
        "range": period.json(),
        "times": period.times,
        "total": _figures(total),
        "previous": None if previous is None else _figures(previous),
        "series": _over_time(total),
        "jobs": rows,
        "queues": _queues(connection, scope, period.now),
        "syncs": _steps(connection, period, scope, Operation.SYNC, "integration")[2],
        "errors": by_type(failing, "job", _name_of),
    }


def _steps(
    connection: Connection, period: Range, scope: Scope, operation: str, noun: str
) -> tuple[Group, Group | None, list[dict[str, Any]]]:
    """Return figures in all, those of the period before, and by name: also of what did not run in the range."""
    only = (_series.kind == "job", _series.operation == operation)
    now, earlier = with_before(connection, period, scope, only)
    seen = activity(connection, period.now, scope, only)
    heartbeat, label = _HEARTBEATS[operation]
    succeeded: dict[str, float] = {}
    for point in newest(connection, scope, heartbeat.name):
        name = str(point.labels.get(label, ""))
        succeeded[name] = max(succeeded.get(name, 0.0), point.value)
    rows = []
    for key in {**seen, **now}:
        name = key.removeprefix(f"{operation} ")
        group = now.get(key) or Group(key, period.steps)
        before = earlier.get(key) if earlier else None
        rows.append(
            {
                noun: name,
                "services": sorted(group.services),
                **_figures(group),
                "previous": None if before is None else _figures(before),
                "series": _over_time(group),
                **_heartbeat(seen.get(key, Activity()), succeeded.get(name), period.now),
            }
        )
    rows.sort(key=lambda row: (not row["overdue"], -row["errors"], -row["runs"], row[noun]))
    previous = together(earlier.values(), 1) if earlier else None
    return together(now.values(), period.steps), previous, rows


_HEARTBEATS: Final = {
    Operation.JOB: (JobMetrics.LAST_SUCCESS, Otelkit.JOB_NAME),
    Operation.SYNC: (JobMetrics.SYNC_LAST_SUCCESS, Otelkit.SYNC_INTEGRATION),
}


def _heartbeat(seen: Activity, told: float | None, now: float) -> dict[str, Any]:
    """Return when it last succeeded: as its process says, else (to the minute or hour) as its spans do."""
    last = max(told or 0.0, float(seen.last_good)) or None
    return {
        "last_run": max([*seen.minutes, *seen.hours], default=0) * 1000 or None,
        "last_success": None if last is None else last * 1000,
        "usual_s": seen.usual_gap(),
        "overdue": seen.overdue(last, now),
    }


def _figures(group: Group) -> dict[str, Any]:
    figures = group.figures()
    return {"runs": figures["calls"], **{name: figures[name] for name in ("errors", "error_ratio", "p50_ms", "p95_ms")}}


def _over_time(group: Group) -> dict[str, list[Any]]:
    series = group.series()
    return {"runs": series["calls"], **{name: series[name] for name in ("errors", "p50_ms", "p95_ms")}}


def _name_of(call: Call) -> str:
    return str(call.row.name).removeprefix(f"{Operation.JOB} ")


def _queue_of(connection: Connection, scope: Scope) -> Mapping[str, tuple[str | None, str | None]]:
    """Return the library and queue of each job, as its newest series says."""
    table = schema.metric_series.c
    query = select(table.attributes).where(table.name == JobMetrics.RUNS.name, *scope.conditions(table))
    found: dict[str, tuple[str | None, str | None]] = {}
    for (attributes,) in connection.execute(query.order_by(table.id)):
        labels = json.loads(attributes)
        found[labels.get(Otelkit.JOB_NAME, "")] = (labels.get(Core.MESSAGING_SYSTEM), labels.get(Messaging.DESTINATION))
    return found


def _queues(connection: Connection, scope: Scope, now: float) -> list[dict[str, Any]]:
    """Return each queue as it was last reported; one that nobody has reported lately is unknown, not empty."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for metric, figure in ((JobMetrics.QUEUE_LENGTH, "length"), (JobMetrics.QUEUE_OLDEST, "oldest_s")):
        for point in newest(connection, scope, metric.name):
            key = str(point.labels.get(Core.MESSAGING_SYSTEM, "")), str(point.labels.get(Messaging.DESTINATION, ""))
            queue = found.setdefault(
                key, {"system": key[0], "queue": key[1], "length": None, "oldest_s": None, "at": 0.0, "ages": {}}
            )
            if point.time > queue["ages"].get(figure, 0.0):
                queue["ages"][figure] = point.time
                queue[figure] = point.value if now - point.time <= _FRESH else None
            queue["at"] = max(queue["at"], point.time * 1000)
    for queue in found.values():
        ages = queue.pop("ages")
        if ages.get("oldest_s", 0.0) < ages.get("length", 0.0) - 1:
            queue["oldest_s"] = None  # said of an earlier look
    return sorted(found.values(), key=lambda queue: (-(queue["length"] or 0), queue["queue"]))
