"""OTLP/gRPC: the three ``Export`` services on a port of their own (4317), answered as the OTLP specification says.

Bodies are handed on as they came, to the same pipeline as OTLP/HTTP's. What can be tried again is UNAVAILABLE, or
RESOURCE_EXHAUSTED with a ``RetryInfo`` that says when. Needs the extra ``grpc``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from otelkit.errors import OtelkitError, SettingsError
from otelkit.server.access import Access, bearer_token
from otelkit.server.config import ServerConfig
from otelkit.server.pipeline import Pipeline
from otelkit.server.signals import DENIED, SIGNALS, UNAUTHENTICATED, Refusal, Signal, refusal_of

__all__ = ["GrpcReceiver"]

# A call waits in a thread for its COMMIT; together they share one, so more threads would only hold more bodies.
_THREADS: Final = 16
_WAITING_CALLS: Final = 256
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_DETAILS: Final = "grpc-status-details-bin"


class GrpcReceiver:
    """Listens as soon as it is made, answers from :meth:`start` on.

    Raises:
        SettingsError: the port is taken.
    """

    def __init__(self, pipeline: Pipeline, access: Access, config: ServerConfig) -> None:
        host, port = config.host, config.grpc_port
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otelkit-grpc"),
            handlers=[_service(signal, pipeline, access) for signal in SIGNALS],
            options=[
                ("grpc.max_receive_message_length", config.max_body),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error, not to be shared
                ("grpc.keepalive_time_ms", 60_000),
            ],
            maximum_concurrent_rpcs=_WAITING_CALLS,
        )
        address = f"[{host.strip('[]')}]" if ":" in host else host
        try:
            self.port = self._listen(f"{address}:{port}", config.tls)
        except RuntimeError:
            self.port = 0
        if not self.port:
            raise SettingsError(
                f"port {port} on {host} cannot be used for OTLP/gRPC: another program may have it; choose another with "
                "--grpc-port, or --grpc-port off for none"
            )

    def _listen(self, address: str, tls: tuple[Path, Path] | None) -> int:
        if tls is None:
            return int(self._server.add_insecure_port(address))
        certificate, key = (file.read_bytes() for file in tls)
        return int(self._server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)])))

    def start(self) -> None:
        """Answer calls."""
        self._server.start()

    def stop(self, grace: float = 5.0) -> None:
        """Take no more calls, answer those that are here, then stop."""
        self._server.stop(grace).wait(grace + 1)


def _service(signal: Signal, pipeline: Pipeline, access: Access) -> grpc.GenericRpcHandler:
    def export(body: bytes, context: grpc.ServicerContext) -> Any:
        _check(access, context)
        try:
            pipeline.hold(len(body))
            accepted = pipeline.submit(signal.name, body, encoding="identity", json=False).result()
        except OtelkitError as error:
            refusal = refusal_of(error)
            pipeline.refused(signal.name, refusal.reason)
            _abort(context, refusal)
        return signal.answer(accepted)

    serialize: Callable[[Any], bytes] = signal.response.SerializeToString
    method = grpc.unary_unary_rpc_method_handler(export, response_serializer=serialize)
    return grpc.method_handlers_generic_handler(signal.service, {"Export": method})


def _check(access: Access, context: grpc.ServicerContext) -> None:
    shown = next((str(value) for name, value in context.invocation_metadata() if name == "authorization"), "")
    token = bearer_token(shown)
    found = access.of_token(token) if token is not None else None
    if "ingest" not in (found if found is not None else access.of_nobody()):
        denied = Refusal(403, DENIED, "this token may not ingest here")
        _abort(
            context, denied if found else Refusal(401, UNAUTHENTICATED, "a token is needed: authorization: Bearer …")
        )


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> None:
    if refusal.retry_after is not None:
        again = AnyMessage()
        again.Pack(RetryInfo(retry_delay=Duration(seconds=refusal.retry_after)))
        status = Status(code=refusal.code, message=refusal.message, details=[again])
        context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(_CODES[refusal.code], refusal.message)
