"""OTLP/gRPC, with the extra ``otelkit[grpc]``: the same encoded bytes over another transport."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc

from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.export.transport import Outcome, partial_refusals
from otelkit.settings import without_credentials

__all__ = ["GrpcTransport"]

_METHODS: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
# OTLP specification, "Failures": these may work later; every other code will not.
_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class GrpcTransport:
    """One signal's unary Export call; the channel connects with the first one."""

    def __init__(
        self, address: str, signal: Signal, headers: Mapping[str, str], *, compress: bool, certificate: str | None
    ) -> None:
        self.address = without_credentials(address)
        parts = urlsplit(address)
        target = f"{parts.hostname}:{parts.port or 4317}"
        self._metadata = [(key.lower(), value) for key, value in headers.items()]
        options = {"compression": grpc.Compression.Gzip if compress else None}
        if parts.scheme == "https":
            root = Path(certificate).read_bytes() if certificate else None
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(root), **options)
        else:
            self._channel = grpc.insecure_channel(target, **options)
        self._export: Any = self._channel.unary_unary(_METHODS[signal])  # bytes in, bytes out

    def send(self, body: bytes, timeout: float) -> Outcome:
        """Export once; see :class:`~otelkit.sdk.export.transport.Transport`."""
        try:
            answer = self._export(body, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code = error.code()
            return Outcome("retry" if code in _RETRYABLE else "rejected", f"gRPC {code.name}")
        return Outcome("accepted", refused_records=partial_refusals(answer))

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
