"""otelkit's records as OTLP protobuf requests.

The straight path checks nothing: protobuf itself refuses what it cannot hold (lone surrogates, integers beyond 64 bits,
wrong types). Only a record that was refused is made presentable (``_presentable_*``) and written again, so that clean
records, nearly all, pay nothing for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from numbers import Integral, Real
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from otelkit.model import Attributes, LogRecord, Resource, Scope, Span, SpanEvent, SpanLink

__all__ = ["encode_logs", "encode_spans"]

# Protobuf parsers stop at 100 nested messages and each level of ours is two or three of them.
_MAX_DEPTH: Final = 24
_MAX_NODES: Final = 100_000  # for one attribute: values that hold themselves twice would double at every level
_TOO_DEEP: Final = "[nested too deeply]"
_MAX_INT: Final = 2**63 - 1
_MIN_INT: Final = -(2**63)
_MAX_TIME: Final = 2**64 - 1
_MAX_UINT32: Final = 2**32 - 1
_MAX_INT32: Final = 2**31 - 1


def encode_spans(spans: Sequence[Span]) -> bytes:
    """Return an ``ExportTraceServiceRequest`` holding the spans, grouped by resource and scope.

    Never raises for any attribute value: what OTLP cannot carry becomes text, and a record whose ids or numbers are
    not even of the right type is written with those left empty.
    """
    request = ExportTraceServiceRequest()
    groups = _Groups(request.resource_spans.add, lambda parent: parent.scope_spans.add())
    for span in spans:
        messages = groups.find(span.resource, span.scope).spans
        try:
            _write_span(messages.add(), span)
        except Exception:  # noqa: BLE001  whatever protobuf or a foreign value refused
            del messages[-1]
            _write_span(messages.add(), _presentable_span(span))
    return request.SerializeToString()


def encode_logs(records: Sequence[LogRecord]) -> bytes:
    """Return an ``ExportLogsServiceRequest`` holding the records, grouped by resource and scope; never raises."""
    request = ExportLogsServiceRequest()
    groups = _Groups(request.resource_logs.add, lambda parent: parent.scope_logs.add())
    for record in records:
        messages = groups.find(record.resource, record.scope).log_records
        try:
            _write_log(messages.add(), record)
        except Exception:  # noqa: BLE001  as above
            del messages[-1]
            _write_log(messages.add(), _presentable_log(record))
    return request.SerializeToString()


class _Group(NamedTuple):
    resource: Resource
    scope: Scope
    message: Any


class _Groups:
    """The scope message for a (resource, scope), found by identity first and by equality once per new identity."""

    def __init__(self, new_resource: Callable[[], Any], new_scope: Callable[[Any], Any]) -> None:
        self._new_resource = new_resource
        self._new_scope = new_scope
        self._resources: list[tuple[Resource, Any]] = []
        self._groups: list[_Group] = []
        # Holds the keys' objects too, so that an id cannot be reused while it is in the map.
        self._by_identity: dict[tuple[int, int], tuple[Resource, Scope, Any]] = {}

    def find(self, resource: Resource, scope: Scope) -> Any:
        key = (id(resource), id(scope))
        known = self._by_identity.get(key)
        if known is not None:
            return known[2]
        message = self._equal_group(resource, scope)
        self._by_identity[key] = (resource, scope, message)
        return message

    def _equal_group(self, resource: Resource, scope: Scope) -> Any:
        for group in self._groups[-8:]:  # few, so that thousands of distinct resources stay linear
            if _same(group.scope, scope) and _same(group.resource, resource):
                return group.message
        parent = self._resource_message(resource)
        message = self._new_scope(parent)
        _write_scope(message.scope, scope)
        self._groups.append(_Group(resource, scope, message))
        return message

    def _resource_message(self, resource: Resource) -> Any:
        for other, message in self._resources[-8:]:
            if _same(other, resource):
                return message
        message = self._new_resource()
        _write_attributes_safely(message.resource.attributes, resource.attributes)
        self._resources.append((resource, message))
        return message


def _same(left: object, right: object) -> bool:
    try:
        # repr as well: 1, 1.0 and True are equal in Python and different on the wire.
        return left is right or (left == right and repr(left) == repr(right))
    except Exception:  # noqa: BLE001  a foreign value's comparison
        return False


def _write_span(message: SpanMessage, span: Span) -> None:
    message.trace_id = span.trace_id
    message.span_id = span.span_id
    if span.parent_id:
        message.parent_span_id = span.parent_id
    message.name = span.name
    message.kind = span.kind  # type: ignore[assignment]
    message.start_time_unix_nano = span.start
    message.end_time_unix_nano = span.end
    message.flags = span.flags
    if span.trace_state:
        message.trace_state = span.trace_state
    if span.dropped_attributes:
        message.dropped_attributes_count = span.dropped_attributes
    if span.status:
        message.status.code = span.status  # type: ignore[assignment]
    if span.status_message:
        message.status.message = span.status_message
    _write_attributes(message.attributes, span.attributes)
    for event in span.events:
        written = message.events.add()
        written.name = event.name
        written.time_unix_nano = event.time
        _write_attributes(written.attributes, event.attributes)
    for link in span.links:
        pointer = message.links.add()
        pointer.trace_id = link.trace_id
        pointer.span_id = link.span_id
        pointer.trace_state = link.trace_state
        _write_attributes(pointer.attributes, link.attributes)


def _write_log(message: LogMessage, record: LogRecord) -> None:
    message.time_unix_nano = record.time
    message.observed_time_unix_nano = record.observed
    message.severity_number = record.severity  # type: ignore[assignment]
    message.severity_text = record.severity_text
    if record.body is not None:
        _write_value(message.body, record.body)
    _write_attributes(message.attributes, record.attributes)
    if record.event_name:
        message.event_name = record.event_name
    if record.trace_id:
        message.trace_id = record.trace_id
    if record.span_id:
        message.span_id = record.span_id
    message.flags = record.flags


def _write_scope(message: Any, scope: Scope) -> None:
    message.name = _text(scope.name)
    message.version = _text(scope.version)
    _write_attributes_safely(message.attributes, scope.attributes)


def _write_attributes_safely(target: Any, attributes: Attributes) -> None:
    try:
        _write_attributes(target, attributes)
    except Exception:  # noqa: BLE001  as in encode_spans
        del target[:]
        _write_attributes(target, _presentable_map(attributes))


def _write_attributes(target: Any, attributes: Attributes) -> None:
    add: Callable[[], KeyValue] = target.add
    for key, value in attributes.items():
        pair = add()
        pair.key = key
        kind = type(value)
        if kind is str:
            pair.value.string_value = value  # type: ignore[assignment]
        elif kind is int:
            pair.value.int_value = value  # type: ignore[assignment]
        else:
            _write_value(pair.value, value)


def _write_value(target: AnyValue, value: object) -> None:
    """Write one value; an unset ``AnyValue`` is OTLP's null."""
    if not _write_scalar(target, value):
        _write_nested(target, value, 0, [_MAX_NODES])


