"""What the receiver does right now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, select

from otelkit.errors import StorageFullError
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, rolls
from otelkit.server.pipeline import Progress
from otelkit.server.storage import schema
from otelkit.server.storage.database import Database
from otelkit.server.storage.retention import Retention
from otelkit.server.storage.rollups import newest_step
from otelkit.server.text import UNKNOWN_SERVICE

__all__ = ["REASONS", "Status"]

REASONS: Final = {
    "trace_id": "no valid trace id",
    "span_id": "no valid span id",
    "parent_span_id": "an invalid parent id",
    "times": "impossible times",
    "metric_name": "a metric without a name",
    "metric_data": "a metric without data",
    "histogram_buckets": "buckets that do not fit their bounds",
    "malformed": "a wrong shape",
    "too_old": "older than what is kept",
    "too_many_series": "metrics with more labels than can be told apart",
}
_SIGNALS: Final = ("spans", "logs", "points")


class Status:
    """Answers ``/api/status`` and ``/healthz``; ``address`` is asked late because the port may be any free one."""

    def __init__(
        self, database: Database, progress: Progress, retention: Retention, version: str, address: Callable[[], str]
    ) -> None:
        self._database = database
        self._progress = progress
        self._retention = retention
        self._version = version
        self._address = address
        self._started = time.time()

    @property
    def uptime(self) -> float:
        """Seconds since the server started."""
        return time.time() - self._started

    def state(self) -> str:
        """Return ``ok``, ``full`` or ``failing``."""
        failure = self._progress.failure
        if failure is None:
            return "ok"
        return "full" if isinstance(failure, StorageFullError) else "failing"

    def json(self, connection: Connection, now: float) -> dict[str, Any]:
        progress, address = self._progress, self._address()
        stored: dict[str, int] = {row.name: row[1] for row in connection.execute(select(schema.tally))}
        return {
            "version": self._version,
            "revision": progress.revision,
            "started": self._started * 1000,
            "uptime_s": now - self._started,
            "address": address,
            "otlp_endpoint": address,
            "store": {
                "path": self._database.location,
                "bytes": self._database.dialect.size(connection),
                "state": self.state(),
                "message": str(progress.failure) if progress.failure is not None else None,
            },
            "received": {
                **{signal: progress.received[signal] for signal in _SIGNALS},
                "last": progress.last * 1000 if progress.last is not None else None,
                "spans_per_s": progress.rate(now),
            },
            "stored": {name: stored.get(name, 0) for name in ("spans", "traces", "logs", "points")},
            "retention": self._retention.json(connection),
            "rejected": [
                {"signal": signal, "reason": REASONS.get(reason, reason), "count": count}
                for (signal, reason), count in progress.rejected.most_common(20)
            ],
            "hints": [*([notice] if (notice := self._database.dialect.notice) else []), *self._hints(connection, now)],
            "snippet": (
                f"export OTEL_EXPORTER_OTLP_ENDPOINT={address}\n"
                "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
                "export OTEL_SERVICE_NAME=my-service"
            ),
        }

    def _hints(self, connection: Connection, now: float) -> list[str]:
        newest = newest_step(connection, schema.ROLL[schema.MINUTE])
        if newest is None:
            return []
        period = Range(newest - 3600, newest + 60, 3600, schema.MINUTE, "1h", True, now)
        spans = rolls(connection, period, Scope(), ("service", "operation"))
        hints = []
        nameless = sum(row.calls for row in spans if row.service.startswith(UNKNOWN_SERVICE))
        if nameless:
            hints.append(f"{nameless} spans came without service.name: set OTEL_SERVICE_NAME.")
        if spans and not any(row.operation for row in spans):
            hints.append("No span names a gen_ai operation yet: LLM calls, tools and retrievals are not instrumented.")
        return hints
