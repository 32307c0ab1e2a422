"""Senders that are broken or hostile get an answer; the server goes on, and loses nothing without saying so."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from server_support import Client, chat_trace, make_span, scaled

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.model import LogRecord
from otelkit.server.config import ServerConfig
from otelkit.server.connections import HEAD_BYTES
from otelkit.server.runtime import Server

PROTOBUF = "application/x-protobuf"
ANSWERS = {200, 400, 413, 415, 429, 503}
STRANGE = (
    "\0",
    "\ud7ff",
    "\uffff",
    "‮",
    "</script><script>",
    "💥" * 50,
    "a" * 5000,
    "%00",
    "..\\..",
    "NaN",
    "' OR 1=1--",
)


class Connection:
    """One connection that is kept open, unlike ``Client``'s."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)

    def post(self, path: str, body: bytes, content_type: str = PROTOBUF, **headers: str) -> tuple[int, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", path, body, {"Content-Type": content_type, **names})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def a_metrics_body(rng: random.Random) -> bytes:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    now = time.time_ns()
    metrics.add(name="g").gauge.data_points.add(
        time_unix_nano=now, as_double=rng.choice([1.0, float("nan"), float("inf")])
    )
    metrics.add(name="s").sum.data_points.add(time_unix_nano=now, as_int=rng.choice([0, -(2**63), 2**63 - 1]))
    metrics.add(name="h").histogram.data_points.add(
        time_unix_nano=now, count=2**64 - 1, bucket_counts=[1, 2], explicit_bounds=[rng.choice([1.0, float("-inf")])]
    )
    metrics.add(name="e").exponential_histogram.data_points.add(time_unix_nano=now, scale=rng.choice([-99, 0, 20]))
    metrics.add(name="q").summary.data_points.add(time_unix_nano=now, count=3).quantile_values.add(quantile=7, value=1)
    return request.SerializeToString()


def odd_spans(rng: random.Random) -> bytes:
    """Return a request whose spans are well-formed protobuf, and otherwise whatever comes to mind."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for _ in range(rng.randrange(1, 5)):
        span = spans.add(
            trace_id=rng.randbytes(rng.choice([0, 8, 16, 16, 16, 16, 17])),
            span_id=rng.randbytes(rng.choice([0, 8, 8, 8, 8, 9])),
            parent_span_id=rng.choice([b"", rng.randbytes(8), rng.randbytes(3)]),
            name=rng.choice(STRANGE),
            kind=rng.choice([0, 1, 5, 77, -1]),
            start_time_unix_nano=rng.choice([0, 1, time.time_ns(), 2**63, 2**64 - 1]),
            end_time_unix_nano=rng.choice([0, 1, time.time_ns(), 2**63 - 1, 2**64 - 1]),
            flags=rng.choice([0, 1, 2**32 - 1]),
            trace_state=rng.choice(STRANGE),
        )
        span.status.code = rng.choice([0, 1, 2, 9])
        span.status.message = rng.choice(STRANGE)
        for name in rng.sample(
            [*STRANGE, "gen_ai.usage.input_tokens", "gen_ai.operation.name", "http.route", "user.id"], 5
        ):
            value = span.attributes.add(key=name).value
            rng.choice([_text, _number, _double, _list, _deep, lambda _value, _rng: None])(value, rng)
        span.events.add(name=rng.choice(STRANGE), time_unix_nano=rng.choice([0, 2**64 - 1]))
        span.links.add(trace_id=rng.randbytes(rng.choice([0, 16])), span_id=rng.randbytes(rng.choice([0, 8])))
    return request.SerializeToString()


def _text(value, rng: random.Random) -> None:  # type: ignore[no-untyped-def]
    value.string_value = rng.choice([*STRANGE, "chat", "execute_tool"])


def _number(value, rng: random.Random) -> None:  # type: ignore[no-untyped-def]
    value.int_value = rng.choice([0, -1, 2**63 - 1, -(2**63)])


def _double(value, rng: random.Random) -> None:  # type: ignore[no-untyped-def]
    value.double_value = rng.choice([float("nan"), float("inf"), 1e308, -0.0])


def _list(value, rng: random.Random) -> None:  # type: ignore[no-untyped-def]
    for _ in range(rng.randrange(4)):
        _number(value.array_value.values.add(), rng)


def _deep(value, rng: random.Random) -> None:  # type: ignore[no-untyped-def]
    for _ in range(rng.randrange(40)):
        value = value.kvlist_value.values.add(key=rng.choice(STRANGE)).value
    value.bytes_value = rng.randbytes(9)


def mutated(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                del changed[at : at + rng.randrange(1, 9)]
            case _:
                changed[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(changed)


def json_trace(rng: random.Random) -> bytes:
    span: dict[str, object] = {
        "traceId": rng.choice([rng.randbytes(16).hex(), rng.randbytes(16).hex(), "zz", 5, None, ["x"]]),
        "spanId": rng.choice([rng.randbytes(8).hex(), "", {}]),
        "startTimeUnixNano": rng.choice([str(time.time_ns()), 1.5, "soon", -4]),
        "endTimeUnixNano": rng.choice([str(time.time_ns()), "9" * 40]),
        "name": rng.choice([*STRANGE, "\ud800", 7]),
        "attributes": rng.choice([[], {}, [{"key": "k", "value": {"intValue": "x"}}], [None]]),
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, 3, {}]}]}]}).encode()


def cases(rng: random.Random, count: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield (path, body, headers)."""
    for number in range(count):
        kind = number % 8
        spans = encode_spans(chat_trace())
        if kind == 0:
            yield "/v1/traces", odd_spans(rng), {}
        elif kind == 1:
            yield "/v1/traces", mutated(odd_spans(rng), rng), {}
        elif kind == 2:
            yield "/v1/traces", mutated(spans, rng), {}
        elif kind == 3:
            yield "/v1/metrics", mutated(a_metrics_body(rng), rng) if rng.random() < 0.7 else a_metrics_body(rng), {}
        elif kind == 4:
            record = LogRecord(rng.choice([0, time.time_ns()]), 0, rng.choice([-5, 0, 9, 400]), "", rng.choice(STRANGE))
            yield "/v1/logs", mutated(encode_logs([record]), rng), {}
        elif kind == 5:
            yield "/v1/traces", mutated(gzip.compress(spans, 1), rng), {"Content_Encoding": "gzip"}
        elif kind == 6:
            yield "/v1/traces", json_trace(rng), {"content_type": "application/json"}
        else:
            yield "/v1/traces", rng.randbytes(rng.randrange(200)), {"Content_Encoding": rng.choice(["zstd", "deflate"])}


def test_fuzzed_bodies_are_answered_and_nothing_is_lost_in_silence() -> None:
    rng = random.Random(20_261_121)
    with Server(ServerConfig(port=0)) as server:
        connection, seen, rejected = Connection(server.url), set(), 0
        for path, body, headers in cases(rng, scaled(2_000, 100_000)):
            status, answer = connection.post(path, body, **headers)
            assert status in ANSWERS, (status, path, headers, body.hex())
            if status == 200 and path == "/v1/traces" and not headers:
                sent, refused = _read_by_protobuf(body), ExportTraceServiceResponse.FromString(answer)
                rejected += refused.partial_success.rejected_spans
                assert len(sent) >= refused.partial_success.rejected_spans
                taken = [key for key in sent if _valid(key)]
                seen.update(key[:2] for key in taken)
                assert len(taken) == len(sent) - refused.partial_success.rejected_spans, body.hex()
        status = Client(server.url).ask("/api/status")
        json_spans = Client(server.url).ask("/api/traces?range=all&limit=1")
        assert status["store"]["state"] == "ok"
        assert rejected <= sum(item["count"] for item in status["rejected"] if item["signal"] == "spans")
        assert len(seen) <= status["stored"]["spans"]
        assert json_spans["total"] > 0


def _read_by_protobuf(body: bytes) -> list[tuple[bytes, bytes, bytes, int, int]]:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except ProtobufError as error:
        raise AssertionError("what protobuf cannot read was answered with 200") from error
    return [
        (span.trace_id, span.span_id, span.parent_span_id, span.start_time_unix_nano, span.end_time_unix_nano)
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _valid(key: tuple[bytes, bytes, bytes, int, int]) -> bool:
    """Say by the specification's words whether a span can be stored."""
    trace_id, span_id, parent_id, start, end = key
    ids = len(trace_id) == 16 and any(trace_id) and len(span_id) == 8 and any(span_id) and len(parent_id) in (0, 8)
    return ids and 0 < start < 2**63 and 0 < end < 2**63 and start - end <= 3600 * 10**9


def test_large_and_deep_records_are_kept(server: Server, client: Client) -> None:
    many = make_span("many", attributes={f"key.{n}": n for n in range(10_000)})
    large = make_span("large", attributes={"text": "x" * 5_000_000})
    client.send([many, large])
    for span, key, value in ((many, "key.9999", 9999), (large, "text", "x")):
        shown = client.ask(f"/api/traces/{span.trace_id.hex()}/spans/{span.span_id.hex()}")["span"]
        assert str(shown["attributes"][key]).startswith(str(value))


def test_a_sender_that_never_finishes_is_sent_away() -> None:
    with Server(ServerConfig(port=0, head_seconds=0.5, request_seconds=1.0)) as server, ExitStack() as stack:
        beginnings = (
            b"",
            b"POST /v1/tra",
            b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
            b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000\r\n\r\nsome",
        )
        slow = [stack.enter_context(_connected(server)) for _ in beginnings]
        for sender, beginning in zip(slow, beginnings, strict=True):
            sender.sendall(beginning)
        for sender in slow:
            answer = sender.recv(1000)
            assert answer.startswith(b"HTTP/1.1 408") or answer == b""
        _until(lambda: server.pipeline.waiting_bytes == 0)
        Client(server.url).send(chat_trace())


def test_a_kept_connection_may_rest_between_requests() -> None:
    with Server(ServerConfig(port=0, head_seconds=0.3, request_seconds=0.3)) as server:
        connection = Connection(server.url)
        for _ in range(2):
            assert connection.post("/v1/traces", encode_spans(chat_trace()))[0] == 200
            time.sleep(0.6)


def test_endless_headers_are_431(server: Server) -> None:
    with _connected(server) as sender:
        sender.sendall(b"GET / HTTP/1.1\r\n")
        answer = b""
        for _ in range(HEAD_BYTES // 1000 + 20):
            try:
                sender.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")
            except OSError:
                break
        answer = sender.recv(1000)
        assert b" 431 " in answer
    assert Client(server.url).ask("/healthz") == {"status": "ok"}


def test_a_thousand_connections_at_once(server: Server, client: Client) -> None:
    body = encode_spans(chat_trace())
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body)}\r\n\r\n"
    with ExitStack() as stack:
        senders = [stack.enter_context(_connected(server)) for _ in range(1000)]
        for sender in senders:
            sender.sendall(head.encode() + body)
        statuses = [sender.recv(1000).split(b" ", 2)[1] for sender in senders]
    assert statuses == [b"200"] * 1000
    assert client.ask("/api/status")["stored"]["spans"] == 4  # the same four spans, a thousand times


def test_memory_for_bodies_is_bounded_while_they_are_read() -> None:
    with Server(ServerConfig(port=0, max_waiting=100_000)) as server, ExitStack() as stack:
        head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        head += b"Content-Length: 90000\r\n\r\n"
        first, second = (stack.enter_context(_connected(server)) for _ in range(2))
        first.sendall(head + b"\0" * 80_000)
        _until(lambda: server.pipeline.waiting_bytes == 80_000)
        second.sendall(head + b"\0" * 80_000)
        assert second.recv(1000).startswith(b"HTTP/1.1 429")
        first.close()
        _until(lambda: server.pipeline.waiting_bytes == 0)
        Client(server.url).send(chat_trace())


@pytest.mark.parametrize(
    "request_line", [b"\x16\x03\x01\x02\x00\x01\x00", b"GARBAGE\r\n\r\n", b"GET \xff\xfe HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_http_is_400(server: Server, request_line: bytes) -> None:
    with _connected(server) as sender:
        sender.sendall(request_line)
        assert sender.recv(1000).startswith(b"HTTP/1.1 400")


def _connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def _until(true) -> None:  # type: ignore[no-untyped-def]
    for _ in range(200):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_two_bytes_a_record_do_not_fill_the_memory(server: Server, client: Client, path: str) -> None:
    many = gzip.compress(_nested(1, _nested(2, b"\x12\x00" * 5_000_000)))
    answer = client.post(path, many, Content_Encoding="gzip")
    assert (answer.status, b"records" in answer.body) == (413, True)
    parts = _nested(1, _nested(2, _nested(2, b"\x32\x00" * 5_000_000)))
    assert client.post(path, gzip.compress(parts), Content_Encoding="gzip").status == 413
    listed = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 2_000_000 + b"{}]}]}]}"
    assert client.post("/v1/traces", listed, "application/json").status == 413


def _nested(field: int, inner: bytes) -> bytes:
    length, size = b"", len(inner)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + inner
