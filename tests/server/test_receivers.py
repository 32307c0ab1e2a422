"""What senders are answered: every case that the OTLP specification names."""

from __future__ import annotations

import gzip
import json
import secrets
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from server_support import Client, chat_trace, make_span

from otelkit.errors import SettingsError, StorageError, StorageFullError
from otelkit.mapping.otlp import encode_spans
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage.store import Store

JSON = "application/json"
RESOURCE = Resource({"service.name": "official"})


def json_span(**changes: object) -> dict[str, object]:
    now = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "from json",
        "kind": 2,
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
        **changes,
    }


def json_body(*spans: dict[str, object]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_official_exporters(client: Client, compression: str | None) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression

    chosen = Compression.Gzip if compression else Compression.NoCompression
    traces = TracerProvider(resource=RESOURCE)
    traces.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{client.url}/v1/traces", compression=chosen)))
    logs = LoggerProvider(resource=RESOURCE)
    logs.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{client.url}/v1/logs", compression=chosen))
    )
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{client.url}/v1/metrics", compression=chosen))
    metrics = MeterProvider([reader], resource=RESOURCE)

    with traces.get_tracer("t").start_as_current_span("work") as span:
        logs.get_logger("app.log").emit(timestamp=time.time_ns(), body="it works", event_name="work.done")
    metrics.get_meter("m").create_counter("things", unit="1").add(3, {"kind": "egg"})
    metrics.get_meter("m").create_histogram("sizes", unit="By").record(7)
    metrics.force_flush()
    for provider in (traces, logs, metrics):
        provider.shutdown()

    trace_id = format(span.get_span_context().trace_id, "032x")
    shown = client.ask(f"/api/traces/{trace_id}")
    assert [item["name"] for item in shown["spans"]] == ["work"]
    assert shown["spans"][0]["resource"]["service.name"] == "official"
    assert [(log["body"], log["event_name"], log["logger"]) for log in shown["logs"]] == [
        ("it works", "work.done", "app.log")
    ]
    points = client.ask("/api/metrics/points?name=things")
    assert points["series"][0]["points"][0]["value"] == 3
    assert points["series"][0]["attributes"] == {"kind": "egg"}
    sizes = client.ask("/api/metrics/points?name=sizes")["series"][0]["points"][0]
    assert (sizes["count"], sizes["sum"], sum(sizes["buckets"])) == (1, 7, 1)


def test_json_is_answered_in_json(client: Client) -> None:
    answer = client.post("/v1/traces", json_body(json_span()), JSON)
    assert (answer.status, answer.json) == (200, {})
    assert answer.headers["content-type"] == JSON
    assert client.ask("/api/traces")["traces"][0]["name"] == "from json"


def test_a_bad_span_does_not_take_its_siblings_along(client: Client) -> None:
    body = json_body(json_span(name="good"), json_span(traceId="00" * 16), json_span(spanId="12"))
    answer = client.post("/v1/traces", body, JSON)
    assert answer.status == 200
    assert int(answer.json["partialSuccess"]["rejectedSpans"]) == 2
    assert "trace_id" in answer.json["partialSuccess"]["errorMessage"]
    status = client.ask("/api/status")
    assert status["stored"]["spans"] == 1
    assert sum(item["count"] for item in status["rejected"]) == 2


def test_partial_success_in_protobuf(client: Client) -> None:
    good, bad = make_span("good"), make_span("bad", span_id=b"\0" * 8)
    answer = client.post("/v1/traces", encode_spans([good, bad]))
    response = ExportTraceServiceResponse.FromString(answer.body)
    assert (answer.status, response.partial_success.rejected_spans) == (200, 1)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xff not protobuf", "application/x-protobuf"),
        (b"{", JSON),
        (b"[]", JSON),
        (b'{"resourceSpans": 7}', JSON),
    ],
)
def test_malformed_is_400_with_a_status(client: Client, body: bytes, kind: str) -> None:
    answer = client.post("/v1/traces", body, kind)
    assert answer.status == 400
    assert answer.headers["content-type"] == kind
    if kind == JSON:
        assert answer.json["code"] == 3
        assert answer.json["message"]
    else:
        assert Status.FromString(answer.body).message


