"""Where the SDK's providers hand over: processors that only append to the worker's queue."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otelkit.sdk.context import current_request_id, current_session
from otelkit.sdk.export.worker import Record
from otelkit.sdk.guard import guard
from otelkit.semconv.attributes import Otelkit

__all__ = ["LogEntrance", "SpanEntrance"]


class SpanEntrance(SpanProcessor):
    """Hands finished spans to ``submit``.

    Args:
        submit: takes a record; looked up anew each time, because a forked process has another worker.
        flush: flushes everything behind it within a number of seconds.
        begun: takes a span that starts, and the context it starts in.
    """

    def __init__(
        self,
        submit: Callable[[Record], None],
        flush: Callable[[float], bool],
        begun: Callable[[Span, Context | None], None],
    ) -> None:
        self._submit = submit
        self._flush = flush
        self._begun = begun

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand over what can be seen at the start only."""
        with guard:
            self._begun(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span."""
        with guard:
            self._submit(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush, keeping the deadline."""
        return self._flush(timeout_millis / 1000)


class LogEntrance(LogRecordProcessor):
    """Adds session and request to log records and hands them to ``submit``, as :class:`SpanEntrance` does spans."""

    def __init__(self, submit: Callable[[Record], None], flush: Callable[[float], bool]) -> None:
        self._submit = submit
        self._flush = flush

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Stamp and queue the record."""
        with guard:
            self._stamp(log_record)
            self._submit(log_record)

    def _stamp(self, log_record: ReadWriteLogRecord) -> None:
        context = log_record.log_record.context
        stamps = dict(current_session(context).attributes)
        request_id = current_request_id(context)
        if request_id:
            stamps[Otelkit.REQUEST_ID] = request_id
        if stamps:
            # Whose work it is says the session; a record's own field of that name is only a field.
            log_record.log_record.attributes = {**(log_record.log_record.attributes or {}), **stamps}

    def shutdown(self) -> None:
        """Nothing to stop: the bootstrap owns the worker."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush, keeping the deadline."""
        return self._flush(timeout_millis / 1000)
