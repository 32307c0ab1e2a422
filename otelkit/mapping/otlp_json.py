"""OTLP/JSON requests as protobuf messages.

OTLP's JSON is protobuf's with one exception, ids in hexadecimal, so ids are rewritten and each record goes through
protobuf's own JSON reader by itself: a wrong one is rejected alone. Slower than binary by far, and used by little more
than browsers.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelkit.errors import DecodeError

__all__ = ["logs_request", "metrics_request", "trace_request"]

M = TypeVar("M", bound=Message)
Json = dict[str, Any]

_ID_FIELDS: Final = {
    "traceId": "trace_id",
    "trace_id": "trace_id",
    "spanId": "span_id",
    "span_id": "span_id",
    "parentSpanId": "parent_span_id",
    "parent_span_id": "parent_span_id",
}
_MAX_DEPTH: Final = 64
_POINT_HOLDERS: Final = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram", "summary")


def trace_request(body: bytes, rejected: Counter[str]) -> ExportTraceServiceRequest:
    """Read a JSON trace request; count records of the wrong shape in ``rejected``; raise DecodeError."""
    request = ExportTraceServiceRequest()
    for resource, scope, spans in _groups(_load(body), "resourceSpans", "scopeSpans", "spans"):
        of_resource = request.resource_spans.add()
        _parse(of_resource.resource, resource)
        of_scope = of_resource.scope_spans.add()
        _parse(of_scope.scope, scope)
        _records(of_scope.spans, spans, rejected)
    return request


def logs_request(body: bytes, rejected: Counter[str]) -> ExportLogsServiceRequest:
    """Read a JSON logs request; count records of the wrong shape in ``rejected``; raise DecodeError."""
    request = ExportLogsServiceRequest()
    for resource, scope, records in _groups(_load(body), "resourceLogs", "scopeLogs", "logRecords"):
        of_resource = request.resource_logs.add()
        _parse(of_resource.resource, resource)
        of_scope = of_resource.scope_logs.add()
        _parse(of_scope.scope, scope)
        _records(of_scope.log_records, records, rejected)
    return request


def metrics_request(body: bytes, rejected: Counter[str]) -> ExportMetricsServiceRequest:
    """Read a JSON metrics request; count metrics of the wrong shape in ``rejected``; raise DecodeError."""
    request = ExportMetricsServiceRequest()
    for resource, scope, metrics in _groups(_load(body), "resourceMetrics", "scopeMetrics", "metrics"):
        of_resource = request.resource_metrics.add()
        _parse(of_resource.resource, resource)
        of_scope = of_resource.scope_metrics.add()
        _parse(of_scope.scope, scope)
        _records(of_scope.metrics, metrics, rejected, _with_binary_exemplars)
    return request


def _load(body: bytes) -> Json:
    try:
        loaded = json.loads(body)
        if b"\\u" in body:  # only an escape can bring half a surrogate pair
            loaded = _well_formed(loaded)
    except (ValueError, RecursionError) as problem:
        raise DecodeError("not JSON") from problem
    if not isinstance(loaded, dict):
        raise DecodeError("the JSON is not an object")
    return loaded


def _well_formed(value: Any) -> Any:
    """A copy without lone surrogates, which JavaScript makes by cutting strings and UTF-8 cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


def _groups(request: Json, resources: str, scopes: str, records: str) -> Iterator[tuple[Json, Json, list[Any]]]:
    for of_resource in _objects(request, resources):
        resource = _object(of_resource, "resource")
        for of_scope in _objects(of_resource, scopes):
            yield resource, _object(of_scope, "scope"), _list(of_scope, records)


def _field(holder: Json, name: str) -> Any:
    if name in holder:
        return holder[name]
    return holder.get("".join("_" + letter.lower() if letter.isupper() else letter for letter in name))


def _list(holder: Json, name: str) -> list[Any]:
    found = _field(holder, name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise DecodeError(f"{name} is not a list")
    return found


def _objects(holder: Json, name: str) -> list[Json]:
    found = _list(holder, name)
    if not all(isinstance(item, dict) for item in found):
        raise DecodeError(f"{name} holds something that is not an object")
    return found


def _object(holder: Json, name: str) -> Json:
    found = _field(holder, name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DecodeError(f"{name} is not an object")
    return found


def _parse(message: M, source: Json) -> M:
    try:
        ParseDict(source, message, ignore_unknown_fields=True, max_recursion_depth=_MAX_DEPTH)
    except Exception as problem:  # the reader leaks TypeError, AttributeError and others beside ParseError
        raise DecodeError(f"not a {message.DESCRIPTOR.name}") from problem
    return message


def _records(
    target: Any, records: list[Any], rejected: Counter[str], prepare: Callable[[Any], Any] = lambda record: record
) -> None:
    for record in records:
        message = target.add()
        try:
            rest, ids = _without_ids(prepare(record))
            links = [_without_ids(link) for link in _objects(rest, "links")]
            if links:
                rest["links"] = [link for link, _ in links]
            _parse(message, rest)
            _set_ids(message, ids)
            for pointer, (_, link_ids) in zip(getattr(message, "links", ()), links, strict=True):
                _set_ids(pointer, link_ids)
        except Exception:  # noqa: BLE001  whatever is wrong with it, its siblings are not
            del target[-1]
            rejected["malformed"] += 1


def _without_ids(record: Any) -> tuple[Json, dict[str, bytes]]:
    if not isinstance(record, dict):
        raise DecodeError("a record is not an object")
    rest = {key: value for key, value in record.items() if key not in _ID_FIELDS}
    return rest, {_ID_FIELDS[key]: bytes.fromhex(record[key] or "") for key in record if key in _ID_FIELDS}


def _set_ids(message: Any, ids: dict[str, bytes]) -> None:
    for name, value in ids.items():
        setattr(message, name, value)


def _with_binary_exemplars(metric: Any) -> Any:
    """Return a metric whose exemplars have their ids as protobuf's JSON reader wants them."""
    if not isinstance(metric, dict):
        return metric
    copy = dict(metric)
    for name in _POINT_HOLDERS:
        if isinstance(copy.get(name), dict):
            points = [_with_binary_ids(point) for point in _objects(copy[name], "dataPoints")]
            copy[name] = {k: v for k, v in copy[name].items() if k != "data_points"} | {"dataPoints": points}
    return copy


def _with_binary_ids(point: Json) -> Json:
    if "exemplars" not in point:
        return point
    exemplars = []
    for exemplar in _objects(point, "exemplars"):
        rest, ids = _without_ids(exemplar)
        exemplars.append(rest | {name: base64.b64encode(value).decode() for name, value in ids.items()})
    return point | {"exemplars": exemplars}
