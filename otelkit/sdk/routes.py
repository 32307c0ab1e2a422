"""Settings → where each signal goes and over which transport."""

from __future__ import annotations

from typing import Final

from otelkit.errors import MissingExtraError
from otelkit.sdk.export.ledger import Signal
from otelkit.sdk.export.transport import HttpTransport, Transport
from otelkit.settings import Settings

__all__ = ["DEFAULT_ADDRESS", "address_of", "open_transport"]

DEFAULT_ADDRESS: Final = "http://127.0.0.1:4318"
_DEFAULT_GRPC_ADDRESS: Final = "http://127.0.0.1:4317"


def address_of(settings: Settings, signal: Signal) -> str:
    """The full address of one signal: its own variable as it is, else the common endpoint with the signal's path."""
    own = {
        Signal.TRACES: settings.traces_endpoint,
        Signal.LOGS: settings.logs_endpoint,
        Signal.METRICS: settings.metrics_endpoint,
    }[signal]
    if own:
        return own
    if settings.protocol == "grpc":
        return settings.endpoint or _DEFAULT_GRPC_ADDRESS
    return f"{settings.endpoint or DEFAULT_ADDRESS}/v1/{signal}"


def open_transport(settings: Settings, signal: Signal) -> Transport:
    """The transport of one signal; nothing is connected yet.

    Raises:
        MissingExtraError: gRPC is asked for and ``otelkit[grpc]`` is not installed.
    """
    address = address_of(settings, signal)
    compress = settings.compression == "gzip"
    certificate = str(settings.certificate) if settings.certificate else None
    if settings.protocol != "grpc":
        return HttpTransport(address, settings.headers, compress=compress, certificate=certificate)
    try:
        from otelkit.sdk.export.grpc import GrpcTransport
    except ImportError as error:
        raise MissingExtraError("OTLP over gRPC", "grpc") from error
    return GrpcTransport(address, signal, settings.headers, compress=compress, certificate=certificate)
