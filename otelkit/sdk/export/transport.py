"""How encoded bytes leave: the :class:`Transport` seam and OTLP/HTTP. OTLP/gRPC is in :mod:`otelkit.sdk.export.grpc`.

The fake of the other side is :class:`otelkit.testing.otlp_sink.OtlpSink`.
"""

from __future__ import annotations

import email.utils
import encodings.idna  # noqa: F401 - a first connection would import it on a thread, where a fork must not meet it
import gzip
import time
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Protocol

import urllib3
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelkit.settings import without_credentials

__all__ = ["HttpTransport", "Outcome", "Transport"]


class Outcome(NamedTuple):
    """What became of one attempt.

    Attributes:
        verdict: ``accepted``; ``retry`` (may work later); ``rejected`` (never will).
        detail: for people: what the other side said, without anything we sent.
        retry_after: seconds the other side asked us to wait, or None.
        refused_records: records of an accepted batch that the other side will not take (OTLP partial success).
    """

    verdict: Literal["accepted", "retry", "rejected"]
    detail: str = ""
    retry_after: float | None = None
    refused_records: int = 0


class Transport(Protocol):
    """One destination of one signal."""

    address: str  # for people: without credentials

    def send(self, body: bytes, timeout: float) -> Outcome:
        """Try once, within ``timeout`` seconds; never raises for what the network does."""

    def close(self) -> None:
        """Let go of connections; called once."""


_RETRYABLE: Final = frozenset({408, 429, 502, 503, 504})  # OTLP specification, plus 408


class HttpTransport:
    """OTLP/HTTP with protobuf bodies over one kept-alive connection."""

    def __init__(
        self, address: str, headers: Mapping[str, str], *, compress: bool = False, certificate: str | None = None
    ) -> None:
        self.address = without_credentials(address)
        self._url = address
        self._headers = {"Content-Type": "application/x-protobuf", "User-Agent": "otelkit", **headers}
        self._compress = compress
        if compress:
            self._headers["Content-Encoding"] = "gzip"
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, retries=False, ca_certs=certificate)

    def send(self, body: bytes, timeout: float) -> Outcome:
        """Post once; see :class:`Transport`."""
        if self._compress:
            body = gzip.compress(body, compresslevel=3)
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(total=timeout),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return Outcome("retry", _reason(error))
        if 200 <= response.status < 300:
            return Outcome("accepted", refused_records=partial_refusals(response.data))
        detail = f"HTTP {response.status}"
        if response.status in _RETRYABLE:
            return Outcome("retry", detail, retry_after(response.headers.get("Retry-After")))
        return Outcome("rejected", detail)

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection refused or host unknown"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "timed out"
    return type(error).__name__


def partial_refusals(body: bytes) -> int:
    """Refused records of a partial success; field numbers are equal in all three signals' responses."""
    if not body:
        return 0
    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except ProtobufError:
        return 0  # an answer in another encoding: accepted all the same


def retry_after(value: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds seconds or an HTTP date; None when absent or unreadable."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
