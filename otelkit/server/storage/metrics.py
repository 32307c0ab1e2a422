"""Metric points by series; a point sent again for the same time changes nothing.

There is a limit to the series: labels made of data would otherwise fill the disk. A point cannot be counted with
another series, so those of further series are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, func, select

from otelkit.model import MetricPoint
from otelkit.semconv.attributes import Core
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.text import clip, service_of

__all__ = ["MetricWriter"]

_REMEMBERED: Final = 50_000
_OWN: Final = ("process.", "cpython.", "otelkit.process.", "otelkit.event_loop.")
_LARGEST: Final = 2**63 - 1  # OTLP counts are unsigned, columns are not


class MetricWriter:
    """Stores metric points inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection, *, max_series: int) -> None:
        self._max_series = max_series
        dialect = dialect_of(connection)
        self._insert_series = dialect.insert(schema.metric_series)
        self._insert_point = dialect.insert(schema.metric_point, ignore=True)
        self._known: dict[bytes, int] = {}
        self.forget(connection)

    def write(self, connection: Connection, points: Sequence[MetricPoint]) -> tuple[int, int]:
        """Store what is not stored yet; return how many points that was, and how many were refused."""
        digests = [_digest(point) for point in points]
        self._find_or_make(connection, dict(zip(digests, points, strict=True)))
        rows = [
            (self._known[digest], point.time, point.start, point.value, *_counts(point), _detail(point))
            for digest, point in zip(digests, points, strict=True)
            if digest in self._known
        ]
        return self._insert_point(connection, rows), len(points) - len(rows)

    def forget(self, connection: Connection) -> None:
        """Drop what a rolled-back transaction left in memory."""
        self._known.clear()
        table = schema.metric_series
        self._count = connection.execute(select(func.count()).select_from(table)).scalar() or 0
        self._next = (connection.execute(select(func.max(table.c.id))).scalar() or 0) + 1

    def _find_or_make(self, connection: Connection, points: dict[bytes, MetricPoint]) -> None:
        if len(self._known) + len(points) > _REMEMBERED:
            self._known.clear()
        missing = [digest for digest in points if digest not in self._known]
        table = schema.metric_series.c
        for at in range(0, len(missing), 4000):
            query = select(table.digest, table.id).where(table.digest.in_(missing[at : at + 4000]))
            self._known.update((row.digest, row.id) for row in connection.execute(query))
        rows = []
        for digest in missing:
            if digest not in self._known and self._count < self._max_series:
                self._known[digest], self._next = self._next, self._next + 1
                self._count += 1
                rows.append((self._known[digest], digest, *_series(points[digest])))
        self._insert_series(connection, rows)


def _series(point: MetricPoint) -> tuple[Any, ...]:
    service, environment = service_of(point.resource)
    attributes = json.dumps({**point.attributes, **_whose(point)}, sort_keys=True, default=str)
    kind = (int(point.kind), int(point.monotonic), int(point.cumulative))
    return clip(point.name, 200), clip(point.unit, 60), *kind, service, environment, attributes, point.description


def _whose(point: MetricPoint) -> dict[str, str]:
    """Whose a figure is, where it is one process's own: several of them together say nothing."""
    instance = point.resource.attributes.get(Core.SERVICE_INSTANCE_ID)
    return {Core.SERVICE_INSTANCE_ID: clip(str(instance), 60)} if instance and point.name.startswith(_OWN) else {}


def _digest(point: MetricPoint) -> bytes:
    identity = (
        *(point.name, point.unit, int(point.kind), point.monotonic, point.cumulative, point.scope.name),
        sorted(point.attributes.items()),
        sorted(point.resource.attributes.items()),
    )
    return blake2b(repr(identity).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _counts(point: MetricPoint) -> tuple[int | None, float | None]:
    return (None, None) if point.value is not None else (min(point.samples, _LARGEST), point.total)


def _detail(point: MetricPoint) -> str | None:
    if not (point.bounds or point.buckets or point.detail):
        return None
    return json.dumps([point.bounds, point.buckets, dict(point.detail)], separators=(",", ":"), default=str)
