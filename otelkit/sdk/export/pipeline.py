"""What the worker does with a batch: convert → stamp → metrics → redact → encode → lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from otelkit.mapping.failures import stamp_log
from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.mapping.redaction import Redactor
from otelkit.mapping.stamp import Stamper
from otelkit.model import Attributes, LogRecord, Span
from otelkit.sdk.convert import Converter
from otelkit.sdk.export.lane import Batch, Lane
from otelkit.sdk.export.ledger import DeliveryLedger, Reason, Signal
from otelkit.sdk.export.worker import Record
from otelkit.sdk.guard import guard

__all__ = ["Pipeline"]

T = TypeVar("T")
AnyRecord = TypeVar("AnyRecord", Span, LogRecord)


class Pipeline:
    """Processes records in order; a record that cannot be processed is counted and does not stop the others.

    Args:
        stamper: gives spans one shape, price and marks.
        observers: called with every finished span, sampled or not: they derive metrics.
        observe_log: called with every log record, exported or not.
        leaving: called with every redacted span that was sampled, exported or not.
        settle: called when they have seen a batch.
        identities: takes raw ids off attributes.
        redactor: the last thing that touches a record before it is encoded.
        lanes: where batches go; a signal without a lane is not exported.
        ledger: counts what is lost.
        told: log records that observers made of what they saw, asked for once a batch.
    """

    def __init__(
        self,
        *,
        stamper: Stamper,
        observers: Sequence[Callable[[Span], None]],
        observe_log: Callable[[LogRecord], None],
        leaving: Callable[[Span], None] | None,
        settle: Callable[[], None],
        identities: Callable[[Attributes], Attributes],
        redactor: Redactor,
        lanes: Mapping[Signal, Lane],
        ledger: DeliveryLedger,
        told: Callable[[], Sequence[LogRecord]] = tuple,
    ) -> None:
        self._convert = Converter()
        self._stamp = stamper
        self._observers = tuple(observers)
        self._observe_log = observe_log
        self._leaving = leaving
        self._settle = settle
        self._identities = identities
        self._redactor = redactor
        self._lanes = lanes
        self._ledger = ledger
        self._told = told

    def process(self, records: Sequence[Record]) -> None:
        """One batch of finished spans and log records."""
        spans: list[Span] = []
        logs: list[LogRecord] = []
        for record in records:
            is_span = isinstance(record, ReadableSpan)
            done = False
            with guard:
                if isinstance(record, ReadableSpan):
                    self._span(record, spans)
                else:
                    self._log(record, logs)
                done = True
            if not done:
                self._ledger.dropped(Signal.TRACES if is_span else Signal.LOGS, Reason.INVALID)
        with guard:
            self._settle()
            for event in self._told():
                self._keep(event, logs)
        if spans:
            self._export(Signal.TRACES, encode_spans, spans)
        if logs:
            self._export(Signal.LOGS, encode_logs, logs)

    def refuse(self, record: Record) -> None:
        """Count a record for which the queue had no room."""
        signal = Signal.TRACES if isinstance(record, ReadableSpan) else Signal.LOGS
        self._ledger.dropped(signal, Reason.QUEUE_FULL)

    def _span(self, record: ReadableSpan, spans: list[Span]) -> None:
        span = self._stamp(self._convert.span(record))
        for observe in self._observers:
            observe(span)
        exported = Signal.TRACES in self._lanes
        if not span.flags & 1 or not (exported or self._leaving):
            return  # metrics see all spans, the export only sampled ones
        clean = self._redactor.span(self._without_ids(span))
        if self._leaving is not None:
            with guard:
                self._leaving(clean)
        if exported:
            spans.append(clean)

    def _log(self, record: Record, logs: list[LogRecord]) -> None:
        log = stamp_log(self._convert.log(record))  # type: ignore[arg-type]
        self._observe_log(log)
        self._keep(log, logs)

    def _keep(self, record: LogRecord, logs: list[LogRecord]) -> None:
        if Signal.LOGS in self._lanes:
            logs.append(self._redactor.log(self._without_ids(record)))

    def _without_ids(self, record: AnyRecord) -> AnyRecord:
        attributes = self._identities(record.attributes)
        if attributes is not record.attributes:
            record = record._replace(attributes=attributes)
        if isinstance(record, Span) and record.events:
            events = tuple(event._replace(attributes=self._identities(event.attributes)) for event in record.events)
            return record._replace(events=events)
        return record

    def _export(self, signal: Signal, encode: Callable[[Sequence[T]], bytes], records: Sequence[T]) -> None:
        body = b""
        with guard:
            body = encode(records)
        if body:
            self._lanes[signal].put(Batch(body, len(records)))
        else:
            self._ledger.dropped(signal, Reason.INVALID, len(records))
