"""Log records: the list, its histogram, the ones of a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, text, tuple_

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import Dialect, dialect_of
from otelkit.server.storage.logs import SEVERITIES, severity_name
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["LogFilter", "list_logs", "logs_of_trace"]

_OF_TRACE: Final = 200
_log, _series = schema.log.c, schema.log_series.c


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to show; ``severity`` is the lowest of ``trace`` … ``fatal``."""

    severity: str | None = None
    words: tuple[str, ...] = ()
    trace_id: bytes | None = None
    span_id: bytes | None = None
    logger: str | None = None
    event_name: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether all of time is meant."""
        return self.trace_id is not None or self.span_id is not None

    def conditions(self, dialect: Dialect) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.severity is not None:
            # Severity 0 is unknown and shown as info, see storage.logs. Literal, for the partial index.
            lowest = SEVERITIES.index(self.severity) * 4 + 1
            clause = f"log.severity >= {lowest}" if lowest > 9 else f"(log.severity >= {lowest} OR log.severity = 0)"
            found.append(text(clause))  # type: ignore[arg-type]
        for value, column in (
            (self.trace_id, _log.trace_id),
            (self.span_id, _log.span_id),
            (self.logger, _series.logger),
            (self.event_name, _series.event_name),
        ):
            if value is not None:
                found.append(column == value)
        if self.words:
            found.append(dialect.matches(_log.id, "log_text", self.words))
        return found


def list_logs(
    connection: Connection,
    payloads: PayloadReader,
    period: Range,
    scope: Scope,
    wanted: LogFilter,
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return one page of log records, newest first; raises ValueError for a cursor that is not one of this list."""
    query = _rows().where(*scope.conditions(_series), *wanted.conditions(dialect_of(connection)))
    if not wanted.narrow:
        query = query.where(_log.time >= period.start_ns, _log.time < period.end_ns)
    if cursor is not None:
        query = query.where(tuple_(_log.time, _log.id) < tuple_(*decode_cursor(cursor, 2)))
    rows = list(connection.execute(query.order_by(_log.time.desc(), _log.id.desc()).limit(limit + 1)))
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "range": period.json(),
        "next_cursor": encode_cursor(last.time, last.id) if last is not None else None,
        "times": period.times,
        "histogram": None if wanted.words or wanted.narrow else _histogram(connection, period, scope, wanted),
        "logs": _shown(connection, payloads, rows[:limit]),
    }


def logs_of_trace(connection: Connection, payloads: PayloadReader, trace_id: bytes) -> list[dict[str, Any]]:
    """Return the records of a trace, oldest first."""
    query = _rows().where(_log.trace_id == trace_id).order_by(_log.time, _log.id).limit(_OF_TRACE)
    return _shown(connection, payloads, list(connection.execute(query)))


def _rows() -> Select[Any]:
    columns = (_series.service, _series.environment, _series.logger, _series.event_name)
    return select(schema.log, *columns).join(schema.log_series, _series.id == _log.series)


def _shown(connection: Connection, payloads: PayloadReader, rows: list[Row[Any]]) -> list[dict[str, Any]]:
    blocks = payloads.read(connection, {row.payload for row in rows})
    shown = []
    for row in rows:
        severity_text, attributes = blocks[row.payload][row.place]
        shown.append(
            {
                "id": row.id,
                "time": row.time / 1e6,
                "severity": severity_name(row.severity),
                "severity_number": row.severity,
                "severity_text": severity_text or None,
                "service": row.service,
                "environment": row.environment or None,
                "logger": row.logger or None,
                "body": row.body,
                "event_name": row.event_name or None,
                "trace_id": row.trace_id.hex() if row.trace_id else None,
                "span_id": row.span_id.hex() if row.span_id else None,
                "attributes": attributes,
            }
        )
    return shown


def _histogram(connection: Connection, period: Range, scope: Scope, wanted: LogFilter) -> list[dict[str, Any]]:
    table = schema.LOGS[period.unit].c
    at = ((table.time - period.start) // period.step).label("at")
    query = (
        select(table.severity, at, func.sum(table["count"]))
        .join(schema.log_series, _series.id == table.series)
        .where(table.time >= period.start, table.time < period.end, *scope.conditions(_series))
        .group_by(table.severity, at)
    )
    if wanted.logger is not None:
        query = query.where(_series.logger == wanted.logger)
    if wanted.event_name is not None:
        query = query.where(_series.event_name == wanted.event_name)
    lowest = SEVERITIES.index(wanted.severity) if wanted.severity else 0
    counts: dict[int, list[int]] = {}
    for severity, place, count in connection.execute(query):
        if severity >= lowest:
            counts.setdefault(severity, [0] * period.steps)[place] = count
    return [{"severity": SEVERITIES[severity], "counts": counts[severity]} for severity in sorted(counts, reverse=True)]
