"""OTLP/HTTP: ``POST /v1/traces``, ``/v1/logs``, ``/v1/metrics``, answered as the OTLP specification says.

200 with ``partial_success`` where records were rejected, 400 for a body that is not OTLP, 413 and 415 for what is too
large or of another media type, 429 while too much is waiting and 503 while nothing can be stored, both with
``Retry-After``. Answers come in the request's encoding; errors are ``google.rpc.Status``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from otelkit.errors import DecodeError, StorageError, StorageFullError
from otelkit.server.permissions import PermittedRoute
from otelkit.server.pipeline import Accepted, BusyError, Pipeline, TooLargeError

__all__ = ["otlp_routes"]

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_RETRY_BUSY: Final = "1"
_RETRY_FULL: Final = "30"
_RETRY_FAILING: Final = "5"

# google.rpc.Code
_INVALID: Final = 3
_EXHAUSTED: Final = 8
_UNAVAILABLE: Final = 14


class _Signal(NamedTuple):
    path: str
    name: str
    response: Any
    rejected: str


_SIGNALS: Final = (
    _Signal("/v1/traces", "spans", ExportTraceServiceResponse, "rejected_spans"),
    _Signal("/v1/logs", "logs", ExportLogsServiceResponse, "rejected_log_records"),
    _Signal("/v1/metrics", "points", ExportMetricsServiceResponse, "rejected_data_points"),
)


class _RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, code: int, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


def otlp_routes(pipeline: Pipeline, max_body: int) -> list[PermittedRoute]:
    """Return the three routes."""
    receivers = [(signal.path, _Receiver(signal, pipeline, max_body).receive) for signal in _SIGNALS]
    return [PermittedRoute(path, receive, methods=["POST"], permission="ingest") for path, receive in receivers]


class _Receiver:
    def __init__(self, signal: _Signal, pipeline: Pipeline, max_body: int) -> None:
        self._signal = signal
        self._pipeline = pipeline
        self._max_body = max_body
        self._success = signal.response().SerializeToString()

    async def receive(self, request: Request) -> Response:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        json = media == JSON
        try:
            if media not in (PROTOBUF, JSON):
                raise _RefusedError(415, _INVALID, f"send {PROTOBUF} or {JSON}")
            gzipped = _is_gzipped(request)
            accepted = await self._stored(await _body(request, self._max_body), gzipped, json)
        except _RefusedError as refused:
            return _error(refused, json)
        except ClientDisconnect:
            return Response(status_code=400)
        return self._answer(accepted, json)

    async def _stored(self, body: bytes, gzipped: bool, json: bool) -> Accepted:
        try:
            future = self._pipeline.submit(self._signal.name, body, gzipped=gzipped, json=json)
            return await asyncio.wrap_future(future)
        except DecodeError as error:
            raise _RefusedError(400, _INVALID, str(error)) from error
        except TooLargeError as error:
            raise _RefusedError(413, _INVALID, str(error)) from error
        except BusyError as error:
            raise _RefusedError(429, _EXHAUSTED, str(error), _RETRY_BUSY) from error
        except StorageFullError as error:
            raise _RefusedError(503, _UNAVAILABLE, str(error), _RETRY_FULL) from error
        except StorageError as error:
            raise _RefusedError(503, _UNAVAILABLE, str(error), _RETRY_FAILING) from error

    def _answer(self, accepted: Accepted, json: bool) -> Response:
        if not accepted.rejected and not json:
            return Response(self._success, media_type=PROTOBUF)
        message = self._signal.response()
        if accepted.rejected:
            setattr(message.partial_success, self._signal.rejected, sum(accepted.rejected.values()))
            message.partial_success.error_message = "rejected: " + ", ".join(
                f"{count} × {reason}" for reason, count in sorted(accepted.rejected.items())
            )
        return _message(message, 200, json)


def _is_gzipped(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise _RefusedError(415, _INVALID, f"content encoding {encoding[:40]!r} is not supported: gzip or identity")
    return encoding == "gzip"


async def _body(request: Request, limit: int) -> bytes:
    too_large = _RefusedError(413, _INVALID, f"the body is larger than {limit} bytes: send smaller batches")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _error(refused: _RefusedError, json: bool) -> Response:
    response = _message(Status(code=refused.code, message=refused.message), refused.status, json)
    if refused.retry_after:
        response.headers["Retry-After"] = refused.retry_after
    return response


def _message(message: Any, status: int, json: bool) -> Response:
    if json:
        return Response(MessageToJson(message, indent=None), status, media_type=JSON)
    return Response(message.SerializeToString(), status, media_type=PROTOBUF)