def test_an_empty_request_is_fine(client: Client) -> None:
    assert client.post("/v1/traces", b"").status == 200
    assert client.post("/v1/logs", b"{}", JSON).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_415(client: Client, kind: str) -> None:
    assert client.post("/v1/traces", b"x", kind).status == 415


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
def test_compressed_bodies_are_stored(client: Client, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    body = compress(encode_spans(chat_trace()))
    assert client.post("/v1/traces", body, Content_Encoding=encoding).status == 200
    assert client.post("/v1/traces", body[:-5], Content_Encoding=encoding).status == 400
    assert client.ask("/api/status")["stored"]["spans"] == 4


def test_other_encodings_are_415(client: Client) -> None:
    assert client.post("/v1/traces", b"x", Content_Encoding="br").status == 415


def test_gzip_lies_and_bombs() -> None:
    with Server(ServerConfig(port=0, max_decoded=1_000_000)) as server:
        client = Client(server.url)
        spans = encode_spans(chat_trace())
        assert client.post("/v1/traces", gzip.compress(spans), Content_Encoding="gzip").status == 200
        assert client.post("/v1/traces", spans, Content_Encoding="gzip").status == 400
        assert client.post("/v1/traces", gzip.compress(spans)[:-9], Content_Encoding="gzip").status == 400
        bomb = gzip.compress(b"\0" * 50_000_000)
        assert client.post("/v1/traces", bomb, Content_Encoding="gzip").status == 413
        assert client.ask("/api/status")["stored"]["spans"] == 4


def test_too_large_is_413() -> None:
    with Server(ServerConfig(port=0, max_body=1000)) as server:
        assert Client(server.url).post("/v1/traces", b"x" * 1001).status == 413


def test_full_and_failing_stores_are_503_and_recover(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = encode_spans(chat_trace())
    for error, state in ((StorageFullError("full"), "full"), (StorageError("broken"), "failing")):

        def refuse(*_: object, error: StorageError = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(Store, "_commit", refuse)
            answer = client.post("/v1/traces", body)
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
        assert client.get("/healthz").json == {"status": state}
        assert client.get("/healthz").status == 503
        assert client.get("/api/traces").status == 200  # reads go on
    assert client.post("/v1/traces", body).status == 200
    assert client.ask("/healthz") == {"status": "ok"}
    assert client.ask("/api/status")["stored"]["spans"] == 4


def test_a_really_full_database_says_so(server: Server, client: Client) -> None:
    with server.database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    answers = [client.post("/v1/traces", encode_spans([s for _ in range(40) for s in chat_trace()])) for _ in range(3)]
    assert answers[-1].status == 503
    assert client.get("/healthz").json == {"status": "full"}
    with server.database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    client.send(chat_trace("Is there room again?"))
    assert client.ask("/api/traces?q=room")["total"] == 1
    client.send(chat_trace())


def test_backpressure_is_429_with_retry_after() -> None:
    with Server(ServerConfig(port=0, max_waiting=100)) as server:
        answer = Client(server.url).post("/v1/traces", encode_spans(chat_trace()))
        assert answer.status == 429
        assert answer.headers["retry-after"] == "1"


def test_hosts_and_origins(client: Client) -> None:
    port = client.url.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", "localhost", f"[::1]:{port}"):
        assert client.get("/api/status", Host=host).status == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "", "[::1"):
        assert client.get("/api/status", Host=host).status == 403
    assert client.get("/api/status", Origin=client.url).status == 200
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        assert client.get("/api/status", Origin=origin).status == 403
        assert client.post("/v1/traces", b"", Origin=origin).status == 403
    # An OpenTelemetry client may know this machine by any name.
    assert client.post("/v1/traces", b"", Host="telemetry.internal:4318").status == 200


def test_security_headers(client: Client) -> None:
    headers = client.get("/api/status").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_what_cannot_work_is_said_at_start(tmp_path: Path) -> None:
    with Server(ServerConfig(port=0, database=str(tmp_path / "a.db"))) as server:
        with pytest.raises(SettingsError, match="--port"):
            Server(ServerConfig(port=server.port))
        with pytest.raises(StorageError, match="already open in another server"):
            Server(ServerConfig(port=0, database=str(tmp_path / "a.db")))
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(StorageError, match="no database of otelkit"):
        Server(ServerConfig(port=0, database=str(broken)))
    prices = tmp_path / "prices.toml"
    prices.write_text("not = [toml")
    with pytest.raises(SettingsError, match="prices"):
        Server(ServerConfig(port=0, prices=prices))
