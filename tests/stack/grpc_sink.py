"""An OTLP/gRPC endpoint for traces that remembers what it was sent: a stand-in for the trace store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc

from otelkit.mapping.otlp import decode_spans
from otelkit.model import Span

__all__ = ["GrpcSink"]

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class GrpcSink:
    """Listens on a free port of this machine in a ``with`` block.

    Attributes:
        spans: what it took.
        answers: what it says instead of taking a request, where that is set.
        refused: how many requests it did not take.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.answers: grpc.StatusCode | None = None
        self.refused = 0
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> GrpcSink:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()

    def export(self, body: bytes, context: Any) -> bytes:
        """Take one request, or refuse it."""
        if self.answers is not None:
            self.refused += 1
            context.abort(self.answers, "as scripted")
        self.spans.extend(decode_spans(body).records)
        return b""


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, sink: GrpcSink) -> None:
        self._sink = sink

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method != _EXPORT:
            return None
        return grpc.unary_unary_rpc_method_handler(self._sink.export)
