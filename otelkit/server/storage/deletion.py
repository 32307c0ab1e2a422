"""Deleting records with everything that is their own: rows, texts, links, and blocks that nobody refers to any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select

from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.logs import searchable
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.storage.traces import trace_text

__all__ = ["delete_error_events", "delete_error_groups", "delete_logs", "delete_traces"]

_span, _trace, _logs, _event = schema.span.c, schema.trace.c, schema.log.c, schema.error_event.c


def delete_traces(
    connection: Connection, which: ColumnElement[bool], limit: int, blocks: PayloadReader
) -> tuple[int, int]:
    """Delete about ``limit`` spans with their traces, oldest first, and return how many spans and traces went.

    ``which`` is a condition on the table of traces. A trace of more spans loses them first, and goes at the end.
    """
    chosen: list[Any] = []
    size = 0
    for row in connection.execute(select(schema.trace).where(which).order_by(_trace.start).limit(limit)).mappings():
        if chosen and size + row["spans"] > limit:
            break
        chosen.append(row)
        size += row["spans"]
    if not chosen:
        return 0, 0
    inside = _span.trace.in_([row["id"] for row in chosen])
    found = connection.execute(select(_span.trace, _span.span_id, _span.payload).where(inside).limit(limit + 1)).all()
    if len(found) > limit:  # one long trace
        found = found[:limit]
        some = delete(schema.span).where(inside, _span.span_id.in_([row.span_id for row in found]))
        connection.execute(some)
        chosen = []
    else:
        connection.execute(delete(schema.span).where(inside))
        connection.execute(delete(schema.link).where(schema.link.c.trace.in_([row["id"] for row in chosen])))
        connection.execute(delete(schema.trace).where(_trace.id.in_([row["id"] for row in chosen])))
        texts = [(row["id"], trace_text(row), "") for row in chosen]
        dialect_of(connection).set_text(connection, "trace_text", texts)
    _release(connection, (row.payload for row in found), blocks.read(connection, {row.payload for row in found}), 1)
    return len(found), len(chosen)


def delete_logs(connection: Connection, which: ColumnElement[bool], limit: int, blocks: PayloadReader) -> int:
    """Delete up to ``limit`` log records, oldest first, and return how many; ``which`` is a condition on their rows."""
    query = select(schema.log, schema.log_series.c.event_name).join(
        schema.log_series, schema.log_series.c.id == _logs.series
    )
    rows = connection.execute(query.where(which).order_by(_logs.time).limit(limit)).all()
    if not rows:
        return 0
    details = blocks.read(connection, {row.payload for row in rows})
    texts = [(row.id, searchable(row.body, row.event_name, details[row.payload][row.place][1]), "") for row in rows]
    connection.execute(delete(schema.log).where(_logs.id.in_([row.id for row in rows])))
    dialect_of(connection).set_text(connection, "log_text", texts)
    _release(connection, (row.payload for row in rows), details, 0)
    return len(rows)


def delete_error_events(connection: Connection, which: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` of the times errors were seen, oldest first, and return how many."""
    query = select(_event.occurrence, _event.error).where(which).order_by(_event.time).limit(limit)
    rows = connection.execute(query).all()
    if rows:
        one = delete(schema.error_event).where(
            _event.occurrence == bindparam("key"), _event.error == bindparam("number")
        )
        connection.execute(one, [{"key": row.occurrence, "number": row.error} for row in rows])
    return len(rows)


def delete_error_groups(connection: Connection, groups: Sequence[Any]) -> None:
    """Delete errors with all that is counted of them."""
    if not groups:
        return
    for table in (schema.error_event, schema.error_hour):
        connection.execute(delete(table).where(table.c.error.in_(groups)))
    connection.execute(delete(schema.error_group).where(schema.error_group.c.id.in_(groups)))


def _release(connection: Connection, payloads: Iterable[int], blocks: dict[int, list[Any]], shared: int) -> None:
    """Count rows that no longer refer to their blocks; ``shared`` is how much of a block is no row's own."""
    gone = Counter(payloads)
    table = schema.payload_left
    known = {row.id: row.left for row in connection.execute(select(table).where(table.c.id.in_(gone)))}
    left = {number: known.get(number, len(blocks.get(number, ())) - shared) - count for number, count in gone.items()}
    empty: Sequence[int] = [number for number, count in left.items() if count <= 0]
    connection.execute(delete(schema.payload).where(schema.payload.c.id.in_(empty)))
    connection.execute(delete(table).where(table.c.id.in_(empty)))
    remaining = [(number, count) for number, count in left.items() if count > 0]
    dialect_of(connection).upsert(table)(connection, remaining)
