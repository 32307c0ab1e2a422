"""The audit trail, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.storage import audit, schema
from otelkit.server.storage.chunks import chunks

__all__ = ["FIELDS", "checked", "entries", "every_entry", "list_entries"]

FIELDS: Final = ("actor", "action", "target", "outcome", "service", "trace_id", "request_id", "session")
"""What can be asked for by its exact value; ``action`` also by how it begins: ``project.*``."""

_audit = schema.audit.c
_AT_ONCE: Final = 1_000


def entries(
    wanted: Mapping[str, str], start: int | None = None, end: int | None = None, text: str = ""
) -> ColumnElement[bool]:
    """Return the condition for entries with these fields, between two times in nanoseconds, that hold a text."""
    conditions: list[ColumnElement[bool]] = [
        _audit[name].startswith(value[:-1], autoescape=True)
        if name == "action" and value.endswith("*")
        else _audit[name] == value
        for name, value in wanted.items()
    ]
    if start is not None:
        conditions.append(_audit.time >= start)
    if end is not None:
        conditions.append(_audit.time < end)
    if text:
        places = (_audit.action, _audit.target, _audit.actor, _audit.detail)
        conditions.append(or_(*(place.icontains(text, autoescape=True) for place in places)))
    return and_(True, *conditions)


def list_entries(
    connection: Connection, wanted: ColumnElement[bool], *, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return one page of entries; raise ValueError for a cursor that is none."""
    total = connection.execute(select(func.count()).select_from(schema.audit).where(wanted)).scalar() or 0
    query = select(schema.audit).where(wanted).order_by(_audit.id.desc()).limit(limit + 1)
    if cursor is not None:
        (last,) = decode_cursor(cursor, int)
        query = query.where(_audit.id < last)
    rows = connection.execute(query).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return {
        "total": total,
        "entries": [_shown(row) for row in rows],
        "next_cursor": encode_cursor(rows[-1].id) if more else None,
    }


def every_entry(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """Give all entries, oldest first, without holding them all."""
    for rows in chunks(connection, select(schema.audit).where(wanted), _audit.id, _AT_ONCE):
        yield from map(_shown, rows)


def checked(connection: Connection) -> dict[str, Any]:
    """Return whether the trail is whole: nothing changed, nothing missing."""
    found = audit.verify(connection)
    return {
        "whole": found.broken is None,
        "entries": found.entries,
        "head": found.head,
        "deleted_for_age": found.anchor,
        "broken": found.broken,
        "why": found.why or None,
    }


def _shown(row: Row[Any]) -> dict[str, Any]:
    detail = json.loads(row.detail) if row.detail else {}
    return {
        "id": row.id,
        "time": row.time / 1e6,
        "received": row.received / 1e6,
        **{name: getattr(row, name) or None for name in ("service", "environment", *FIELDS[:4], "trace_id", "span_id")},
        "request_id": row.request_id or None,
        "session": row.session or None,
        "group": row.grp or None,
        "before": detail.get("before"),
        "after": detail.get("after"),
        "details": detail.get("details"),
        "hash": bytes(row.hash).hex(),
    }
