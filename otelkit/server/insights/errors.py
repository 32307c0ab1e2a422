"""Errors: the list of groups with how often each was seen, one group in full, the groups of a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, func, select

from otelkit.mapping.failures import CATEGORIES
from otelkit.mapping.tracebacks import Frame, chain_of
from otelkit.server.insights.cursors import decode_cursor, encode_cursor
from otelkit.server.insights.ranges import Range
from otelkit.server.insights.rows import trace_row
from otelkit.server.insights.sums import Scope
from otelkit.server.storage import schema
from otelkit.server.storage.errors import title_of

__all__ = ["SORTS", "STATES", "Wanted", "error_group", "errors_of_trace", "list_groups"]

STATES: Final = ("new", "regressed", "open", "resolved")
SORTS: Final = ("last", "count", "first", "users")
_NEW_NS: Final = 24 * 3600 * 10**9  # an error is new so long where no time was asked for
_SAMPLES: Final = 12
_ROUTES: Final = 8
_OF_TRACE: Final = 50
_group, _event, _hour, _trace = schema.error_group.c, schema.error_event.c, schema.error_hour.c, schema.trace.c
_SHOWN: Final = [column for column in schema.error_group.columns if column.name != "stack"]


class Wanted(NamedTuple):
    """What a list is narrowed to; ``text`` is looked for in type, message and place."""

    state: str | None = None
    category: str | None = None
    text: str | None = None


class _Group(NamedTuple):
    row: Row[Any]
    series: list[int]
    state: str

    @property
    def times(self) -> int:
        return sum(self.series)


def list_groups(
    connection: Connection,
    period: Range,
    scope: Scope,
    wanted: Wanted,
    *,
    sort: str = "last",
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Return a page of the groups seen in a range, with how many of each state and category there would be.

    Resolved ones are listed only when they are asked for, then also if they were not seen in the range. Raises
    ValueError for a cursor that is not one of this list.
    """
    start = decode_cursor(cursor, int)[0] if cursor is not None else 0
    everyone = _groups(connection, period, scope)
    said = [group for group in everyone if _says(group.row, wanted.text)]
    in_state = [group for group in said if _is(group, wanted.state)]
    of_category = [group for group in said if wanted.category in (None, group.row.category)]
    chosen = [group for group in of_category if _is(group, wanted.state)]
    users = _users(connection, period, [group.row.id for group in chosen] if sort == "users" else [])
    chosen.sort(key=lambda group: _order(group, sort, users), reverse=True)
    page = chosen[start : start + limit]
    users = users or _users(connection, period, [group.row.id for group in page])
    states, categories = (
        Counter(group.state for group in of_category),
        Counter(group.row.category for group in in_state),
    )
    return {
        "range": period.json(),
        "times": period.times,
        "total": len(chosen),
        "occurrences": sum(group.times for group in chosen),
        "series": [sum(group.series[at] for group in chosen) for at in range(period.steps)],
        "states": {state: states[state] for state in STATES},
        "categories": {category: categories[category] for category in CATEGORIES},
        "next_cursor": encode_cursor(start + limit) if len(chosen) > start + limit else None,
        "groups": [{**_shown(group), "users": users.get(group.row.id, 0)} for group in page],
    }


def error_group(connection: Connection, period: Range, number: int) -> dict[str, Any] | None:
    """Return one group with its stack, newest traces, routes, and where else the same error is seen; or None."""
    row = connection.execute(select(schema.error_group).where(_group.id == number)).first()
    if row is None:
        return None
    counts = _counts(connection, period, [number])
    group = _Group(row, counts.get(number, [0] * period.steps), _state(row, period))
    users = _users(connection, period, [number])
    return {
        "range": period.json(),
        "times": period.times,
        "group": {**_shown(group), "users": users.get(number, 0)},
        "stack": [_raised(raised) for raised in chain_of(row.stack)],
        "stacktrace": row.stack or None,
        "samples": _samples(connection, number),
        "routes": _routes(connection, period, number),
        "elsewhere": _elsewhere(connection, row),
    }


def errors_of_trace(connection: Connection, trace_id: bytes) -> list[dict[str, Any]]:
    """Return the groups that a trace tells of."""
    query = (
        select(*_SHOWN)
        .join(schema.error_event, _event.error == _group.id)
        .where(_event.occurrence == trace_id)
        .order_by(_group.id)
        .limit(_OF_TRACE)
    )
    return [
        {
            "id": row.id,
            "fingerprint": row.fingerprint,
            "service": row.service,
            "title": title_of(row.type, row.message),
            "count": row.count,
            "resolved": row.resolved_at is not None and row.regressed_at is None,
        }
        for row in connection.execute(query)
    ]


def _groups(connection: Connection, period: Range, scope: Scope) -> list[_Group]:
    """Return the groups of a scope that were seen in a range, and the resolved ones."""
    counts = _counts(connection, period)
    rows = connection.execute(select(*_SHOWN).where(*scope.conditions(_group))).all()
    silent = [0] * period.steps
    groups = [_Group(row, counts.get(row.id, silent), _state(row, period)) for row in rows]
    return [group for group in groups if group.row.id in counts or group.state == "resolved"]


