"""SDK objects → plain records. Runs on the worker, reads public properties only."""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otelkit.model import NO_ATTRIBUTES, Attributes, LogRecord, Resource, Scope, Span, SpanEvent, SpanLink
from otelkit.semconv.attributes import Otelkit

__all__ = ["Converter"]

# OTLP's span flags: bit 8 says that bit 9 is meaningful, bit 9 that the parent is in another process.
_HAS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200


class Converter:
    """Remembers the few resources and scopes of a process, so that each is converted once."""

    def __init__(self) -> None:
        self._resources: dict[int, tuple[SdkResource, Resource]] = {}
        self._scopes: dict[int, tuple[InstrumentationScope, Scope]] = {}

    def span(self, span: ReadableSpan) -> Span:
        """One finished SDK span as a record."""
        context = span.context
        parent = span.parent
        assert context is not None
        status = span.status
        return Span(
            trace_id=context.trace_id.to_bytes(16, "big"),
            span_id=context.span_id.to_bytes(8, "big"),
            parent_id=parent.span_id.to_bytes(8, "big") if parent is not None else b"",
            name=span.name,
            kind=span.kind.value + 1,
            start=span.start_time or 0,
            end=span.end_time or 0,
            status=status.status_code.value,
            status_message=status.description or "",
            attributes=_plain(span.attributes),
            events=tuple([SpanEvent(e.name, e.timestamp, _plain(e.attributes)) for e in span.events]),
            links=tuple([_link(link.context, link.attributes) for link in span.links]),
            resource=self.resource(span.resource),
            scope=self.scope(span.instrumentation_scope),
            flags=context.trace_flags | _HAS_REMOTE | (_IS_REMOTE if parent is not None and parent.is_remote else 0),
            trace_state=context.trace_state.to_header() if context.trace_state else "",
            dropped_attributes=span.dropped_attributes,
        )

    def log(self, record: ReadWriteLogRecord) -> LogRecord:
        """One SDK log record as a record."""
        log = record.log_record
        return LogRecord(
            time=log.timestamp or log.observed_timestamp or 0,
            observed=log.observed_timestamp or log.timestamp or 0,
            severity=log.severity_number.value if log.severity_number is not None else 0,
            severity_text=log.severity_text or "",
            body=log.body,
            attributes=_plain(log.attributes),
            event_name=log.event_name or "",
            trace_id=log.trace_id.to_bytes(16, "big") if log.trace_id else b"",
            span_id=log.span_id.to_bytes(8, "big") if log.span_id else b"",
            flags=log.trace_flags or 0,
            resource=self.resource(record.resource),
            scope=self.scope(record.instrumentation_scope),
        )

    def resource(self, resource: SdkResource | None) -> Resource:
        """The resource, converted once a process; the SDK object is kept so that its id stays its own."""
        if resource is None:
            return Resource()
        known = self._resources.get(id(resource))
        if known is None:
            if len(self._resources) > 64:
                self._resources.clear()
            # Also on spans of a provider that was there before otelkit: the Collector must not derive metrics again.
            known = self._resources[id(resource)] = (
                resource,
                Resource({**resource.attributes, Otelkit.METRICS: "sdk"}),
            )
        return known[1]

    def scope(self, scope: InstrumentationScope | None) -> Scope:
        """The scope, converted once a process."""
        if scope is None:
            return Scope()
        known = self._scopes.get(id(scope))
        if known is None:
            if len(self._scopes) > 512:
                self._scopes.clear()
            converted = Scope(scope.name, scope.version or "", dict(scope.attributes or {}))
            known = self._scopes[id(scope)] = (scope, converted)
        return known[1]


def _plain(attributes: object) -> Attributes:
    """A plain dict: the SDK's own mapping runs Python code for each key, and what follows asks for dozens."""
    return attributes.copy() if attributes else NO_ATTRIBUTES  # type: ignore[attr-defined]


def _link(context: SpanContext, attributes: object) -> SpanLink:
    return SpanLink(
        context.trace_id.to_bytes(16, "big"),
        context.span_id.to_bytes(8, "big"),
        _plain(attributes),
        context.trace_state.to_header() if context.trace_state else "",
    )
