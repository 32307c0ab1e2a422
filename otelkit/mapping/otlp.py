"""OTLP requests to and from otelkit's records, in protobuf and (reading only) JSON.

Convention: opentelemetry-proto 1.x, ``Export{Trace,Logs,Metrics}ServiceRequest``; JSON as in the OTLP specification
(hex ids, 64-bit integers as strings or numbers, lowerCamelCase, unknown fields ignored). Bodies are uncompressed.
"""

from __future__ import annotations

from otelkit.mapping.otlp_decode import Decoded, decode_logs, decode_metrics, decode_spans
from otelkit.mapping.otlp_encode import encode_logs, encode_spans

__all__ = ["Decoded", "decode_logs", "decode_metrics", "decode_spans", "encode_logs", "encode_spans"]
