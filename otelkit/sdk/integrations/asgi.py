"""One ASGI middleware: request id in and out, session from the request, WebSocket connections and disconnects."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry import trace

from otelkit.mapping.metrics import Measurement
from otelkit.sdk.context import detach, request_context, session
from otelkit.sdk.guard import guard
from otelkit.sdk.integrations.system.loops import Loops
from otelkit.sdk.origins import remember_origin
from otelkit.sdk.reports import report_error
from otelkit.sdk.runtime import Runtime
from otelkit.semconv.attributes import Core, Otelkit, WebSocket
from otelkit.semconv.metrics import MetricDef, RequestMetrics

__all__ = ["RequestMiddleware", "SessionReader"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
SessionReader: TypeAlias = Callable[[dict[str, Any]], Any]

_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}").fullmatch
_LAST_WORDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_LONGEST_FAREWELL: Final = 2.0  # seconds: with a backend that is away this is all of it
_NO_SESSION: Final = nullcontext()
# RFC 6455: closed with nothing to complain of; closed without a close frame; the server met an error.
_NORMAL: Final = 1000
_ABNORMAL: Final = 1006
_FAILED: Final = 1011
_MOST_CODES: Final = 50  # a client may send thousands of codes: beyond these they are one
_codes: Final[set[int]] = set()
_REFUSED: Final = frozenset({401, 403, 429})
_LEAST_REFUSED: Final = 400
_NOT_LET_IN: Final = 403  # what servers answer where an application closes a WebSocket before it was accepted

# Ids, not secrets, and not the kernel's: asking it lets go of the interpreter lock, which a busy worker thread may then
# keep for 5 ms. A generator of our own, because an application may seed the global one.
_random: Final = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


class RequestMiddleware:
    """Wraps the whole application, inside the request's span.

    Args:
        app: the application.
        runtime: the process's runtime, looked up for each connection (a forked process has another).
        read_session: scope → keyword arguments of :func:`otelkit.session`, or None; may be async.
    """

    def __init__(self, app: ASGIApp, runtime: Callable[[], Runtime], read_session: SessionReader | None) -> None:
        self.app = app
        self._runtime = runtime
        self._read_session = read_session
        self._header = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, _flushing(send, self._runtime))
            return
        header = self._header = self._header or self._runtime().settings.request_id_header.lower().encode("latin-1")
        with guard:
            Loops.watch()
        request_id = _given_id(scope, header) or f"{_random.getrandbits(128):032x}"
        token = otel_context.attach(request_context(request_id, scope))
        try:
            trace.get_current_span().set_attribute(Otelkit.REQUEST_ID, request_id)
            with await self._session(scope):
                if scope["type"] == "http":
                    answering = _answering(send, header, request_id, scope, self._runtime)
                    await self.app(scope, receive, answering)
                else:
                    await _Connection(scope, receive, send, self._runtime()).serve(self.app)
        except Exception as error:
            with guard:
                remember_origin(error, trace.get_current_span())
            report_error(error, seen="request", handled=False)
            raise
        finally:
            detach(token)

    async def _session(self, scope: Scope) -> AbstractContextManager[object]:
        if self._read_session is not None:
            with guard:
                ids = self._read_session(dict(scope))
                if inspect.isawaitable(ids):
                    ids = await ids
                if ids:
                    return session(**ids)
        return _NO_SESSION


def _flushing(send: Send, runtime: Callable[[], Runtime]) -> Send:
    """At the end of the lifespan, deliver: uvicorn then ends by the signal it was sent, and ``atexit`` never runs."""

    async def answer(message: Message) -> None:
        if message["type"] in _LAST_WORDS:
            with guard:
                seconds = min(_LONGEST_FAREWELL, runtime().settings.shutdown_timeout)
                await asyncio.to_thread(runtime().flush, seconds)
        await send(message)

    return answer


def _given_id(scope: Scope, header: bytes) -> str:
    """The caller's request id, where it is one: anything else would be written into every log line."""
    for name, value in scope["headers"]:
        if name == header:
            text = value.decode("latin-1")
            return text if _ACCEPTABLE_ID(text) else ""
    return ""


def _answering(send: Send, header: bytes, request_id: str, scope: Scope, runtime: Callable[[], Runtime]) -> Send:
    value = request_id.encode("latin-1")

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != header]
            message["headers"] = [*headers, (header, value)]
            status = message.get("status", 0)
            if status > _LEAST_REFUSED:
                _note_refusal(runtime(), scope, status)
        await send(message)

    return answer


def _note_refusal(runtime: Runtime, scope: Scope, status: int) -> None:
    if status in _REFUSED:
        with guard:
            runtime.refusals.saw(scope, status)


class _Connection:
    """One WebSocket: counted while open, its messages by direction, its end by close code."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, runtime: Runtime) -> None:
        self._scope = scope
        self._receive_inner = receive
        self._send_inner = send
        self._runtime = runtime
        self._opened: float | None = None
        self._code: int | None = None
        self._labels: dict[str, Any] | None = None

    async def serve(self, app: ASGIApp) -> None:
        """Serve it to the end."""
        try:
            await app(self._scope, self._receive, self._send)
        except Exception:
            self._code = self._code or _FAILED  # what the client said first is why the application could not go on
            raise
        finally:
            if self._opened is not None:
                self._count(RequestMetrics.WEBSOCKETS, -1)
                code = _bounded(self._code or _ABNORMAL)
                self._count(RequestMetrics.WEBSOCKET_DISCONNECTS, 1, {WebSocket.CLOSE_CODE: code})
                self._count(RequestMetrics.WEBSOCKET_DURATION, time.perf_counter() - self._opened)

    async def _receive(self) -> Message:
        message = await self._receive_inner()
        if message["type"] == "websocket.receive":
            self._count(RequestMetrics.WEBSOCKET_MESSAGES, 1, _RECEIVED)
        elif message["type"] == "websocket.disconnect":
            self._code = self._code or message.get("code") or _ABNORMAL
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            self._code = self._code or message.get("code") or _NORMAL
        await self._send_inner(message)
        if message["type"] == "websocket.send":
            self._count(RequestMetrics.WEBSOCKET_MESSAGES, 1, _SENT)
        elif message["type"] == "websocket.accept" and self._opened is None:
            self._opened = time.perf_counter()
            self._count(RequestMetrics.WEBSOCKETS, 1)
        elif message["type"] == "websocket.close" and self._opened is None:
            _note_refusal(self._runtime, self._scope, _NOT_LET_IN)
        elif message["type"] == "websocket.http.response.start":
            _note_refusal(self._runtime, self._scope, message.get("status", 0))

    def _count(self, metric: MetricDef, value: float, extra: dict[str, Any] | None = None) -> None:
        with guard:
            if self._labels is None:
                route = getattr(self._scope.get("route"), "path", None)
                self._labels = {Core.HTTP_ROUTE: route} if route else {}
            labels = {**self._labels, **extra} if extra else self._labels
            self._runtime.instruments.record(Measurement(metric, value, labels))


_RECEIVED: Final = {WebSocket.DIRECTION: "received"}
_SENT: Final = {WebSocket.DIRECTION: "sent"}


def _bounded(code: int) -> int:
    if len(_codes) < _MOST_CODES:
        _codes.add(code)
    return code if code in _codes else 0
