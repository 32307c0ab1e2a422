"""Errors put together: what is the same error in a service is one row, counted once a trace, with its newest traces.

Whoever writes spans and log records notes an :class:`Occurrence` for each that was really inserted; here they become
rows in the same transaction. What was never seen before, and what comes back after it was resolved, is also a log
record, so that it can be searched for and alerted on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, delete, func, or_, select, update

from otelkit.mapping.failures import Failure, where_of
from otelkit.model import LogRecord, Resource, Scope
from otelkit.semconv.attributes import Core, Errors
from otelkit.semconv.events import ERROR_NEW, ERROR_REGRESSED
from otelkit.server.storage import schema
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.text import LABEL, clip, one_line

__all__ = ["ErrorWriter", "Occurrence", "set_state", "title_of"]

_MOST_GROUPS: Final = 10_000
_OTHER: Final = "e" + "0" * 15
_LONGEST_STACK: Final = 32_768
_LONGEST_MESSAGE: Final = 1_000
_TITLE: Final = 200
_HOUR_NS: Final = schema.HOUR * 1_000_000_000
_WARN: Final = 13
_AFTER_NS: Final = 2 * 10**9  # so soon a web server logs what a request ended by
_MOST_NEAR: Final = 10_000
_group, _event = schema.error_group.c, schema.error_event.c


class Occurrence(NamedTuple):
    """One exception or logged error that was stored; ``key`` is its trace's id, or its own where it has none."""

    service: str
    environment: str
    version: str
    failure: Failure
    key: bytes
    traced: bool
    span_id: bytes | None
    time: int
    user: str | None
    by_server: bool = False

    @property
    def whose(self) -> tuple[str, str, str]:
        return self.service, self.environment, self.failure.fingerprint


class _Event(NamedTuple):
    """A row of ``error_event``."""

    occurrence: bytes
    error: int
    time: int
    traced: int
    span_id: bytes | None
    unhandled: int
    user: str | None
    by_server: int
    echo: bytes | None = None
    echo_time: int | None = None


