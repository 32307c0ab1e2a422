"""The machine, the container and the processes, from the metrics they report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.semconv.attributes import Core, System
from otelkit.semconv.metrics import ContainerMetrics, HostMetrics, MetricDef, ProcessMetrics
from otelkit.server.insights.heartbeats import newest
from otelkit.server.insights.plots import plot
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope

__all__ = ["system"]

_FRESH: Final = 300.0  # seconds for which a figure stands without a newer one
_PROCESSES: Final = 100
_Values = list[float | None]


def system(connection: Connection, period: Range, scope: Scope) -> dict[str, Any]:
    """Return the machine's figures over time, its file systems, and every process as it stood last.

    One process reports a machine, whichever service it is of: these figures are those of all services.
    """
    machine = _Lines(connection, period, Scope(environment=scope.environment))
    limit = machine.last(ContainerMetrics.CPU_LIMIT)
    held = machine.last(ContainerMetrics.MEMORY_LIMIT)
    processes = _processes(connection, period, scope)
    lag = _Lines(connection, period, scope).by(ProcessMetrics.LOOP_LAG, "p95")
    return {
        "range": period.json(),
        "times": period.times,
        "container": limit is not None or held is not None,
        "cpu": _cpu(machine, limit),
        "memory": _memory(machine, held),
        "load": {
            name: machine.by(metric, "last").get("")
            for name, metric in (("1m", HostMetrics.LOAD), ("5m", HostMetrics.LOAD_5), ("15m", HostMetrics.LOAD_15))
        },
        "disk": machine.by(HostMetrics.DISK_IO, "rate", System.DISK_DIRECTION),
        "network": machine.by(HostMetrics.NETWORK_IO, "rate", System.IO_DIRECTION),
        "lag": lag.get(""),
        "filesystems": _filesystems(connection, period, machine.scope),
        "processes": processes,
    }


class _Lines:
    """Metrics over time, as they are asked for; None where there is none."""

    def __init__(self, connection: Connection, period: Range, scope: Scope) -> None:
        self.scope = scope
        self._connection = connection
        self._period = period

    def by(self, metric: MetricDef, way: str, key: str | None = None) -> dict[str, _Values]:
        """The values by step, by an attribute; under ``""`` without one."""
        found = plot(self._connection, self._period, self.scope, metric.name, way=way, by=key)
        drawn = found["series"] if found is not None else ()
        lines = {str(line["label"]): line["values"] for line in drawn if not line["other"]}
        return {label: values for label, values in lines.items() if _last(values) is not None}

    def last(self, metric: MetricDef) -> float | None:
        """What was said last, of several the average."""
        return _last(self.by(metric, "last").get("", ()))


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _cpu(machine: _Lines, limit: float | None) -> dict[str, Any]:
    """Shares of what there is by what it was spent on; of a container what it uses of its limit."""
    if limit is not None:
        used = machine.by(ContainerMetrics.CPU_USAGE, "avg").get("", [])
        shares: dict[str, _Values] = {"used": [None if one is None else one / limit for one in used]} if used else {}
        throttled = machine.by(ContainerMetrics.CPU_THROTTLED, "rate").get("")
        return {"processors": limit, "shares": shares, "throttled": throttled}
    shares = machine.by(HostMetrics.CPU_UTILIZATION, "avg", System.CPU_MODE)
    return {"processors": machine.last(HostMetrics.CPU_COUNT), "shares": shares, "throttled": None}


def _memory(machine: _Lines, limit: float | None) -> dict[str, Any]:
    if limit is not None:
        return {"limit": limit, "states": {"used": machine.by(ContainerMetrics.WORKING_SET, "avg").get("", [])}}
    states = machine.by(HostMetrics.MEMORY, "avg", System.MEMORY_STATE)
    return {"limit": machine.last(HostMetrics.MEMORY_LIMIT), "states": states}


def _filesystems(connection: Connection, period: Range, scope: Scope) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for point in newest(connection, scope, HostMetrics.FILESYSTEM.name, period.now - _FRESH):
        place = str(point.labels.get(System.MOUNTPOINT, ""))
        row = found.setdefault(place, {"mountpoint": place, "used": None, "free": None})
        row[str(point.labels.get(System.FILESYSTEM_STATE))] = point.value
    return sorted(found.values(), key=lambda row: str(row["mountpoint"]))


_OF_PROCESS: Final = {
    "memory": ProcessMetrics.MEMORY,
    "virtual": ProcessMetrics.VIRTUAL,
    "cpu": ProcessMetrics.CPU_UTILIZATION,
    "files": ProcessMetrics.FILES,
    "threads": ProcessMetrics.THREADS,
    "started": ProcessMetrics.STARTED,
}


def _processes(connection: Connection, period: Range, scope: Scope) -> list[dict[str, Any]]:
    """Every process that reported lately, the largest first; None for what it does not tell."""
    found: dict[str, dict[str, Any]] = {}
    since = period.now - _FRESH
    for name, metric in _OF_PROCESS.items():
        for point in newest(connection, scope, metric.name, since):
            instance = str(point.labels.get(Core.SERVICE_INSTANCE_ID, ""))
            empty = {"instance": instance, "service": point.service, **dict.fromkeys(_OF_PROCESS), "collections": None}
            found.setdefault(instance, empty)[name] = point.value
    for point in newest(connection, scope, ProcessMetrics.COLLECTIONS.name, since):
        row = found.get(str(point.labels.get(Core.SERVICE_INSTANCE_ID, "")))
        if row is not None:
            row["collections"] = (row["collections"] or 0) + int(point.value)
    return sorted(found.values(), key=lambda row: -(row["memory"] or 0))[:_PROCESSES]
