"""OTLP in and out: what goes out comes back, nothing raises on the way out, and bad input is refused in detail."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelkit.errors import DecodeError
from otelkit.mapping.otlp import decode_logs, decode_metrics, decode_spans, encode_logs, encode_spans
from otelkit.model import LogRecord, MetricKind, Resource, Scope, Span, SpanEvent, SpanLink

TRACE = bytes(range(1, 17))
SPAN = bytes(range(1, 9))


def a_span(**changes: Any) -> Span:
    return Span(TRACE, SPAN, b"", "chat", 3, 1_000, 2_000)._replace(**changes)


def a_log(**changes: Any) -> LogRecord:
    return LogRecord(1_000, 1_001, 9, "INFO", "hello")._replace(**changes)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=8),
    st.none(),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(texts, inner, max_size=3)
)
attributes = st.dictionaries(texts, values, max_size=4)
times = st.integers(1, 2**63 - 1)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)
span_ids = st.binary(min_size=8, max_size=8).filter(any)
resources = st.builds(Resource, attributes)
scopes = st.builds(Scope, texts, texts, attributes)
events = st.lists(st.builds(SpanEvent, texts, times, attributes), max_size=2).map(tuple)
links = st.lists(st.builds(SpanLink, trace_ids, span_ids, attributes, texts), max_size=2).map(tuple)
spans = st.builds(
    lambda start, length, **rest: Span(start=start, end=min(start + length, 2**63 - 1), **rest),
    times,
    st.integers(0, 10**12),
    trace_id=trace_ids,
    span_id=span_ids,
    parent_id=span_ids | st.just(b""),
    name=texts,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    status_message=texts,
    attributes=attributes,
    events=events,
    links=links,
    resource=resources,
    scope=scopes,
    flags=st.integers(0, 2**32 - 1),
    trace_state=texts,
    dropped_attributes=st.integers(0, 2**32 - 1),
)
logs = st.builds(
    LogRecord,
    time=st.integers(0, 2**63 - 1),
    observed=st.integers(0, 2**63 - 1),
    severity=st.integers(0, 24),
    severity_text=texts,
    body=values,
    attributes=attributes,
    event_name=texts,
    trace_id=trace_ids | st.just(b""),
    span_id=span_ids | st.just(b""),
    flags=st.integers(0, 2**32 - 1),
    resource=resources,
    scope=scopes,
)


def grouped(records: list[Any]) -> list[Any]:
    """In one order: the wire keeps resources together, so requests are compared as bags."""
    return sorted(records, key=lambda record: repr(record).replace("mappingproxy({})", "{}"))


@given(st.lists(spans, max_size=4))
def test_spans_come_back_as_they_went(original: list[Span]) -> None:
    decoded = decode_spans(encode_spans(original))
    assert decoded.rejected == {}
    assert grouped(decoded.records) == grouped(original)


@given(st.lists(logs, max_size=4))
def test_logs_come_back_as_they_went(original: list[LogRecord]) -> None:
    decoded = decode_logs(encode_logs(original))
    assert decoded.rejected == {}
    assert grouped(decoded.records) == grouped(original)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    __repr__ = __str__


class HostileList(list[object]):
    def __iter__(self) -> Any:
        raise RuntimeError("no items for you")


anything = st.recursive(
    st.one_of(
        st.text(),
        st.characters(categories=["Cs"]),
        st.integers(),
        st.floats(),
        st.none(),
        st.builds(lambda: 10**5000),
        st.builds(object),
        st.builds(Hostile),
        st.builds(HostileList),
        st.binary(max_size=5).map(bytearray),
        st.sets(st.integers(), max_size=2),
        st.complex_numbers(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
)


@given(st.dictionaries(st.text() | st.integers(), anything, max_size=4), anything)
def test_no_value_stops_a_record(strange: dict[Any, Any], value: Any) -> None:
    span = a_span(
        name=value, attributes=strange, status_message=value, resource=Resource(strange), scope=Scope("s", "1", strange)
    )
    span = span._replace(events=(SpanEvent("e", 1, strange),), links=(SpanLink(TRACE, SPAN, strange, "\ud800"),))
    assert len(decode_spans(encode_spans([span, a_span()])).records) == 2
    log = a_log(body=value, attributes=strange, event_name=value, severity_text=value)
    assert len(decode_logs(encode_logs([log, a_log()])).records) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, str(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        ("a\ud800b", "a?b"),
        ({"x": [1, "\udfff"]}, {"x": (1, "?")}),
        (bytearray(b"ab"), b"ab"),
        (Hostile(), "<Hostile>"),
        ({1: 2}, {"1": 2}),
        (True, True),
        (math.inf, math.inf),
    ],
)
def test_what_otlp_cannot_carry_becomes_text(value: Any, expected: Any) -> None:
    found = decode_spans(encode_spans([a_span(attributes={"k": value, "n": 7})])).records[0]
    assert found.attributes == {"k": expected, "n": 7}
    assert type(found.attributes["k"]) is type(expected)


def test_values_that_hold_themselves_end_somewhere() -> None:
    once: list[Any] = [1]
    once.append(once)
    twice: dict[str, Any] = {}
    twice["a"] = twice["b"] = twice  # doubles at every level
    body = encode_spans([a_span(attributes={"once": once, "twice": twice, "n": 1})])
    assert len(body) < 5_000_000
    assert decode_spans(body).records[0].attributes["n"] == 1


def test_nan_goes_through() -> None:
    found = decode_spans(encode_spans([a_span(attributes={"k": math.nan})])).records[0]
    assert math.isnan(found.attributes["k"])  # type: ignore[arg-type]


def test_equal_resources_and_scopes_share_a_group() -> None:
    records = [a_span(resource=Resource({"service.name": "a"}), scope=Scope("s")) for _ in range(5)]
    records += [a_span(resource=Resource({"service.name": "a"}), scope=Scope("t"))]
    records += [a_span(resource=Resource({"service.name": "b"}), scope=Scope("s"))]
    request = ExportTraceServiceRequest.FromString(encode_spans(records))
    assert [[len(s.spans) for s in r.scope_spans] for r in request.resource_spans] == [[5, 1], [1]]
    decoded = decode_spans(encode_spans(records)).records
    assert decoded[0].resource is decoded[4].resource


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trace_id": b"short"}, "trace_id"),
        ({"trace_id": bytes(16)}, "trace_id"),
        ({"span_id": bytes(8)}, "span_id"),
        ({"span_id": b""}, "span_id"),
        ({"parent_id": b"123"}, "parent_span_id"),
        ({"start": 0}, "times"),
        ({"end": 0}, "times"),
        ({"end": 2**64 - 1}, "times"),
        ({"start": 10**18, "end": 10**18 - 3601 * 10**9}, "times"),
    ],
)
def test_one_wrong_span_is_rejected_alone(changes: dict[str, Any], reason: str) -> None:
    decoded = decode_spans(encode_spans([a_span(), a_span(**changes), a_span(name="last")]))
    assert [span.name for span in decoded.records] == ["chat", "last"]
    assert decoded.rejected == {reason: 1}


def test_a_clock_set_back_a_little_is_no_reason() -> None:
    span = a_span(start=10**18, end=10**18 - 5)
    assert decode_spans(encode_spans([span])).records == [span]
    assert span.seconds == 0


def test_a_zero_parent_is_no_parent() -> None:
    assert decode_spans(encode_spans([a_span(parent_id=bytes(8))])).records[0].parent_id == b""


def test_a_log_with_invalid_ids_has_none() -> None:
    found = decode_logs(encode_logs([a_log(trace_id=b"123", span_id=bytes(8))])).records[0]
    assert (found.trace_id, found.span_id) == (b"", b"")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(body: bytes) -> None:
    for decode in (decode_spans, decode_logs, decode_metrics):
        for as_json in (False, True):
            with contextlib.suppress(DecodeError):
                decode(body, json=as_json)


JSON_FIELDS = [
    "resourceSpans",
    "resourceLogs",
    "resourceMetrics",
    "scopeSpans",
    "scopeLogs",
    "scopeMetrics",
    "resource",
    "scope",
    "attributes",
    "key",
    "value",
    "stringValue",
    "intValue",
    "spans",
    "logRecords",
    "metrics",
    "traceId",
    "spanId",
    "links",
    "events",
    "gauge",
    "sum",
    "dataPoints",
    "asInt",
    "body",
    "kvlistValue",
    "arrayValue",
    "values",
    "exemplars",
    "name",
    "startTimeUnixNano",
    "kind",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("0102030405060708"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(JSON_FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_arbitrary_json_is_refused_or_read(tree: Any) -> None:
    body = json.dumps(tree).encode()
    for decode in (decode_spans, decode_logs, decode_metrics):
        with contextlib.suppress(DecodeError):
            decode(body, json=True)


def in_json(spans: list[Any]) -> bytes:
    group = {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
        "scopeSpans": [{"scope": {"name": "lib", "version": "1"}, "spans": spans, "schemaUrl": "x"}],
    }
    return json.dumps({"resourceSpans": [group], "unknownField": 1}).encode()


JSON_SPAN = {
    "traceId": "5B8EFFF798038103D269B633813FC60C",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "eee19b7ec3c1b173",
    "name": "GET /",
    "kind": 2,
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": 1544712661000000000,
    "status": {"code": 2, "message": "no"},
    "somethingNew": {"a": 1},
    "attributes": [
        {"key": "s", "value": {"stringValue": "x"}},
        {"key": "i", "value": {"intValue": "-9223372036854775808"}},
        {"key": "j", "value": {"intValue": 7}},
        {"key": "d", "value": {"doubleValue": 0.5}},
        {"key": "n", "value": {"doubleValue": "Infinity"}},
        {"key": "b", "value": {"bytesValue": base64.b64encode(b"\x00\xff").decode()}},
        {"key": "t", "value": {"boolValue": False}},
        {"key": "l", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": ""}]}}},
        {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}},
        {"key": "e", "value": {}},
    ],
    "events": [{"name": "e", "timeUnixNano": "5", "attributes": []}],
    "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}],
    "flags": 257,
}


def test_json_reads_as_the_specification_says() -> None:
    decoded = decode_spans(in_json([JSON_SPAN]), json=True)
    assert decoded.rejected == {}
    (span,) = decoded.records
    assert span == Span(
        trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        span_id=bytes.fromhex("eee19b7ec3c1b174"),
        parent_id=bytes.fromhex("eee19b7ec3c1b173"),
        name="GET /",
        kind=2,
        start=1544712660000000000,
        end=1544712661000000000,
        status=2,
        status_message="no",
        attributes={
            "s": "x",
            "i": -(2**63),
            "j": 7,
            "d": 0.5,
            "n": math.inf,
            "b": b"\x00\xff",
            "t": False,
            "l": (1, ""),
            "m": {"k": "v"},
            "e": None,
        },
        events=(SpanEvent("e", 5),),
        links=(SpanLink(bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")),),
        resource=Resource({"service.name": "web"}),
        scope=Scope("lib", "1"),
        flags=257,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"traceId": "zz"},
        {"startTimeUnixNano": "soon"},
        {"attributes": [{"key": 1}]},
        {"links": [1]},
        {"links": 3},
        {"spanId": 12},
    ],
)
def test_json_span_of_the_wrong_shape_is_rejected_alone(wrong: dict[str, Any]) -> None:
    decoded = decode_spans(in_json([JSON_SPAN | wrong, JSON_SPAN, "not a span"]), json=True)
    assert len(decoded.records) == 1
    assert decoded.rejected == {"malformed": 2}


def test_json_with_half_a_surrogate_pair_is_mended() -> None:
    body = in_json([JSON_SPAN | {"name": "cut \ud83d"}])
    assert decode_spans(body, json=True).records[0].name == "cut ?"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"resourceSpans": 1}', b'{"resourceSpans": [1]}', b"[" * 100_000]
)
def test_json_that_is_no_request_raises(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_spans(body, json=True)


def test_bytes_that_are_no_request_raise() -> None:
    with pytest.raises(DecodeError, match="ExportTraceServiceRequest"):
        decode_spans(b"\xff\xff\xff")


def test_nothing_is_a_valid_request() -> None:
    assert decode_spans(b"") == ([], {})
    assert decode_spans(encode_spans([])) == ([], {})
    assert decode_logs(b"{}", json=True) == ([], {})


JSON_METRICS = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
            "scopeMetrics": [
                {
                    "scope": {"name": "m"},
                    "metrics": [
                        {"name": "g", "unit": "1", "gauge": {"dataPoints": [{"timeUnixNano": "9", "asDouble": 1.5}]}},
                        {
                            "name": "s",
                            "description": "sum",
                            "sum": {
                                "aggregationTemporality": 1,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "startTimeUnixNano": "3",
                                        "timeUnixNano": "9",
                                        "asInt": "12",
                                        "exemplars": [
                                            {"spanId": "eee19b7ec3c1b174", "asInt": 1},
                                            {"traceId": "ab" * 16, "spanId": "cd" * 8, "timeUnixNano": 8, "asInt": 7},
                                        ],
                                        "attributes": [{"key": "a", "value": {"stringValue": "b"}}],
                                    },
                                    {"timeUnixNano": "0", "asInt": "12"},
                                    {"timeUnixNano": "9"},
                                    {"timeUnixNano": "9", "flags": 1},
                                ],
                            },
                        },
                        {
                            "name": "h",
                            "histogram": {
                                "aggregationTemporality": 2,
                                "dataPoints": [
                                    {
                                        "timeUnixNano": "9",
                                        "count": "3",
                                        "sum": 4.5,
                                        "min": 1,
                                        "bucketCounts": ["1", 2],
                                        "explicitBounds": [2.0],
                                    },
                                    {"timeUnixNano": "9", "count": 1, "bucketCounts": [1], "explicitBounds": [1]},
                                    {"timeUnixNano": "9", "count": 1},
                                ],
                            },
                        },
                        {
                            "name": "e",
                            "exponentialHistogram": {
                                "dataPoints": [
                                    {
                                        "timeUnixNano": "9",
                                        "count": 4,
                                        "scale": 2,
                                        "zeroCount": 1,
                                        "positive": {"offset": -1, "bucketCounts": [1, 2]},
                                    }
                                ]
                            },
                        },
                        {
                            "name": "q",
                            "summary": {
                                "dataPoints": [
                                    {
                                        "timeUnixNano": "9",
                                        "count": 2,
                                        "sum": 3,
                                        "quantileValues": [{"quantile": 0.5, "value": 1}],
                                    }
                                ]
                            },
                        },
                        {"name": "empty"},
                        {"name": "", "gauge": {"dataPoints": [{"timeUnixNano": "9", "asInt": "1"}]}},
                        "not a metric",
                    ],
                }
            ],
        }
    ]
}


def test_every_kind_of_metric_point() -> None:
    decoded = decode_metrics(json.dumps(JSON_METRICS).encode(), json=True)
    assert decoded.rejected == {
        "times": 1,
        "metric_data": 2,
        "histogram_buckets": 1,
        "metric_name": 1,
        "malformed": 1,
    }
    gauge, total, unknown, histogram, bare, exponential, summary = decoded.records
    assert (gauge.name, gauge.kind, gauge.value, gauge.unit) == ("g", MetricKind.GAUGE, 1.5, "1")
    assert (total.value, total.monotonic, total.cumulative, total.start) == (12, True, False, 3)
    assert total.attributes == {"a": "b"}
    assert total.detail == {"exemplars": ((8, 7, "ab" * 16, "cd" * 8),)}
    assert unknown.value is None
    assert (histogram.samples, histogram.total, histogram.bounds, histogram.buckets) == (3, 4.5, (2.0,), (1, 2))
    assert histogram.cumulative
    assert histogram.detail == {"min": 1.0}
    assert (bare.samples, bare.total, bare.buckets) == (1, None, ())
    assert exponential.detail["positive_buckets"] == (1, 2)
    assert (exponential.detail["positive_offset"], exponential.detail["zero_count"]) == (-1, 1)
    assert (summary.samples, summary.total, summary.detail) == (2, 3.0, {"quantiles": {"0.5": 1.0}})
    assert summary.resource == Resource({"service.name": "web"})
    assert summary.scope.name == "m"


def test_metrics_in_protobuf() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="g")
    metric.gauge.data_points.add(time_unix_nano=5, as_int=2**60)
    (point,) = decode_metrics(request.SerializeToString()).records
    assert (point.value, point.time, point.cumulative) == (2**60, 5, True)