class ErrorWriter:
    """Stores occurrences inside the writer's transaction; for the one writer thread."""

    def __init__(self, connection: Connection) -> None:
        dialect = dialect_of(connection)
        self._insert_groups = dialect.upsert(schema.error_group)
        self._insert_events = dialect.upsert(schema.error_event)
        self._add_hours = dialect.add(schema.error_hour)
        self._next = (connection.execute(select(func.max(_group.id))).scalar() or 0) + 1

    def write(self, connection: Connection, occurrences: Iterable[Occurrence], now: int) -> list[LogRecord]:
        """Count what is not counted yet; return the news of it as log records. ``now`` is in nanoseconds."""
        found = _together(self._bounded(connection, list(occurrences)), now)
        groups = self._groups(connection, found)
        events = _stored(connection, {one.key for one in found.values()})
        fresh: dict[int, dict[bytes, Occurrence]] = {}
        changed: set[int] = set()
        for one in sorted(found.values(), key=lambda one: one.time):
            group = groups[one.whose]
            before = events.get((one.key, group["id"]))
            if before is None:
                fresh.setdefault(group["id"], {})[one.key] = one
            elif one.failure.unhandled and not before.unhandled:
                group["unhandled"] += 1
                changed.add(group["id"])
                _now_unhandled(connection, before, before.user or one.user)
        news: list[LogRecord] = []
        hours: Counter[tuple[int, int]] = Counter()
        rows: list[_Event] = []
        by_id = {group["id"]: group for group in groups.values()}
        for number, ones in fresh.items():
            settled = _settled(connection, [_event_of(one, number) for one in ones.values()])
            rows.extend(settled.rows)
            news.extend(_count(by_id[number], settled, ones, hours))
        changed.update(row.error for row in rows)
        names = [column.name for column in schema.error_group.columns]
        self._insert_groups(
            connection, [tuple(group[name] for name in names) for group in by_id.values() if group["id"] in changed]
        )
        self._insert_events(connection, rows)
        self._add_hours(connection, [(*hour, count) for hour, count in hours.items() if count])
        return sorted(news, key=lambda record: record.time)

    def _bounded(self, connection: Connection, occurrences: list[Occurrence]) -> list[Occurrence]:
        """Put together what would be one group too many."""
        if self._next <= _MOST_GROUPS:
            return occurrences
        known = _known(connection, occurrences)
        return [
            one
            if one.whose in known
            else one._replace(
                failure=one.failure._replace(fingerprint=_OTHER, type="(other)", message="", stacktrace="")
            )
            for one in occurrences
        ]

    def _groups(
        self, connection: Connection, found: dict[Any, Occurrence]
    ) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return the groups of occurrences, as they are stored or as they will be."""
        groups = _known(connection, found.values())
        for one in found.values():
            if one.whose not in groups:
                groups[one.whose] = {
                    "id": self._next,
                    **dict(zip(("service", "environment", "fingerprint"), one.whose, strict=True)),
                    "category": one.failure.category,
                    "first_version": one.version,
                    "first_seen": one.time,
                    "last_seen": 0,
                    "count": 0,
                    "unhandled": 0,
                    "resolved_at": None,
                    "regressed_at": None,
                }
                self._next += 1
        return groups


def title_of(kind: str, message: str) -> str:
    """Return what people call an error: its type without the module, or what was logged."""
    return kind.rpartition(".")[2] or one_line(message, _TITLE) or "Error"


def set_state(connection: Connection, group: int, resolved_at: int | None) -> bool:
    """Mark a group resolved at a time in nanoseconds, or as open again; say whether there is such a group."""
    change = update(schema.error_group).where(_group.id == group).values(resolved_at=resolved_at, regressed_at=None)
    return connection.execute(change).rowcount > 0


def _together(occurrences: Iterable[Occurrence], now: int) -> dict[tuple[Any, ...], Occurrence]:
    """Return each occurrence once; of what tells of the same one, whoever knows that nobody handled it."""
    found: dict[tuple[Any, ...], Occurrence] = {}
    for one in occurrences:
        one = one._replace(time=min(max(one.time, 0), now))  # a clock that is fast must not stay the newest for ever
        before = found.setdefault((*one.whose, one.key), one)
        if before is not one:
            failure = before.failure._replace(unhandled=before.failure.unhandled or one.failure.unhandled)
            found[*one.whose, one.key] = before._replace(failure=failure, user=before.user or one.user)
    return found


def _known(connection: Connection, occurrences: Iterable[Occurrence]) -> dict[tuple[str, str, str], dict[str, Any]]:
    wanted = {one.whose for one in occurrences}
    marks = sorted({fingerprint for *_, fingerprint in wanted})
    found = {}
    for at in range(0, len(marks), 4000):
        query = select(schema.error_group).where(_group.fingerprint.in_(marks[at : at + 4000]))
        for row in connection.execute(query).mappings():
            key = row["service"], row["environment"], row["fingerprint"]
            if key in wanted:
                found[key] = dict(row)
    return found


def _stored(connection: Connection, keys: set[bytes]) -> dict[tuple[bytes, int], Row[Any]]:
    wanted = sorted(keys)
    found = {}
    for at in range(0, len(wanted), 4000):
        query = select(schema.error_event).where(_event.occurrence.in_(wanted[at : at + 4000]))
        for row in connection.execute(query):
            found[bytes(row.occurrence), row.error] = row
    return found


# --- said twice: in a trace, and right after by a web server that knows of none --------------------------------------


class _Settled(NamedTuple):
    """What becomes of a group's rows when some are added."""

    rows: list[_Event]  # to be written
    more: list[_Event]  # of these, what was none before
    gone: list[_Event]  # what was one


def _settled(connection: Connection, fresh: Sequence[_Event]) -> _Settled:
    """Pair all that was said near to ``fresh``, of one group, anew: so the order in which it came does not matter."""
    stored = {event.occurrence: event for event in _near(connection, fresh)}
    echoes = [_echo_of(event) for event in stored.values() if event.echo is not None]
    events = {**stored, **{event.occurrence: event for event in (*echoes, *fresh)}}
    echo = _echoes(events.values())
    again = {event.occurrence for event in echo.values()}
    after = {key: _with_echo(event, echo.get(key)) for key, event in events.items() if key not in again}
    gone = [event for key, event in stored.items() if key not in after]
    for event in gone:
        where = (_event.occurrence == event.occurrence, _event.error == event.error)
        connection.execute(delete(schema.error_event).where(*where))
    return _Settled(
        [event for key, event in after.items() if stored.get(key) != event],
        [event for key, event in after.items() if key not in stored],
        gone,
    )


def _echoes(events: Iterable[_Event]) -> dict[bytes, _Event]:
    """Return what a web server said again, by the key of the trace in which it was said shortly before, one to one."""
    open_ones: list[_Event] = []
    found = {}
    for event in sorted(events, key=lambda event: (event.time, not event.traced)):
        if event.traced:
            open_ones.append(event)
        elif event.by_server and open_ones and event.time - open_ones[-1].time <= _AFTER_NS:
            found[open_ones.pop().occurrence] = event
    return found


