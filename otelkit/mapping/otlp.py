"""OTLP requests to and from otelkit's records, in protobuf and (reading only) JSON.

Convention: opentelemetry-proto 1.x, ``Export{Trace,Logs,Metrics}ServiceRequest``; JSON as in the OTLP specification
(hex ids, 64-bit integers as strings or numbers, lowerCamelCase, unknown fields ignored). Bodies are uncompressed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otelkit.mapping.otlp_decode import Decoded, decode_logs, decode_metrics, decode_spans
from otelkit.mapping.otlp_encode import encode_logs, encode_spans

DECODERS: Final[Mapping[str, Callable[..., Decoded[Any]]]] = {
    "spans": decode_spans,
    "logs": decode_logs,
    "points": decode_metrics,
}
"""What reads a request, by what it holds."""

__all__ = ["DECODERS", "Decoded", "decode_logs", "decode_metrics", "decode_spans", "encode_logs", "encode_spans"]
