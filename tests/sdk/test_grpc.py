"""OTLP/gRPC against a real gRPC server: the same bytes, the specification's retryable codes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from otelkit.mapping.otlp import encode_spans
from otelkit.model import Span
from otelkit.sdk.export.grpc import GrpcTransport
from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.routes import address_of, open_transport
from otelkit.settings import load

from . import processes

BODY = encode_spans([Span(b"t" * 16, b"s" * 8, b"", "find", 1, 1, 2)])


class Collector(TraceServiceServicer):
    """Remembers requests and metadata; answers with the code it is told."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.metadata: dict[str, str] = {}
        self.code = grpc.StatusCode.OK
        self.refuse = 0

    def Export(self, request: object, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        self.metadata = dict(context.invocation_metadata())
        if self.code is not grpc.StatusCode.OK:
            context.abort(self.code, "no")
        self.names += [
            span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.refuse
        return answer


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    made = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(made, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield made, f"http://127.0.0.1:{port}"
    server.stop(None)


def transport(address: str) -> GrpcTransport:
    return GrpcTransport(address, Signal.TRACES, {"X-Team": "a"}, compress=True, certificate=None)


def test_delivers_with_metadata(collector: tuple[Collector, str]) -> None:
    server, address = collector
    assert transport(address).send(BODY, 5).verdict == "accepted"
    assert server.names == ["find"]
    assert server.metadata["x-team"] == "a"


def test_partial_success(collector: tuple[Collector, str]) -> None:
    server, address = collector
    server.refuse = 1
    assert transport(address).send(BODY, 5).refused_records == 1


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (grpc.StatusCode.UNAVAILABLE, "retry"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "retry"),
        (grpc.StatusCode.INVALID_ARGUMENT, "rejected"),
        (grpc.StatusCode.UNAUTHENTICATED, "rejected"),
    ],
)
def test_codes(collector: tuple[Collector, str], code: grpc.StatusCode, verdict: str) -> None:
    server, address = collector
    server.code = code
    assert transport(address).send(BODY, 5).verdict == verdict


def test_dead_backend_keeps_the_deadline() -> None:
    started = time.monotonic()
    assert transport("http://127.0.0.1:9").send(BODY, 0.5).verdict == "retry"
    assert time.monotonic() - started < 2


def test_a_service_over_grpc(collector: tuple[Collector, str]) -> None:
    server, address = collector
    code = """
import otelkit
otelkit.init(service="x", instrument=False)
with otelkit.traced_tool("find"): pass
"""
    environment = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": address}
    environment |= {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    done = processes.python(code, environment)
    assert done.returncode == 0, done.stderr
    assert server.names == ["execute_tool find"]


def test_addresses() -> None:
    plain = load({})
    assert address_of(plain, Signal.LOGS) == "http://127.0.0.1:4318/v1/logs"
    assert address_of(load({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}), Signal.LOGS) == "http://127.0.0.1:4317"
    given = load(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/base/",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://tempo:4318/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x",
        }
    )
    assert address_of(given, Signal.METRICS) == "https://collector:4318/base/v1/metrics"
    assert open_transport(given, Signal.TRACES).address == "http://tempo:4318/v1/traces"
    assert given.headers == {"authorization": "Bearer x"}
