"""The one writer: every signal of every waiting batch in one transaction."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection

from otelkit.model import LogRecord, MetricPoint, Span
from otelkit.server.storage import audit, schema
from otelkit.server.storage.database import Database
from otelkit.server.storage.errors import ErrorWriter
from otelkit.server.storage.facts import SpanFact
from otelkit.server.storage.interning import Interned
from otelkit.server.storage.logs import Logs, LogWriter
from otelkit.server.storage.metrics import MetricWriter
from otelkit.server.storage.payloads import PayloadWriter
from otelkit.server.storage.rollups import Rollups, Tiers
from otelkit.server.storage.spans import SpanWriter

__all__ = ["Batch", "Limits", "Prepare", "Store"]


class Prepare(Protocol):
    """What happens to records outside the transaction: redaction above all. Must not raise."""

    def spans(self, spans: Sequence[Span]) -> list[SpanFact]:
        """Return the facts of each span."""

    def logs(self, records: Sequence[LogRecord]) -> list[LogRecord]:
        """Return the records as they are to be stored."""

    def points(self, points: Sequence[MetricPoint]) -> list[MetricPoint]:
        """Return the points as they are to be stored."""


class Batch(NamedTuple):
    """The decoded records of one request; ``signal`` is spans, logs or points."""

    signal: str
    records: Sequence[Any]


class Limits(NamedTuple):
    """How many names are told apart: of spans and of logs, and of metrics with their labels."""

    series: int
    metric_series: int


class _Prepared(NamedTuple):
    facts: list[SpanFact]
    logs: list[Logs]
    entries: list[LogRecord]
    points: list[MetricPoint]


class Store:
    """Writes batches into a database; only one thread may call :meth:`write`.

    ``on_taken_over`` is called inside a transaction that begins after another server has written.
    """

    def __init__(self, database: Database, prepare: Prepare, limits: Limits) -> None:
        self.database = database
        self.on_taken_over: Callable[[Connection], object] = _nothing
        self._prepare = prepare
        self._limits = limits
        self._tally = database.dialect.add(schema.tally)
        database.begin(self._open)

    def _open(self, connection: Connection) -> None:
        """Read what writers remember: the highest ids, the newest steps, the dictionary."""
        self._payloads = PayloadWriter(connection)
        self._spans = SpanWriter(connection, self._payloads, max_series=self._limits.series)
        self._logs = LogWriter(connection, self._payloads, max_series=self._limits.series)
        self._metrics = MetricWriter(connection, max_series=self._limits.metric_series)
        self._errors = ErrorWriter(connection)
        self._tiers = Tiers(connection)
        self._actors: Interned[tuple[str, str, str]] = Interned(connection, schema.actor)
        self._remembers = True

    def take_turn(self, connection: Connection) -> None:
        """Begin a transaction of the writer's; what another server has written since is not remembered here."""
        if self.database.dialect.taken_over(connection):
            self._remembers = False
            self.on_taken_over(connection)

    def forget(self) -> None:
        """Read again, before the next write, what writers remember; for the writer thread."""
        self._remembers = False

    def write(self, batches: Sequence[Batch]) -> Counter[tuple[str, str]]:
        """Store all batches or none; return how many records were refused, by signal and reason.

        Raises:
            StorageFullError, StorageError: nothing was stored.
        """
        ready = self._prepared(batches)
        try:
            return self._commit(ready)
        except BaseException:
            self._remembers = False  # ids handed out in the transaction do not exist
            raise

    def _prepared(self, batches: Sequence[Batch]) -> _Prepared:
        spans, records, points = (
            [batch.records for batch in batches if batch.signal == signal] for signal in ("spans", "logs", "points")
        )
        clean = [self._prepare.logs(some) for some in records]
        return _Prepared(
            facts=self._prepare.spans([span for some in spans for span in some]),
            logs=[Logs([record for record in some if not audit.is_audit(record)]) for some in clean],
            entries=[record for some in clean for record in some if audit.is_audit(record)],
            points=self._prepare.points([point for some in points for point in some]),
        )

    def _commit(self, ready: _Prepared) -> Counter[tuple[str, str]]:
        sums, now, refused = Rollups(), time.time_ns(), 0
        stored: Counter[str] = Counter()
        with self.database.writing() as connection:
            self.take_turn(connection)
            if not self._remembers:
                self._open(connection)
            stored["spans"], stored["traces"] = self._spans.write(connection, ready.facts, sums)
            if ready.logs:
                stored["logs"] = self._logs.write(connection, ready.logs, sums, now)
            if sums.errors and (news := self._errors.write(connection, sums.errors, now)):
                stored["logs"] += self._logs.write(connection, [Logs(news)], sums, now)
            if ready.entries:
                stored["audit"] = audit.append(connection, [audit.entry_of(one, now) for one in ready.entries])
            if ready.points:
                stored["points"], refused = self._metrics.write(connection, ready.points)
            actors = self._actors.ids(connection, [key[1:] for key in sums.actors])
            self._tiers.write(connection, sums, actors)
            self._payloads.flush(connection)
            self._tally(connection, list((+stored).items()))
        return Counter({("points", "too_many_series"): refused} if refused else {})


def _nothing(connection: Connection) -> None:
    """Nobody wants to know."""
