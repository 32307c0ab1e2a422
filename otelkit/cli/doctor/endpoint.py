"""The first hop: does what is configured make sense, and does somebody take OTLP there?"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Set
from typing import Final
from urllib.parse import urlsplit

from otelkit.cli.doctor.report import Line, Verdict
from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.export.transport import Outcome
from otelkit.sdk.routes import address_of, open_transport
from otelkit.settings import Settings, without_credentials

__all__ = ["KINDS", "THIS_MACHINE", "check_endpoints", "check_settings", "server_beside", "unsent"]

KINDS: Final = ("the trace", "the metric", "the log", "the event")
"""What is sent, as lines call it."""

THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
"""Hosts that are nobody else's."""

_EXPORTERS: Final = "OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER and OTELKIT_LOG_LEVEL decide"
_HTTP_PORT: Final = 4318
_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 10.0
# What a server that speaks HTTP/2 without being asked sends first: an empty SETTINGS frame has type 4.
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_SETTINGS_FRAME: Final = 4


def check_settings(settings: Settings) -> Iterator[Line]:
    """Tell what telemetry would be sent with, and what is missing from it."""
    if settings.disabled or not settings.enable_telemetry:
        yield Line(
            "settings", Verdict.FAIL, "telemetry is switched off",
            advice="take OTELKIT_DISABLED, OTEL_SDK_DISABLED or ENABLE_TELEMETRY=false out of the environment",
        )  # fmt: skip
        return
    off = unsent(settings)
    if off >= set(KINDS):
        yield Line("settings", Verdict.FAIL, "no signal is sent", advice=_EXPORTERS)
        return
    if off:
        yield Line("settings", Verdict.WARN, f"not sent, as is set: {', '.join(sorted(off))}", advice=_EXPORTERS)
    if settings.service or "service.name" in settings.resource_attributes:
        name = settings.service or settings.resource_attributes["service.name"]
        yield Line("settings", Verdict.OK, f"service.name {name}, OTLP over {settings.protocol}")
    else:
        yield Line(
            "settings", Verdict.WARN, f"no service.name, OTLP over {settings.protocol}",
            advice="set OTEL_SERVICE_NAME, or init(service=…): without a name, services cannot be told apart",
        )  # fmt: skip


def unsent(settings: Settings) -> Set[str]:
    """Return the kinds of records that these settings keep in the process."""
    off = {
        "the trace": settings.traces_exporter == "none",
        "the metric": settings.metrics_exporter == "none",
        "the log": settings.logs_exporter == "none" or getattr(logging, settings.log_level.upper()) > logging.INFO,
        "the event": settings.logs_exporter == "none",
    }
    return {kind for kind in KINDS if off[kind]}


def server_beside(settings: Settings) -> str:
    """Return where a server that takes OTLP at the endpoint answers questions: HTTP, at the usual port for gRPC."""
    parts = urlsplit(address_of(settings, Signal.TRACES))
    if settings.protocol != "grpc":
        return f"{parts.scheme}://{parts.netloc}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme or 'http'}://{host}:{_HTTP_PORT}"


def check_endpoints(settings: Settings) -> Iterator[Line]:
    """Try each address that signals go to, once: is it open, and does it take an empty OTLP request?"""
    seen: set[str] = set()
    for signal in Signal:
        address = address_of(settings, signal)
        origin = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
        if origin not in seen:
            seen.add(origin)
            yield _check(settings, signal, without_credentials(address))


def _check(settings: Settings, signal: Signal, address: str) -> Line:
    started = time.monotonic()
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 4317)
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError as error:
        return Line("endpoint", Verdict.FAIL, f"{address}: {_closed(error)}", advice=_open_advice(host))
    transport = open_transport(settings, signal)
    try:
        outcome = transport.send(b"", _ANSWER_SECONDS)
    finally:
        transport.close()
    took = time.monotonic() - started
    if outcome.verdict == "accepted":
        return Line("endpoint", Verdict.OK, f"{address} takes OTLP over {settings.protocol}", took)
    advice = _advice(outcome, settings, host, port)
    return Line("endpoint", Verdict.FAIL, f"{address}: {outcome.detail}", took, advice)


def _closed(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return "no answer" if isinstance(error, TimeoutError) else f"cannot be reached ({type(error).__name__})"


def _open_advice(host: str) -> str:
    if host in THIS_MACHINE:
        return "start `otelkit serve` or `otelkit collector run`, or set OTEL_EXPORTER_OTLP_ENDPOINT"
    return "check OTEL_EXPORTER_OTLP_ENDPOINT, the host's name, and that its firewall lets this machine in"


def _advice(outcome: Outcome, settings: Settings, host: str, port: int) -> str:
    """Say what to change for each way of being refused."""
    said = outcome.detail
    if said.endswith((" 401", " 403", "UNAUTHENTICATED", "PERMISSION_DENIED")):
        return "set OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20TOKEN with a token the receiver knows"
    if said.endswith((" 404", " 405", "UNIMPLEMENTED")):
        return "OTEL_EXPORTER_OTLP_ENDPOINT is the address without /v1/traces; or something else has the port"
    if said.endswith((" 429", " 503", "RESOURCE_EXHAUSTED")):
        return "the receiver is overloaded or its disk is full: look at its own log and metrics"
    if said.endswith((" 415", " 400")):
        return "it takes HTTP but not OTLP as protobuf: is it an OTLP receiver?"
    if settings.protocol != "grpc" and _speaks_http2_only(host, port):
        return f"port {port} speaks gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use port 4318"
    if settings.protocol == "grpc" and _speaks_http1(host, port):
        return f"port {port} speaks HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use port 4317"
    if "SSL" in said or "CERTIFICATE" in said.upper():
        return "TLS fails: check https/http, and OTEL_EXPORTER_OTLP_CERTIFICATE for a certificate of your own authority"
    return "it closed the connection or did not answer in time: is it an OTLP receiver, and is it well?"


def _speaks_http2_only(host: str, port: int) -> bool:
    answer = _first_bytes(host, port, _PREFACE)
    return len(answer) > _SETTINGS_FRAME - 1 and answer[3] == _SETTINGS_FRAME and not answer.startswith(b"HTTP/1")


def _speaks_http1(host: str, port: int) -> bool:
    return _first_bytes(host, port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1"
    )


def _first_bytes(host: str, port: int, said: bytes) -> bytes:
    try:
        with socket.create_connection((host, port), _CONNECT_SECONDS) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            connection.sendall(said)
            return connection.recv(64)
    except OSError:
        return b""
