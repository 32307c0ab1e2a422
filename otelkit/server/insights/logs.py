"""Log records: the list, its histogram, the ones of a trace."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, not_, select, text, tuple_

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.filters import Field, Filter, Language, Term
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import Dialect, dialect_of
from otelkit.server.storage.logs import SEVERITIES, severity_name
from otelkit.server.storage.payloads import PayloadReader

__all__ = ["LOGS", "events_of", "list_logs", "logs_of_trace"]

_OF_TRACE: Final = 200
_EVENTS: Final = 500
_COUNTED: Final = 10_000
_LOOKED_AT: Final = 4_000  # records whose attributes are read for one page
_log, _series = schema.log.c, schema.log_series.c


def _severity(value: str) -> ColumnElement[bool]:
    # Severity 0 is unknown and shown as info, see storage.logs. Literal, for the partial index.
    lowest = SEVERITIES.index(value) * 4 + 1
    clause = f"log.severity >= {lowest}" if lowest > 9 else f"(log.severity >= {lowest} OR log.severity = 0)"
    return text(clause)  # type: ignore[return-value]


def _id(column: Any, digits: int, value: str) -> ColumnElement[bool]:
    if len(value) != digits:
        raise ValueError(f"needed are {digits} hex digits")
    same: ColumnElement[bool] = column == bytes.fromhex(value)
    return same


LOGS: Final = Language(
    "logs",
    (
        Field("severity", "choice", "lowest to show", _severity, values=SEVERITIES, facet="severity"),
        *(
            Field(key, "text", about, partial(operator.eq, _series[column]), facet=key)
            for key, column, about in (
                ("service", "service", "service"),
                ("environment", "environment", "deployment environment"),
                ("logger", "logger", "logger, or instrumentation scope"),
                ("event", "event_name", "event name"),
            )
        ),
        Field("trace", "text", "trace id", partial(_id, _log.trace_id, 32)),
        Field("span", "text", "span id", partial(_id, _log.span_id, 16)),
    ),
    attributes=True,
)


def list_logs(
    connection: Connection,
    payloads: PayloadReader,
    period: Range,
    scope: Scope,
    wanted: Filter,
    *,
    limit: int = 100,
    cursor: str | None = None,
    newer: str | None = None,
) -> dict[str, Any]:
    """Return one page of log records, newest first: after ``cursor``, or the ones right before ``newer``.

    Raises ValueError for a cursor that is not one of this list. Attributes are not indexed: a filter on them looks at
    a few thousand records a page, and the page may then be short and still have a ``next_cursor``.
    """
    query = _rows().where(*_conditions(dialect_of(connection), period, scope, wanted))
    place = tuple_(_log.time, _log.id)
    if newer is not None:
        query = query.where(place > tuple_(*decode_cursor(newer, int, int))).order_by(_log.time, _log.id)
    else:
        query = query.order_by(_log.time.desc(), _log.id.desc())
        if cursor is not None:
            query = query.where(place < tuple_(*decode_cursor(cursor, int, int)))
    rows, last = _page(connection, payloads, query, wanted.attributes, limit)
    if newer is not None:
        rows.reverse()
    return {
        "range": period.json(),
        **_total(connection, period, scope, wanted),
        "next_cursor": encode_cursor(*last) if last is not None and newer is None else None,
        "newer_cursor": encode_cursor(rows[0].time, rows[0].id) if rows else newer,
        "times": period.times,
        "logs": _shown(connection, payloads, rows),
    }


def _conditions(dialect: Dialect, period: Range, scope: Scope, wanted: Filter) -> list[ColumnElement[bool]]:
    found = [*scope.conditions(_series), *wanted.conditions]
    if not wanted.only("trace", "span"):
        found.extend((_log.time >= period.start_ns, _log.time < period.end_ns))
    # Values of attributes are in the text index: it leaves few records whose attributes must be read.
    indexed = [term.value for term in wanted.attributes if not term.negated and term.value.isalnum()]
    if wanted.words or indexed:
        found.append(dialect.matches(_log.id, "log_text", [*indexed, *wanted.words]))
    found.extend(not_(dialect.matches(_log.id, "log_text", [word])) for word in wanted.without)
    return found


def _page(
    connection: Connection, payloads: PayloadReader, query: Select[Any], attributes: Sequence[Term], limit: int
) -> tuple[list[Row[Any]], tuple[int, int] | None]:
    """Return the rows of a page, and the place after which the next one begins where there may be one."""
    if not attributes:
        rows = list(connection.execute(query.limit(limit + 1)))
        return rows[:limit], (rows[limit - 1].time, rows[limit - 1].id) if len(rows) > limit else None
    looked_at = list(connection.execute(query.limit(_LOOKED_AT)))
    rows = []
    for at in range(0, len(looked_at), 500):
        some = looked_at[at : at + 500]
        blocks = payloads.read(connection, {row.payload for row in some})
        for row in some:
            if all(_has(blocks[row.payload][row.place][1], term) for term in attributes):
                rows.append(row)
                if len(rows) == limit:
                    return rows, (row.time, row.id)
    last = looked_at[-1] if len(looked_at) == _LOOKED_AT else None
    return rows, (last.time, last.id) if last is not None else None


def _has(attributes: dict[str, Any], term: Term) -> bool:
    value = attributes.get(term.key)
    told = str(value).lower() if isinstance(value, bool) else str(value)
    return (value is not None and told == term.value) != term.negated


def _total(connection: Connection, period: Range, scope: Scope, wanted: Filter) -> dict[str, Any]:
    """Return how many records match, and when: by the rollups where they can say, else counted up to a limit."""
    if wanted.attributes:
        return {"total": None, "total_exact": False, "histogram": None}
    if not (wanted.words or wanted.without or wanted.only("trace", "span")):
        histogram = _histogram(connection, period, scope, wanted)
        return {
            "total": sum(sum(layer["counts"]) for layer in histogram),
            "total_exact": True,
            "histogram": histogram,
        }
    matching: Select[Any] = (
        select(literal_column("1"))
        .select_from(schema.log.join(schema.log_series, _series.id == _log.series))
        .where(*_conditions(dialect_of(connection), period, scope, wanted))
        .limit(_COUNTED + 1)
    )
    counted = connection.execute(select(func.count()).select_from(matching.subquery())).scalar_one()
    return {"total": min(counted, _COUNTED), "total_exact": counted <= _COUNTED, "histogram": None}


def logs_of_trace(connection: Connection, payloads: PayloadReader, trace_id: bytes) -> list[dict[str, Any]]:
    """Return the records of a trace, oldest first."""
    query = _rows().where(_log.trace_id == trace_id).order_by(_log.time, _log.id).limit(_OF_TRACE)
    return _shown(connection, payloads, list(connection.execute(query)))


def events_of(
    connection: Connection, payloads: PayloadReader, period: Range, scope: Scope, event: str
) -> list[dict[str, Any]]:
    """Return the newest records of one event in the range, newest first."""
    inside = (_log.time >= period.start_ns, _log.time < period.end_ns, _series.event_name == event)
    query = _rows().where(*inside, *scope.conditions(_series)).order_by(_log.time.desc()).limit(_EVENTS)
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
                "severity": severity_name(row.severity) if row.severity > 0 else "unknown",
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


def _histogram(connection: Connection, period: Range, scope: Scope, wanted: Filter) -> list[dict[str, Any]]:
    table = schema.LOGS[period.unit].c
    at = ((table.time - period.start) // period.step).label("at")
    query = (
        select(table.severity, at, func.sum(table["count"]))
        .join(schema.log_series, _series.id == table.series)
        .where(table.time >= period.start, table.time < period.end, *scope.conditions(_series))
        .where(*_of_series(wanted.terms))
        .group_by(table.severity, at)
    )
    counts: dict[int, list[int]] = {}
    for severity, place, count in connection.execute(query):
        if _shows(SEVERITIES[severity], wanted.terms):
            counts.setdefault(severity, [0] * period.steps)[place] = count
    return [{"severity": SEVERITIES[severity], "counts": counts[severity]} for severity in sorted(counts, reverse=True)]


def _of_series(terms: Iterable[Term]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that the rollups can check, too: those on what a record shares with others."""
    keys = ("service", "environment", "logger", "event")
    return LOGS.read("", [term for term in terms if term.key in keys]).conditions


def _shows(severity: str, terms: Iterable[Term]) -> bool:
    """Say whether the filter lets a severity through; several lowest ones mean any of them."""
    asked = [term for term in terms if term.key == "severity"]
    at_least = [SEVERITIES.index(severity) >= SEVERITIES.index(term.value) for term in asked if not term.negated]
    below = [SEVERITIES.index(severity) < SEVERITIES.index(term.value) for term in asked if term.negated]
    return (not at_least or any(at_least)) and all(below)
