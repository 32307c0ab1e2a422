"""Errors of finished spans and of log records → the metric, each once a trace."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from otelkit.mapping.failures import Failure, failure_of_log, failures_of_span
from otelkit.mapping.metrics import Measurement
from otelkit.model import AttributeValue, LogRecord, Span
from otelkit.semconv.attributes import Core, Errors
from otelkit.semconv.metrics import ErrorMetrics

__all__ = ["ErrorCounter"]

_MOST_TRACES: Final = 2_048
_MOST_COUNTED: Final = 8_192
_LONGEST_WAIT: Final = 5.0  # seconds until an error is counted although its trace goes on
_REMOTE_PARENT: Final = 0x300  # OTLP span flags: "is remote" is known, and true


class _Waiting(NamedTuple):
    since: float
    errors: dict[str, tuple[Failure, Span | None]]


class ErrorCounter:
    """Takes stamped spans and log records in the order they ended, and counts an error when its trace has ended here.

    Only then is it known whether anybody handled it: the span of a tool ends before that of the request around it. An
    error seen again, in an outer span or in a log record, is the same one.

    Args:
        record: takes a measurement, and the span it came from.
        clock: seconds, for how long an error has waited.
    """

    def __init__(
        self, record: Callable[[Measurement, Span | None], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._record = record
        self._clock = clock
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._counted: OrderedDict[tuple[bytes, str], None] = OrderedDict()
        self._lock = threading.Lock()  # the worker and the clock of metrics both settle

    def observe(self, span: Span) -> None:
        """Take a finished span."""
        if span.events:
            with self._lock:
                for failure in failures_of_span(span):
                    self._add(span.trace_id, failure, span)
        if self._waiting and (not span.parent_id or span.flags & _REMOTE_PARENT == _REMOTE_PARENT):
            with self._lock:
                self._end(span.trace_id)

    def observe_log(self, record: LogRecord) -> None:
        """Take a log record; one without a trace is counted at once."""
        failure = failure_of_log(record)
        if failure is None:
            return
        if record.trace_id:
            with self._lock:
                self._add(record.trace_id, failure, None)
        else:
            self._count(failure, None)

    def settle(self, everything: bool = False) -> None:
        """Count what has waited long enough, or everything."""
        if not self._waiting:
            return
        with self._lock:
            latest = self._clock() - _LONGEST_WAIT
            while self._waiting and (everything or next(iter(self._waiting.values())).since <= latest):
                self._end(next(iter(self._waiting)))

    def _add(self, trace_id: bytes, failure: Failure, span: Span | None) -> None:
        if (trace_id, failure.fingerprint) in self._counted:
            return
        waiting = self._waiting.get(trace_id)
        if waiting is None:
            if len(self._waiting) >= _MOST_TRACES:
                self._end(next(iter(self._waiting)))
            waiting = self._waiting[trace_id] = _Waiting(self._clock(), {})
        before = waiting.errors.get(failure.fingerprint)
        if before is None or (failure.unhandled and not before[0].unhandled):
            waiting.errors[failure.fingerprint] = failure, span or (before[1] if before else None)

    def _end(self, trace_id: bytes) -> None:
        waiting = self._waiting.pop(trace_id, None)
        if waiting is None:
            return
        for fingerprint, (failure, span) in waiting.errors.items():
            self._counted[trace_id, fingerprint] = None
            if len(self._counted) > _MOST_COUNTED:
                self._counted.popitem(last=False)
            self._count(failure, span)

    def _count(self, failure: Failure, span: Span | None) -> None:
        labels: dict[str, AttributeValue] = {
            Core.ERROR_TYPE: failure.type or "_OTHER",
            Errors.CATEGORY: failure.category,
            Errors.UNHANDLED: failure.unhandled,
        }
        self._record(Measurement(ErrorMetrics.ERRORS, 1, labels), span)