def _write_scalar(target: AnyValue, value: object) -> bool:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif value is None:
        target.SetInParent()
    elif isinstance(value, bytes):
        target.bytes_value = value
    else:
        return False
    return True


def _write_nested(target: AnyValue, value: object, depth: int, room: list[int]) -> None:
    if not isinstance(value, Mapping | list | tuple) or depth >= _MAX_DEPTH:
        raise TypeError("needs to be made presentable")
    room[0] -= len(value)
    if room[0] < 0:
        raise ValueError("too many values")
    if isinstance(value, Mapping):
        target.kvlist_value.SetInParent()
        for key, item in value.items():
            pair = target.kvlist_value.values.add()
            pair.key = key
            if not _write_scalar(pair.value, item):
                _write_nested(pair.value, item, depth + 1, room)
        return
    target.array_value.SetInParent()
    for item in value:
        element = target.array_value.values.add()
        if not _write_scalar(element, item):
            _write_nested(element, item, depth + 1, room)


# What the straight path refused, made presentable.


def _presentable_span(span: Span) -> Span:
    return Span(
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        parent_id=_id(span.parent_id),
        name=_text(span.name),
        kind=_number(span.kind, _MAX_INT32),
        start=_number(span.start, _MAX_TIME),
        end=_number(span.end, _MAX_TIME),
        status=_number(span.status, _MAX_INT32),
        status_message=_text(span.status_message),
        attributes=_presentable_map(span.attributes),
        events=tuple(
            SpanEvent(_text(event.name), _number(event.time, _MAX_TIME), _presentable_map(event.attributes))
            for event in span.events
        ),
        links=tuple(
            SpanLink(_id(link.trace_id), _id(link.span_id), _presentable_map(link.attributes), _text(link.trace_state))
            for link in span.links
        ),
        flags=_number(span.flags, _MAX_UINT32),
        trace_state=_text(span.trace_state),
        dropped_attributes=_number(span.dropped_attributes, _MAX_UINT32),
    )


