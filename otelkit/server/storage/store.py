"""The one writer: every signal of every waiting batch in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from otelkit.model import LogRecord, MetricPoint, Span
from otelkit.server.storage import schema
from otelkit.server.storage.database import Database
from otelkit.server.storage.facts import SpanFact
from otelkit.server.storage.interning import Interned
from otelkit.server.storage.logs import Logs, LogWriter
from otelkit.server.storage.metrics import MetricWriter
from otelkit.server.storage.payloads import PayloadWriter
from otelkit.server.storage.rollups import Rollups, Tiers
from otelkit.server.storage.spans import SpanWriter

__all__ = ["Batch", "Store"]

Prepare = Callable[[Sequence[Span]], list[SpanFact]]


class Batch(NamedTuple):
    """The decoded records of one request; ``signal`` is spans, logs or points."""

    signal: str
    records: Sequence[Any]


class Store:
    """Writes batches into a database; only one thread may call :meth:`write`.

    ``prepare`` turns spans into facts, outside the transaction; redaction happens there, in ``prepare_log`` and in
    ``prepare_point``.
    """

    def __init__(
        self,
        database: Database,
        prepare: Prepare,
        prepare_log: Callable[[LogRecord], LogRecord],
        prepare_point: Callable[[MetricPoint], MetricPoint],
        *,
        max_series: int,
    ) -> None:
        self.database = database
        self._prepare = prepare
        self._prepare_log = prepare_log
        self._prepare_point = prepare_point
        self._max_series = max_series
        self._tally = database.dialect.add(schema.tally)
        database.begin(self._open)

    def _open(self, connection: Connection) -> None:
        """Read what writers remember: the highest ids, the newest steps, the dictionary."""
        self._payloads = PayloadWriter(connection)
        self._spans = SpanWriter(connection, self._payloads, max_series=self._max_series)
        self._logs = LogWriter(connection, self._payloads)
        self._metrics = MetricWriter(connection)
        self._tiers = Tiers(connection)
        self._actors: Interned[tuple[str, str, str]] = Interned(connection, schema.actor)
        self._remembers = True

    def forget(self) -> None:
        """Read again, before the next write, what writers remember; for the writer thread."""
        self._remembers = False

    def write(self, batches: Sequence[Batch]) -> None:
        """Store all batches or none.

        Raises:
            StorageFullError, StorageError: nothing was stored.
        """
        facts = self._prepare([span for batch in batches if batch.signal == "spans" for span in batch.records])
        logs = [
            Logs([self._prepare_log(record) for record in batch.records]) for batch in batches if batch.signal == "logs"
        ]
        points = [
            self._prepare_point(point) for batch in batches if batch.signal == "points" for point in batch.records
        ]
        try:
            self._commit(facts, logs, points)
        except BaseException:
            self._remembers = False  # ids handed out in the transaction do not exist
            raise

    def _commit(self, facts: list[SpanFact], logs: list[Logs], points: list[Any]) -> None:
        sums = Rollups()
        with self.database.writing() as connection:
            if self.database.dialect.taken_over(connection) or not self._remembers:
                self._open(connection)
            spans, traces = self._spans.write(connection, facts, sums)
            stored = self._logs.write(connection, logs, sums, time.time_ns()) if logs else 0
            written = self._metrics.write(connection, points) if points else 0
            actors = self._actors.ids(connection, [key[1:] for key in sums.actors])
            self._tiers.write(connection, sums, actors)
            self._payloads.flush(connection)
            counts = (("spans", spans), ("traces", traces), ("logs", stored), ("points", written))
            self._tally(connection, [pair for pair in counts if pair[1]])
