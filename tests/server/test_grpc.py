"""OTLP/gRPC with the official exporters and with raw calls: the same store, the same answers as OTLP/HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from server_support import Client, chat_trace, make_span

from otelkit.errors import SettingsError, StorageFullError
from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.model import LogRecord
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage.store import Store

EXPORT = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(ServerConfig(port=0, grpc_port=0)) as running:
        yield running


def call(server: Server, body: bytes, method: str = EXPORT.format("trace", "Trace")) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        return channel.unary_unary(method)(body, timeout=20)  # type: ignore[no-any-return]


def test_the_official_exporter(server: Server) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"http://127.0.0.1:{server.grpc_port}", insecure=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("over grpc"):
        pass
    provider.shutdown()
    assert Client(server.url).ask("/api/traces")["traces"][0]["name"] == "over grpc"


def test_every_signal_and_partial_success(server: Server) -> None:
    good, bad = make_span("good"), make_span("bad", span_id=b"\0" * 8)
    answer = ExportTraceServiceResponse.FromString(call(server, encode_spans([good, bad])))
    assert answer.partial_success.rejected_spans == 1
    record = LogRecord(good.start, 0, 9, "INFO", "hello")
    assert call(server, encode_logs([record]), EXPORT.format("logs", "Logs")) == b""
    assert call(server, b"", EXPORT.format("metrics", "Metrics")) == b""
    stored = Client(server.url).ask("/api/status")["stored"]
    assert (stored["spans"], stored["logs"]) == (1, 1)


def test_what_is_wrong_is_told_by_code(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(grpc.RpcError) as malformed:
        call(server, b"\xff\xff")
    assert malformed.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    def full(*_: object) -> None:
        raise StorageFullError("the disk is full")

    monkeypatch.setattr(Store, "_commit", full)
    with pytest.raises(grpc.RpcError) as failed:
        call(server, encode_spans(chat_trace()))
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_busy_server_says_when_to_come_back() -> None:
    with Server(ServerConfig(port=0, grpc_port=0, max_waiting=10)) as server:
        with pytest.raises(grpc.RpcError) as busy:
            call(server, encode_spans(chat_trace()))
        assert busy.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers = {item.key: item.value for item in busy.value.trailing_metadata()}
        again = RetryInfo()
        assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(again)
        assert again.retry_delay.seconds == 1


def test_a_taken_port_is_said_at_start(server: Server) -> None:
    with pytest.raises(SettingsError, match="--grpc-port"):
        Server(ServerConfig(port=0, grpc_port=server.grpc_port))
