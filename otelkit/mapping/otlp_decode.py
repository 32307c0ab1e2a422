"""OTLP requests as otelkit's records.

A body that is not the message raises; a record that is wrong in itself is rejected with a reason while its siblings
survive, which is what OTLP's *partial success* answers are made of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from otelkit.errors import DecodeError
from otelkit.mapping.otlp_json import logs_request, metrics_request, trace_request
from otelkit.mapping.otlp_points import RejectedError, metric_points
from otelkit.model import (
    NO_ATTRIBUTES,
    Attributes,
    AttributeValue,
    LogRecord,
    MetricPoint,
    Resource,
    Scope,
    Span,
    SpanEvent,
    SpanLink,
)

__all__ = ["Decoded", "decode_logs", "decode_metrics", "decode_spans"]

T = TypeVar("T")
M = TypeVar("M", bound=Message)

_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_LAST_NANOSECOND: Final = 2**63 - 1  # what a signed 64-bit column holds: the year 2262
_CLOCK_STEP: Final = 3600 * 10**9  # clocks are set back; an end further than this before the start is not a clock


class Decoded(NamedTuple, Generic[T]):
    """The records of one request, and how many were rejected for which reason.

    Sequences among attribute values are tuples, mappings are dicts. Reasons: ``trace_id``, ``span_id``,
    ``parent_span_id`` (wrong length or zero), ``times`` (missing, absurd, or an end long before the start),
    ``metric_name``, ``metric_data``, ``histogram_buckets``, ``malformed`` (JSON of the wrong shape).
    """

    records: list[T]
    rejected: dict[str, int]


def decode_spans(body: bytes, *, json: bool = False) -> Decoded[Span]:
    """Read an ``ExportTraceServiceRequest``; raise DecodeError when ``body`` is not one."""
    rejected: Counter[str] = Counter()
    request = trace_request(body, rejected) if json else _parse(ExportTraceServiceRequest, body)
    spans: list[Span] = []
    for of_resource in request.resource_spans:
        resource = _resource(of_resource.resource)
        for of_scope in of_resource.scope_spans:
            _collect(spans, rejected, of_scope.spans, _span, resource, _scope(of_scope.scope))
    return Decoded(spans, dict(rejected))


def decode_logs(body: bytes, *, json: bool = False) -> Decoded[LogRecord]:
    """Read an ``ExportLogsServiceRequest``; raise DecodeError when ``body`` is not one.

    Times are as sent: ``time`` is 0 where the sender did not know it (``observed`` may be, too). Ids that are not valid
    are absent, as the log data model says.
    """
    rejected: Counter[str] = Counter()
    request = logs_request(body, rejected) if json else _parse(ExportLogsServiceRequest, body)
    records: list[LogRecord] = []
    for of_resource in request.resource_logs:
        resource = _resource(of_resource.resource)
        for of_scope in of_resource.scope_logs:
            _collect(records, rejected, of_scope.log_records, _log, resource, _scope(of_scope.scope))
    return Decoded(records, dict(rejected))


def decode_metrics(body: bytes, *, json: bool = False) -> Decoded[MetricPoint]:
    """Read an ``ExportMetricsServiceRequest`` into its points; raise DecodeError when ``body`` is not one.

    See ``MetricPoint`` for where each kind's figures are; ``detail`` holds, where present, ``exemplars`` as (time,
    value, trace id, span id), the ids in hexadecimal,
    ``min``, ``max``, ``scale``, ``zero_count``, ``zero_threshold``, ``positive_offset``, ``positive_buckets``,
    ``negative_offset``, ``negative_buckets`` and, for summaries, ``quantiles`` (quantile as text → value).
    """
    rejected: Counter[str] = Counter()
    request = metrics_request(body, rejected) if json else _parse(ExportMetricsServiceRequest, body)
    points: list[MetricPoint] = []
    for of_resource in request.resource_metrics:
        resource = _resource(of_resource.resource)
        for of_scope in of_resource.scope_metrics:
            scope = _scope(of_scope.scope)
            for metric in of_scope.metrics:
                points += metric_points(metric, resource, scope, _attributes, rejected)
    return Decoded(points, dict(rejected))


def _parse(kind: type[M], body: bytes) -> M:
    try:
        return kind.FromString(body)
    except (ProtobufError, TypeError, ValueError) as problem:
        raise DecodeError(f"not an {kind.DESCRIPTOR.name} in protobuf") from problem


def _collect(
    into: list[T],
    rejected: Counter[str],
    messages: Iterable[Any],
    convert: Callable[[Any, Resource, Scope], T],
    resource: Resource,
    scope: Scope,
) -> None:
    append = into.append
    for message in messages:
        try:
            append(convert(message, resource, scope))
        except RejectedError as problem:
            rejected[problem.reason] += 1


def _span(message: SpanMessage, resource: Resource, scope: Scope) -> Span:
    trace_id = message.trace_id
    span_id = message.span_id
    parent_id = message.parent_span_id
    start = message.start_time_unix_nano
    end = message.end_time_unix_nano
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise RejectedError("trace_id")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise RejectedError("span_id")
    if parent_id:
        if len(parent_id) != 8:
            raise RejectedError("parent_span_id")
        if parent_id == _NO_SPAN:
            parent_id = b""
    if not 0 < start <= _LAST_NANOSECOND or not 0 < end <= _LAST_NANOSECOND or start - end > _CLOCK_STEP:
        raise RejectedError("times")
    status = message.status
    return Span(
        trace_id,
        span_id,
        parent_id,
        message.name,
        message.kind,
        start,
        end,
        status.code,
        status.message,
        _attributes(message.attributes),
        _events(events) if (events := message.events) else (),
        _links(links) if (links := message.links) else (),
        resource,
        scope,
        message.flags,
        message.trace_state,
        message.dropped_attributes_count,
    )


def _events(messages: Iterable[SpanMessage.Event]) -> tuple[SpanEvent, ...]:
    return tuple([SpanEvent(one.name, one.time_unix_nano, _attributes(one.attributes)) for one in messages])


def _links(messages: Iterable[SpanMessage.Link]) -> tuple[SpanLink, ...]:
    return tuple(
        [SpanLink(one.trace_id, one.span_id, _attributes(one.attributes), one.trace_state) for one in messages]
    )


def _log(message: LogMessage, resource: Resource, scope: Scope) -> LogRecord:
    time = message.time_unix_nano
    observed = message.observed_time_unix_nano
    if time > _LAST_NANOSECOND or observed > _LAST_NANOSECOND:
        raise RejectedError("times")
    trace_id = message.trace_id
    span_id = message.span_id
    return LogRecord(
        time,
        observed,
        message.severity_number,
        message.severity_text,
        _value(message.body),
        _attributes(message.attributes),
        message.event_name,
        trace_id if len(trace_id) == 16 and trace_id != _NO_TRACE else b"",
        span_id if len(span_id) == 8 and span_id != _NO_SPAN else b"",
        message.flags,
        resource,
        scope,
    )


def _resource(message: Any) -> Resource:
    return Resource(_attributes(message.attributes))


def _scope(message: InstrumentationScope) -> Scope:
    return Scope(message.name, message.version, _attributes(message.attributes))


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    found: dict[str, AttributeValue] = {}
    for pair in pairs:
        value = pair.value
        text = value.string_value  # reading the two commonest kinds is cheaper than asking which one is set
        if text:
            found[pair.key] = text
        elif number := value.int_value:
            found[pair.key] = number
        elif (kind := value.WhichOneof("value")) == "bool_value":
            found[pair.key] = value.bool_value
        elif kind == "double_value":
            found[pair.key] = value.double_value
        else:
            found[pair.key] = _value(value)
    return found or NO_ATTRIBUTES


def _value(value: AnyValue) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return tuple([_value(item) for item in value.array_value.values])
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    if kind == "string_value_strindex":  # an index into a table that only profiles carry
        return None
    return getattr(value, kind)  # type: ignore[no-any-return]
