"""Records out of a store and into it: OTLP JSON lines both ways, flat JSON lines and Parquet for analysis.

A line of OTLP JSON is one export request, as the Collector's file exporter writes them.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelkit.errors import DecodeError, OtelkitError
from otelkit.mapping.otlp import DECODERS, encode_logs, encode_spans
from otelkit.mapping.redaction import Redactor
from otelkit.model import LogRecord, MetricKind, MetricPoint, Span
from otelkit.server.ages import without_old
from otelkit.server.config import ServerConfig
from otelkit.server.enrich import Enricher
from otelkit.server.prices import open_prices
from otelkit.server.storage.database import Database
from otelkit.server.storage.retention import deleted_before
from otelkit.server.storage.store import Batch, Limits, Store

__all__ = ["Imported", "as_flat", "as_otlp", "import_file", "open_store"]

_KEYS: Final = {
    "resourceSpans": "spans",
    "resource_spans": "spans",
    "resourceLogs": "logs",
    "resource_logs": "logs",
    "resourceMetrics": "points",
    "resource_metrics": "points",
}
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
_GROUP: Final = 2000  # records stored at once
_DELTA, _CUMULATIVE = 1, 2
_GZIP: Final = b"\x1f\x8b"


def open_store(database: Database, prices: Path | None, free_providers: tuple[str, ...]) -> Store:
    """Return what writes records into a database as a server with these prices does."""
    enricher = Enricher(open_prices(prices, free_providers), Redactor(capture_content=True), database.secret())
    limits = ServerConfig()
    return Store(database, enricher, Limits(limits.max_series, limits.max_metric_series))


def as_otlp(signal: str, records: Sequence[Any]) -> dict[str, Any]:
    """Return the export request of some spans, logs or metrics (points), as OTLP's JSON."""
    if signal == "metrics":
        return _metrics(records)
    if signal == "spans":
        request: Any = ExportTraceServiceRequest.FromString(encode_spans(records))
    else:
        request = ExportLogsServiceRequest.FromString(encode_logs(records))
    return _with_hex_ids(MessageToDict(request, use_integers_for_enums=True))  # type: ignore[no-any-return]


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item).hex() if name in _IDS and isinstance(item, str) else _with_hex_ids(item)
            for name, item in value.items()
        }
    return value


def _metrics(points: Sequence[MetricPoint]) -> dict[str, Any]:
    """Return points of one series as a request."""
    first = points[0]
    kind = MetricKind(first.kind)
    data: dict[str, Any] = {"dataPoints": [_POINTS[kind](point) for point in points]}
    if kind in (MetricKind.SUM, MetricKind.HISTOGRAM, MetricKind.EXPONENTIAL_HISTOGRAM):
        data["aggregationTemporality"] = _CUMULATIVE if first.cumulative else _DELTA
    if kind == MetricKind.SUM:
        data["isMonotonic"] = first.monotonic
    metric = {"name": first.name, "unit": first.unit, "description": first.description, _HOLDERS[kind]: data}
    scope_metrics = {"scope": {"name": first.scope.name}, "metrics": [metric]}
    return {
        "resourceMetrics": [
            {"resource": {"attributes": _pairs(first.resource.attributes)}, "scopeMetrics": [scope_metrics]}
        ]
    }


def _common(point: MetricPoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "startTimeUnixNano": str(point.start),
        "timeUnixNano": str(point.time),
        "attributes": _pairs(point.attributes),
    }
    exemplars: Any = point.detail.get("exemplars")
    if exemplars:
        found["exemplars"] = [
            {
                "timeUnixNano": str(time),
                "asInt" if isinstance(value, int) else "asDouble": str(value) if isinstance(value, int) else value,
                "traceId": trace_id,
                "spanId": span_id,
            }
            for time, value, trace_id, span_id in exemplars
        ]
    return found


def _number(point: MetricPoint) -> dict[str, Any]:
    if point.value is None:
        return {**_common(point), "flags": 1}
    return {**_common(point), "asDouble": point.value}


def _distribution(point: MetricPoint) -> dict[str, Any]:
    known = {"sum": point.total, "min": point.detail.get("min"), "max": point.detail.get("max")}
    return {
        **_common(point),
        "count": str(point.samples),
        **{name: value for name, value in known.items() if value is not None},
    }


def _histogram(point: MetricPoint) -> dict[str, Any]:
    buckets = [str(count) for count in point.buckets]
    return {**_distribution(point), "explicitBounds": list(point.bounds), "bucketCounts": buckets}


