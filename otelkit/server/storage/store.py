"""The one writer: every signal of every waiting batch in one transaction."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection

from otelkit.model import LogRecord, MetricPoint, Span
from otelkit.server.storage import schema
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
        facts = self._prepare.spans([span for batch in batches if batch.signal == "spans" for span in batch.records])
        logs = [Logs(self._prepare.logs(batch.records)) for batch in batches if batch.signal == "logs"]
        points = self._prepare.points([one for batch in batches if batch.signal == "points" for one in batch.records])
        try:
            return self._commit(facts, logs, points)
        except BaseException:
            self._remembers = False  # ids handed out in the transaction do not exist
            raise

    def _commit(self, facts: list[SpanFact], logs: list[Logs], points: list[MetricPoint]) -> Counter[tuple[str, str]]:
        sums = Rollups()
        with self.database.writing() as connection:
            self.take_turn(connection)
            if not self._remembers:
                self._open(connection)
            spans, traces = self._spans.write(connection, facts, sums)
            now = time.time_ns()
            stored = self._logs.write(connection, logs, sums, now) if logs else 0
            if sums.errors and (news := self._errors.write(connection, sums.errors, now)):
                stored += self._logs.write(connection, [Logs(news)], sums, now)
            written, refused = self._metrics.write(connection, points) if points else (0, 0)
            actors = self._actors.ids(connection, [key[1:] for key in sums.actors])
            self._tiers.write(connection, sums, actors)
            self._payloads.flush(connection)
            counts = (("spans", spans), ("traces", traces), ("logs", stored), ("points", written))
            self._tally(connection, [pair for pair in counts if pair[1]])
        return Counter({("points", "too_many_series"): refused} if refused else {})


def _nothing(connection: Connection) -> None:
    """Nobody wants to know."""
