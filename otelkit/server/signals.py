"""OTLP's three signals: where each is received, and what its sender is told."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelkit.errors import DecodeError, OtelkitError, StorageFullError
from otelkit.server.encodings import TooLargeError
from otelkit.server.pipeline import Accepted, BusyError

__all__ = ["DENIED", "INVALID", "REASONS", "SIGNALS", "UNAUTHENTICATED", "Refusal", "Signal", "refusal_of"]

# google.rpc.Code, which gRPC's own codes are
INVALID: Final = 3
DENIED: Final = 7
_EXHAUSTED: Final = 8
_UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

_RETRY_BUSY: Final = 1
_RETRY_FULL: Final = 30
_RETRY_FAILING: Final = 5


class Signal(NamedTuple):
    """One signal; ``name`` is what the pipeline calls it, ``service`` its gRPC service."""

    path: str
    service: str
    name: str
    response: Any
    rejected: str

    def answer(self, accepted: Accepted) -> Any:
        """Return the response message, with *partial success* where records were rejected."""
        message = self.response()
        if accepted.rejected:
            setattr(message.partial_success, self.rejected, sum(accepted.rejected.values()))
            message.partial_success.error_message = "rejected: " + ", ".join(
                f"{count} × {reason}" for reason, count in sorted(accepted.rejected.items())
            )
        return message


_PACKAGE: Final = "opentelemetry.proto.collector"
SIGNALS: Final = (
    Signal("/v1/traces", f"{_PACKAGE}.trace.v1.TraceService", "spans", ExportTraceServiceResponse, "rejected_spans"),
    Signal("/v1/logs", f"{_PACKAGE}.logs.v1.LogsService", "logs", ExportLogsServiceResponse, "rejected_log_records"),
    Signal(
        *("/v1/metrics", f"{_PACKAGE}.metrics.v1.MetricsService", "points"),
        *(ExportMetricsServiceResponse, "rejected_data_points"),
    ),
)


REASONS: Final = ("invalid", "unsupported", "too_large", "busy", "full", "failing")
"""Words for why nothing of a request was stored."""


class Refusal(NamedTuple):
    """Why nothing of a request was stored: HTTP status, google.rpc code, and in how many seconds to try again.

    ``reason`` is the word by which such requests are counted.
    """

    status: int
    code: int
    message: str
    retry_after: int | None = None
    reason: str = "failing"


def refusal_of(error: OtelkitError) -> Refusal:
    """Return what the OTLP specification says to answer."""
    if isinstance(error, DecodeError):
        return Refusal(400, INVALID, str(error), reason="invalid")
    if isinstance(error, TooLargeError):
        return Refusal(413, INVALID, str(error), reason="too_large")
    if isinstance(error, BusyError):
        return Refusal(429, _EXHAUSTED, str(error), _RETRY_BUSY, "busy")
    if isinstance(error, StorageFullError):
        return Refusal(503, _UNAVAILABLE, str(error), _RETRY_FULL, "full")
    return Refusal(503, _UNAVAILABLE, str(error), _RETRY_FAILING)
