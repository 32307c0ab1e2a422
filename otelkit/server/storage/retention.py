"""Deletes the oldest records, by age and by size, in steps that take milliseconds.

A step is an order to the writer between two groups of batches; after each the writer is left alone for several times as
long as the step took. Traces go whole, once their last span is old. The sums by hour stay for ever, so figures of pages
do not change. A block of details goes with the last row that refers to it: ``payload_left`` counts the rows of blocks
that have lost some.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, select

from otelkit.errors import OtelkitError
from otelkit.server.storage import audit, schema
from otelkit.server.storage.deletion import delete_error_events, delete_error_groups, delete_logs, delete_traces
from otelkit.server.storage.dialect import dialect_of
from otelkit.server.storage.payloads import PayloadReader
from otelkit.server.storage.store import Store

__all__ = ["Retention", "deleted_before"]

Order = Callable[[Callable[[Connection], float]], "Future[float]"]

_log = logging.getLogger(__name__)
_IDLE: Final = 30.0  # seconds between looks while nothing is due
_STEP: Final = 0.010  # seconds a step should take
_LEAST: Final = 50  # rows of a step
_MOST: Final = 5000
_SHARE: Final = 4  # a step is followed by a pause of so many times its length
_SLICES: Final = 100
_DELETED_BEFORE: Final = "deleted_before"  # in meta
_SIGNALS: Final = ("spans", "traces", "logs", "points")
_trace, _logs, _point = schema.trace.c, schema.log.c, schema.metric_point.c
_error, _group = schema.error_event.c, schema.error_group.c
_GROUPS_KEPT: Final = 365 * 86_400 * 10**9  # since an error was last seen: what comes back after a year is new


class Retention:
    """Keeps records for ``keep`` seconds and the store at ``max_size`` bytes at most; 0 is without that limit.

    Audit records have an age of their own, ``audit_keep``, and no limit of size.

    ``order`` has the writer do something in a transaction of its own; ``start`` and ``stop`` run this beside the
    server; ``clock`` says what time it is, in seconds.
    """

    def __init__(
        self,
        store: Store,
        order: Order,
        keep: int,
        max_size: int,
        clock: Callable[[], float] = time.time,
        *,
        audit_keep: int = 0,
    ) -> None:
        self.keep = keep
        self.max_size = max_size
        self.audit_keep = audit_keep
        self._store = store
        self._order = order
        self._database = store.database
        self._clock = clock
        self._rows = 400
        self._blocks = PayloadReader()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.last: float | None = None

    def start(self) -> None:
        """Begin to look after the store."""
        if self._thread is None and (self.keep or self.max_size or self.audit_keep):
            self._thread = threading.Thread(target=self._run, name="otelkit-retention", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the step at hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def step(self) -> float | None:
        """Delete some of what is due and return the seconds that took; None where nothing is due.

        Raises:
            OtelkitError: the store could not be read or written, or the server is stopping.
        """
        with self._database.reading() as connection:
            cutoff, audit_cutoff = self._cutoff(connection), self._audit_cutoff()
            due = _due(connection, cutoff) or (audit.oldest(connection) or audit_cutoff) < audit_cutoff
            if not due and not dialect_of(connection).unused(connection):
                return None
        return self._order(lambda connection: self._delete(connection, cutoff, audit_cutoff)).result()

    def json(self, connection: Connection) -> dict[str, Any]:
        """Return the limits, the oldest record there is, and what was deleted so far."""
        gone = {row[0]: row[1] for row in connection.execute(select(schema.tally))}
        oldest = _oldest(connection)
        return {
            "keep_s": self.keep or None,
            "max_bytes": self.max_size or None,
            "oldest": oldest / 1e6 if oldest is not None else None,
            "last": self.last * 1000 if self.last is not None else None,
            "deleted": {name: gone.get(f"deleted_{name}", 0) for name in _SIGNALS},
        }

    def _run(self) -> None:
        pause: float | None = 1.0
        while not self._stopping.wait(_IDLE if pause is None else pause):
            try:
                took = self.step()
            except OtelkitError as error:
                _log.warning("nothing old deleted: %s", error)
                took = None
            except Exception as error:  # noqa: BLE001  a bug must not end the thread: what is old would stay for ever
                _log.error("nothing old deleted (%s)", type(error).__name__)
                took = None
            pause = None if took is None else max(0.02, took * _SHARE)

    def _cutoff(self, connection: Connection) -> int:
        """Return the time in nanoseconds before which everything goes."""
        now = int(self._clock() * 1e9)
        cutoff = now - self.keep * 10**9 if self.keep else 0
        if self.max_size and dialect_of(connection).used(connection) > self.max_size:
            oldest = _oldest(connection)
            if oldest is not None:
                cutoff = max(cutoff, oldest + max(10**9, (now - oldest) // _SLICES))
        return cutoff

    def _audit_cutoff(self) -> int:
        return int((self._clock() - self.audit_keep) * 1e9) if self.audit_keep else 0

    def _delete(self, connection: Connection, cutoff: int, audit_cutoff: int) -> float:
        started = time.perf_counter()
        dialect = dialect_of(connection)
        spans, traces = delete_traces(connection, _old_traces(cutoff), self._rows, self._blocks)
        logs = delete_logs(connection, _logs.time < cutoff, max(_LEAST, self._rows - spans), self._blocks)
        points = _delete_points(connection, cutoff, self._rows)
        _delete_errors(connection, cutoff, self._rows)
        if points and _delete_empty_series(connection):
            self._store.forget()  # the writer remembers their ids
        audit.delete_older(connection, audit_cutoff, _LEAST)
        dialect.shrink(connection)
        gone = [pair for pair in zip(_SIGNALS, (spans, traces, logs, points), strict=True) if pair[1]]
        counts = [row for name, count in gone for row in ((name, -count), (f"deleted_{name}", count))]
        dialect.add(schema.tally)(connection, counts)
        if cutoff:
            _note(connection, cutoff)
        self.last = self._clock()
        took = time.perf_counter() - started
        self._rows = min(_MOST, max(_LEAST, int(self._rows * min(2.0, max(0.5, _STEP / max(took, 1e-6))))))
        return took


def deleted_before(connection: Connection) -> int:
    """Return the time in nanoseconds before which records were deleted; 0 where none were.

    Their sums are still there, so whoever stores them again counts them twice.
    """
    found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == _DELETED_BEFORE)).scalar()
    return int(found or 0)


def _note(connection: Connection, cutoff: int) -> None:
    latest = max(cutoff, deleted_before(connection))
    connection.execute(delete(schema.meta).where(schema.meta.c.key == _DELETED_BEFORE))
    connection.execute(schema.meta.insert().values(key=_DELETED_BEFORE, value=str(latest)))


def _due(connection: Connection, cutoff: int) -> bool:
    if cutoff <= 0:
        return False
    traces, logs = select(_trace.id).where(_old_traces(cutoff)), select(_logs.id).where(_logs.time < cutoff)
    errors, groups = select(_error.error).where(_error.time < cutoff), _old_groups(cutoff)
    queries = (traces, logs, _old_series(cutoff), errors, groups)
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def _oldest(connection: Connection) -> int | None:
    found = [connection.execute(select(func.min(column))).scalar() for column in (_trace.start, _logs.time)]
    known = [time for time in found if time is not None]
    if not known:  # points have no index by time: they are asked where they are all there is
        known = [time for (time,) in connection.execute(select(func.min(_point.time))) if time is not None]
    return min(known, default=None)


def _old_traces(cutoff: int) -> ColumnElement[bool]:
    return and_(_trace.start < cutoff, _trace.start + _trace.duration < cutoff)


def _old_series(cutoff: int) -> Any:
    old = exists().where(_point.series == schema.metric_series.c.id, _point.time < cutoff)
    return select(schema.metric_series.c.id).where(old)


def _delete_points(connection: Connection, cutoff: int, limit: int) -> int:
    gone = 0
    for (series,) in connection.execute(_old_series(cutoff).limit(50)).all():
        old = select(_point.time).where(_point.series == series, _point.time < cutoff).order_by(_point.time)
        last = connection.execute(old.limit(limit - gone)).scalars().all()[-1]
        some = delete(schema.metric_point).where(_point.series == series, _point.time <= last)
        gone += connection.execute(some).rowcount
        if gone >= limit:
            break
    return gone


def _old_groups(cutoff: int) -> Any:
    return select(_group.id).where(_group.last_seen < cutoff - _GROUPS_KEPT)


def _delete_errors(connection: Connection, cutoff: int, limit: int) -> None:
    """Delete the single times an error was seen; its row and its sums stay until it has been away for a year."""
    delete_error_events(connection, _error.time < cutoff, limit)
    delete_error_groups(connection, [row[0] for row in connection.execute(_old_groups(cutoff).limit(_LEAST))])


def _delete_empty_series(connection: Connection) -> bool:
    table: Table = schema.metric_series
    empty = ~exists().where(_point.series == table.c.id)
    return connection.execute(delete(table).where(empty)).rowcount > 0
