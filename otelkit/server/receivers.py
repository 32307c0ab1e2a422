"""OTLP/HTTP: ``POST /v1/traces``, ``/v1/logs``, ``/v1/metrics``, answered as the OTLP specification says.

200 with ``partial_success`` where records were rejected, 400 for a body that is not OTLP, 413 and 415 for what is too
large or of another media type, 429 while too much is waiting and 503 while nothing can be stored, both with
``Retry-After``. Answers come in the request's encoding; errors are ``google.rpc.Status``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from otelkit.errors import OtelkitError
from otelkit.server.encodings import ENCODINGS, TooLargeError
from otelkit.server.permissions import PermittedRoute
from otelkit.server.pipeline import Accepted, Pipeline
from otelkit.server.signals import DENIED, INVALID, SIGNALS, UNAUTHENTICATED, Refusal, Signal, refusal_of

__all__ = ["otlp_routes"]

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"


class _UnsupportedError(OtelkitError):
    """A media type or content encoding that is not read."""


def otlp_routes(pipeline: Pipeline, max_body: int) -> list[PermittedRoute]:
    """Return the three routes."""
    receivers = [(signal.path, _Receiver(signal, pipeline, max_body).receive) for signal in SIGNALS]
    return [
        PermittedRoute(path, receive, methods=["POST"], permission="ingest", refused=_not_permitted)
        for path, receive in receivers
    ]


class _Receiver:
    def __init__(self, signal: Signal, pipeline: Pipeline, max_body: int) -> None:
        self._signal = signal
        self._pipeline = pipeline
        self._max_body = max_body
        self._success = signal.response().SerializeToString()

    async def receive(self, request: Request) -> Response:
        media = _media(request)
        json = media == JSON
        try:
            if media not in (PROTOBUF, JSON):
                raise _UnsupportedError(f"send {PROTOBUF} or {JSON}")
            encoding = _encoding(request)
            body = await self._body(request)
            future = self._pipeline.submit(self._signal.name, body, encoding=encoding, json=json)
            del body  # it may be large, and the answer may take a while
            return self._answer(await asyncio.wrap_future(future), json)
        except _UnsupportedError as error:
            return self._refused(Refusal(415, INVALID, str(error), reason="unsupported"), json)
        except OtelkitError as error:
            return self._refused(refusal_of(error), json)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _body(self, request: Request) -> bytes:
        """Read the body, for which the pipeline holds room from then on."""
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body:
            raise self._too_large()
        body = bytearray()
        try:
            async for chunk in request.stream():
                if len(body) + len(chunk) > self._max_body:
                    raise self._too_large()
                self._pipeline.hold(len(chunk))
                body += chunk
        except BaseException:
            self._pipeline.release(len(body))
            raise
        return bytes(body)

    def _refused(self, refusal: Refusal, json: bool) -> Response:
        self._pipeline.refused(self._signal.name, refusal.reason)
        return _error(refusal, json)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self._max_body} bytes: send smaller batches")

    def _answer(self, accepted: Accepted, json: bool) -> Response:
        if not accepted.rejected and not json:
            return Response(self._success, media_type=PROTOBUF)
        return _message(self._signal.answer(accepted), 200, json)


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _not_permitted(request: Request, status: int, message: str) -> Response:
    return _error(Refusal(status, UNAUTHENTICATED if status == 401 else DENIED, message), _media(request) == JSON)


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding not in ENCODINGS:
        raise _UnsupportedError(f"content encoding {encoding[:40]!r} is not read: {', '.join(ENCODINGS)} are")
    return encoding


def _error(refusal: Refusal, json: bool) -> Response:
    response = _message(Status(code=refusal.code, message=refusal.message), refusal.status, json)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _message(message: Any, status: int, json: bool) -> Response:
    if json:
        return Response(MessageToJson(message, indent=None), status, media_type=JSON)
    return Response(message.SerializeToString(), status, media_type=PROTOBUF)