def _presentable_log(record: LogRecord) -> LogRecord:
    return LogRecord(
        time=_number(record.time, _MAX_TIME),
        observed=_number(record.observed, _MAX_TIME),
        severity=_number(record.severity, _MAX_INT32),
        severity_text=_text(record.severity_text),
        body=_presentable(record.body, 0, [_MAX_NODES]),
        attributes=_presentable_map(record.attributes),
        event_name=_text(record.event_name),
        trace_id=_id(record.trace_id),
        span_id=_id(record.span_id),
        flags=_number(record.flags, _MAX_UINT32),
    )


def _presentable_map(attributes: Mapping[Any, object]) -> dict[str, Any]:
    """A copy that the straight path accepts; nested values share one budget of nodes for each attribute."""
    try:
        return {_text(key): _presentable(item, 0, [_MAX_NODES]) for key, item in attributes.items()}
    except Exception:  # noqa: BLE001  a foreign mapping
        return {}


def _presentable(value: object, depth: int, room: list[int]) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | float | bytes) or value is None:
        return value
    if isinstance(value, int):
        # Text keeps a big integer exact; a float would not.
        return value if _MIN_INT <= value <= _MAX_INT else _big(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Mapping | Sequence | AbstractSet):
        return _presentable_nested(value, depth, room)
    if isinstance(value, Integral):  # numpy's integers, among others
        return _presentable(int(value), depth, room)
    return float(value) if isinstance(value, Real) else _foreign(value)


def _presentable_nested(value: Mapping[Any, Any] | Iterable[Any], depth: int, room: list[int]) -> Any:
    if depth >= _MAX_DEPTH:
        return _TOO_DEEP
    copy: dict[str, Any] | list[Any] = {} if isinstance(value, Mapping) else []
    try:
        for item in value.items() if isinstance(value, Mapping) else value:
            room[0] -= 1
            if room[0] < 0:
                break
            if isinstance(copy, dict):
                copy[_text(item[0])] = _presentable(item[1], depth + 1, room)
            else:
                copy.append(_presentable(item, depth + 1, room))
    except Exception:  # noqa: BLE001  a foreign container that breaks while it is read: keep what it gave
        return copy
    return copy


def _big(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes; hexadecimal has no limit
        return hex(value)


def _foreign(value: object) -> str:
    try:
        return _text(str(value))
    except Exception:  # noqa: BLE001  any __str__
        return f"<{type(value).__name__}>"


def _text(value: object) -> str:
    if not isinstance(value, str):
        return _foreign(value)
    return value.encode("utf-8", "replace").decode("utf-8")


def _number(value: object, highest: int) -> int:
    return min(max(value, 0), highest) if isinstance(value, int) else 0


def _id(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
