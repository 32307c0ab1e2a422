"""HTTP connections with deadlines and limits: senders that are slow, endless or silent cost little and end.

uvicorn waits for ever for the rest of a request, and keeps headers of any length. Here a request has seconds to arrive,
its head is bounded, and a connection that sends nothing is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["HEAD_BYTES", "allow_connections", "limited_protocol"]

HEAD_BYTES: Final = 64 * 1024  # request line and headers


def limited_protocol(*, head_seconds: float, request_seconds: float) -> type[HttpToolsProtocol]:
    """Return the protocol class for uvicorn.

    Args:
        head_seconds: from a request's first byte (or the connection's beginning) until its headers are complete.
        request_seconds: from then until its body is complete.
    """

    class Limited(_LimitedProtocol):
        pass

    Limited.head_seconds, Limited.request_seconds = head_seconds, request_seconds
    return Limited


def allow_connections() -> None:
    """Let the process have as many open files as it may: a thousand connections are more than the usual limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _LimitedProtocol(HttpToolsProtocol):
    head_seconds: float
    request_seconds: float
    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._within(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        self._within(self.head_seconds)

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._within(self.request_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._arrived()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._arrived()  # it lasts as long as the page is open
        super().handle_websocket_upgrade()

    def _within(self, seconds: float) -> None:
        self._arrived()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            self._end(431)
            raise ValueError("the request's head is too long")  # the parser stops here

    def _late(self) -> None:
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        self._end(None if answering else 408)

    def _end(self, status: int | None) -> None:
        if self.transport.is_closing():
            return
        if status is not None:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