def _counts(connection: Connection, period: Range, only: Sequence[int] = ()) -> dict[int, list[int]]:
    """Return how often groups were seen, by step: by the hour where the range is told by hours, else one by one."""
    hourly = period.unit == schema.HOUR
    table, scale = (_hour, 1) if hourly else (_event, 10**9)
    amount = func.sum(_hour["count"]) if hourly else func.count()
    at = ((table.time - period.start * scale) // (period.step * scale)).label("at")
    query = (
        select(table.error, at, amount)
        .where(table.time >= period.start * scale, table.time < period.end * scale)
        .group_by(table.error, at)
    )
    if only:
        query = query.where(table.error.in_(only))
    found: dict[int, list[int]] = {}
    for error, place, count in connection.execute(query):
        found.setdefault(error, [0] * period.steps)[place] += int(count)
    return found


def _users(connection: Connection, period: Range, groups: Sequence[int]) -> dict[int, int]:
    """Return how many users met each error, as far as anything says who they are."""
    if not groups:
        return {}
    whom = func.coalesce(_event.user, _trace.user)
    query = (
        select(_event.error, func.count(whom.distinct()))
        .outerjoin(schema.trace, _trace.trace_id == _event.occurrence)
        .where(_event.error.in_(groups), _event.time >= period.start_ns, _event.time < period.end_ns)
        .group_by(_event.error)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _state(row: Row[Any], period: Range) -> str:
    if row.resolved_at is not None:
        return "resolved" if row.regressed_at is None else "regressed"
    since = int(period.now * 1e9) - _NEW_NS if period.auto else period.start_ns
    return "new" if row.first_seen >= since else "open"


def _is(group: _Group, state: str | None) -> bool:
    """Whether a group is listed: where no state is asked for, whatever is not resolved."""
    return group.state == state if state is not None else group.state != "resolved"


def _says(row: Row[Any], text: str | None) -> bool:
    words = f"{row.type}\n{row.message}\n{row.place}".lower()
    return all(word in words for word in (text or "").lower().split())


def _order(group: _Group, sort: str, users: Mapping[int, int]) -> tuple[float, int]:
    row = group.row
    first = {"last": row.last_seen, "count": group.times, "first": row.first_seen, "users": users.get(row.id, 0)}
    return first[sort], row.last_seen


def _shown(group: _Group) -> dict[str, Any]:
    row = group.row
    return {
        "id": row.id,
        "fingerprint": row.fingerprint,
        "title": title_of(row.type, row.message),
        "type": row.type or None,
        "message": row.message or None,
        "place": row.place or None,
        "category": row.category,
        "state": group.state,
        "service": row.service,
        "environment": row.environment or None,
        "first": row.first_seen / 1e6,
        "last": row.last_seen / 1e6,
        "first_version": row.first_version or None,
        "last_version": row.last_version or None,
        "count": group.times,
        "total": row._mapping["count"],
        "unhandled": row.unhandled,
        "series": group.series,
        "resolved": row.resolved_at / 1e6 if row.resolved_at is not None else None,
        "regressed": row.regressed_at / 1e6 if row.regressed_at is not None else None,
    }


def _raised(raised: Any) -> dict[str, Any]:
    return {
        "type": raised.type,
        "message": raised.message or None,
        "link": raised.link or None,
        "frames": [_frame(frame) for frame in raised.frames],
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "place": frame.place,
        "file": frame.file,
        "line": frame.line,
        "function": frame.function,
        "code": frame.code or None,
        "app": frame.app,
    }


def _samples(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Return the newest times it was seen, each with its trace where that is stored."""
    query = select(schema.error_event).where(_event.error == number).order_by(_event.time.desc()).limit(_SAMPLES)
    events = connection.execute(query).all()
    ids = [row.occurrence for row in events if row.traced]
    found = connection.execute(select(schema.trace).where(_trace.trace_id.in_(ids)))
    traces = {bytes(row.trace_id): trace_row(row) for row in found}
    return [
        {
            "time": row.time / 1e6,
            "trace_id": row.occurrence.hex() if row.traced else None,
            "span_id": row.span_id.hex() if row.span_id else None,
            "unhandled": bool(row.unhandled),
            "trace": traces.get(bytes(row.occurrence)),
        }
        for row in events
    ]


def _routes(connection: Connection, period: Range, number: int) -> list[dict[str, Any]]:
    """Return where it happens: the first spans of its traces."""
    count = func.count()
    query = (
        select(_trace.name, count)
        .join(schema.error_event, _event.occurrence == _trace.trace_id)
        .where(_event.error == number, _event.time >= period.start_ns, _event.time < period.end_ns)
        .group_by(_trace.name)
        .order_by(count.desc())
        .limit(_ROUTES)
    )
    return [{"name": name, "count": times} for name, times in connection.execute(query)]


def _elsewhere(connection: Connection, row: Row[Any]) -> list[dict[str, Any]]:
    """Return the same error in other services and environments."""
    query = select(*_SHOWN).where(_group.fingerprint == row.fingerprint, _group.id != row.id)
    others: Iterable[Row[Any]] = connection.execute(query.order_by(_group.last_seen.desc()).limit(20))
    return [
        {
            "id": other.id,
            "service": other.service,
            "environment": other.environment or None,
            "last": other.last_seen / 1e6,
            "total": other._mapping["count"],
        }
        for other in others
    ]