def _near(connection: Connection, fresh: Sequence[_Event]) -> list[_Event]:
    """Return the stored rows that pairing may change, nothing where no web server said anything."""
    low, high = fresh[0].time - 2 * _AFTER_NS, fresh[-1].time + 2 * _AFTER_NS
    here = select(schema.error_event).where(_event.error == fresh[0].error, _event.time.between(low, high))
    said = here.where(or_(_event.by_server == 1, _event.echo.is_not(None))).limit(1)
    if not any(event.by_server for event in fresh) and connection.execute(said).first() is None:
        return []
    pairing = here.where(or_(_event.by_server == 1, _event.traced == 1)).order_by(_event.time.desc()).limit(_MOST_NEAR)
    return [_Event(*row) for row in connection.execute(pairing)]


def _event_of(one: Occurrence, group: int) -> _Event:
    by_server = int(one.by_server and bool(one.failure.type))
    return _Event(one.key, group, one.time, int(one.traced), one.span_id, _unhandled(one), one.user, by_server)


def _echo_of(event: _Event) -> _Event:
    """Return the row that a record would have which was paired with a traced one."""
    return _Event(event.echo or b"", event.error, event.echo_time or 0, 0, None, 0, None, 1)


def _with_echo(event: _Event, echo: _Event | None) -> _Event:
    return event._replace(echo=echo and echo.occurrence, echo_time=echo and echo.time)


def _now_unhandled(connection: Connection, event: Row[Any], user: str | None) -> None:
    change = update(schema.error_event).where(_event.occurrence == event.occurrence, _event.error == event.error)
    connection.execute(change.values(unhandled=1, user=user))


# --- groups ----------------------------------------------------------------------------------------------------------


def _count(
    group: dict[str, Any], settled: _Settled, fresh: Mapping[bytes, Occurrence], hours: Counter[tuple[int, int]]
) -> list[LogRecord]:
    """Count in its group and hours what became of it, and return what is news about it."""
    news: list[LogRecord] = []
    for event in settled.more:
        one = fresh.get(event.occurrence)
        if one is not None:
            news.extend(_take_in(group, one))
        else:
            group["count"] += 1
        hours[_hour_of(event)] += 1
    for event in settled.gone:
        group["count"] -= 1
        group["unhandled"] -= event.unhandled
        hours[_hour_of(event)] -= 1
    return news


def _hour_of(event: _Event) -> tuple[int, int]:
    return event.time // _HOUR_NS * schema.HOUR, event.error


def _take_in(group: dict[str, Any], one: Occurrence) -> Sequence[LogRecord]:
    """Count an occurrence in its group, and return what is news about it."""
    failure = one.failure
    first = not group["count"]
    # The example changes once an hour, not with every batch: it is the largest part of the row.
    if first or one.time // _HOUR_NS > group["last_seen"] // _HOUR_NS:
        group["type"] = clip(failure.type, LABEL)
        group["message"] = clip(failure.message, _LONGEST_MESSAGE)
        group["stack"] = clip(failure.stacktrace, _LONGEST_STACK)
        group["place"] = clip(where_of(failure.stacktrace), LABEL)
    if one.time >= group["last_seen"]:
        group["last_seen"], group["last_version"] = one.time, one.version
    group["first_seen"] = min(group["first_seen"], one.time)
    group["count"] += 1
    group["unhandled"] += _unhandled(one)
    if first:
        return (_told(ERROR_NEW, group, one),)
    if group["resolved_at"] is not None and group["regressed_at"] is None and one.time > group["resolved_at"]:
        group["regressed_at"] = one.time
        return (_told(ERROR_REGRESSED, group, one),)
    return ()


def _told(event: str, group: dict[str, Any], one: Occurrence) -> LogRecord:
    """Return the record by which others learn of it; its uid is the same whenever it is told again."""
    title = title_of(group["type"], group["message"])
    verb = "New error" if event == ERROR_NEW else "Error seen again after it was resolved"
    where = f" at {group['place']}" if group["place"] else ""
    known = {
        Core.LOG_RECORD_UID: f"{event}:{':'.join(one.whose)}:{one.time}",
        Core.ERROR_TYPE: group["type"] or "_OTHER",
        Errors.FINGERPRINT: group["fingerprint"],
        Errors.CATEGORY: group["category"],
        Errors.GROUP: group["id"],
        Core.SERVICE_VERSION: one.version,
    }
    resource = {Core.SERVICE_NAME: one.service, Core.DEPLOYMENT_ENVIRONMENT: one.environment}
    return LogRecord(
        *(one.time, one.time, _WARN, "WARN", f"{verb}: {title}{where}"),
        attributes={name: value for name, value in known.items() if value != ""},
        event_name=event,
        trace_id=one.key if one.traced else b"",
        span_id=one.span_id or b"",
        resource=Resource({name: value for name, value in resource.items() if value}),
        scope=Scope("otelkit.errors"),
    )


def _unhandled(one: Occurrence) -> int:
    return int(one.failure.unhandled)