def _exponential(point: MetricPoint) -> dict[str, Any]:
    detail: Mapping[str, Any] = point.detail

    def buckets(side: str) -> dict[str, Any]:
        counts = detail.get(f"{side}_buckets") or ()
        return {"offset": detail.get(f"{side}_offset", 0), "bucketCounts": [str(count) for count in counts]}

    return {
        **_distribution(point),
        "scale": detail.get("scale", 0),
        "zeroCount": str(detail.get("zero_count", 0)),
        "zeroThreshold": detail.get("zero_threshold", 0.0),
        "positive": buckets("positive"),
        "negative": buckets("negative"),
    }


def _summary(point: MetricPoint) -> dict[str, Any]:
    quantiles: Any = point.detail.get("quantiles") or {}
    values = [{"quantile": float(quantile), "value": value} for quantile, value in quantiles.items()]
    return {**_distribution(point), "quantileValues": values}


_POINTS: Final[dict[MetricKind, Callable[[MetricPoint], dict[str, Any]]]] = {
    MetricKind.GAUGE: _number,
    MetricKind.SUM: _number,
    MetricKind.HISTOGRAM: _histogram,
    MetricKind.EXPONENTIAL_HISTOGRAM: _exponential,
    MetricKind.SUMMARY: _summary,
}
_HOLDERS: Final = {
    MetricKind.GAUGE: "gauge",
    MetricKind.SUM: "sum",
    MetricKind.HISTOGRAM: "histogram",
    MetricKind.EXPONENTIAL_HISTOGRAM: "exponentialHistogram",
    MetricKind.SUMMARY: "summary",
}


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _any_value(value)} for name, value in attributes.items()]


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {} if value is None else {"arrayValue": {"values": [_any_value(item) for item in value]}}


def as_flat(record: Span | LogRecord | MetricPoint) -> dict[str, Any]:
    """Return a record as one flat row: ids in hexadecimal, times in nanoseconds, the resource as a map of its own."""
    row: dict[str, Any] = {}
    for name, value in record._asdict().items():
        if name == "resource":
            row[name] = dict(value.attributes)
        elif name == "scope":
            row[name] = value.name
        elif name in ("events", "links"):
            row[name] = [_plain(item._asdict()) for item in value]
        else:
            row[name] = value.hex() if isinstance(value, bytes) else _plain(value)
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


class Imported(NamedTuple):
    """What became of a file: how many records it held by signal, and how many were rejected by reason."""

    read: dict[str, int]
    rejected: dict[str, int]


def import_file(path: Path, store: Store, told: Callable[[int, int], None]) -> Imported:
    """Store what a file of OTLP JSON holds: one request, or one a line; gzip is seen by itself.

    ``told`` is called with the bytes of the file read so far, and all of them. What is stored already stays as it is,
    so the same file may be read again. Records older than what retention has deleted here are rejected.

    Raises:
        OtelkitError: the file cannot be read, is not OTLP JSON, or the store fails.
    """
    read: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    group: list[Batch] = []
    with store.database.reading() as connection:
        floor = deleted_before(connection)
    try:
        with path.open("rb") as raw:
            size = path.stat().st_size
            for where, body in _requests(path, raw):
                signal = _signal(where, body)
                try:
                    decoded = without_old(signal, DECODERS[signal](body, json=True), floor)
                except DecodeError as error:
                    raise OtelkitError(f"{where}: {error}") from error
                read[signal] += len(decoded.records)
                rejected.update(decoded.rejected)
                group.append(Batch(signal, decoded.records))
                if sum(len(batch.records) for batch in group) >= _GROUP:
                    rejected.update(_reasons(store.write(group)))
                    group = []
                    told(min(raw.tell(), size), size)
    except (OSError, EOFError) as error:
        raise OtelkitError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if group:
        rejected.update(_reasons(store.write(group)))
    return Imported(dict(read), dict(rejected))


def _reasons(refused: Counter[tuple[str, str]]) -> dict[str, int]:
    return {reason: count for (_, reason), count in refused.items()}


def _requests(path: Path, raw: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Give (where it stands, request) for each request of a file."""
    packed = raw.read(2) == _GZIP
    raw.seek(0)
    lines: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    for number, line in enumerate(lines, 1):
        body = line.strip()
        if number == 1 and not _is_json(body):  # one document over many lines
            yield str(path), line + lines.read()
            return
        if body:
            yield f"{path}, line {number}", body


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _signal(where: str, body: bytes) -> str:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise OtelkitError(f"{where}: not JSON; OTLP JSON is wanted, one request or one a line") from None
    found = next((signal for key, signal in _KEYS.items() if isinstance(request, dict) and key in request), None)
    if found is None:
        raise OtelkitError(
            f"{where}: not an OTLP export request (resourceSpans, resourceLogs or resourceMetrics); flat rows are for "
            "analysis and cannot be read back: export with --format otlp"
        )
    return found
