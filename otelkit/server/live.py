"""What pages are told by themselves: one WebSocket each, a word after every COMMIT, at most four a second.

Everybody is told the same, the answer of ``/api/status``, so it is asked of the store once a turn and not at all while
nobody listens. Whoever reads slowly misses words in between, never the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

__all__ = ["Live"]

_log = logging.getLogger(__name__)

_TURN: Final = 0.25  # seconds between two words
_PULSE: Final = 2.0  # seconds after which rates and times are told although nothing was stored
_PATIENCE: Final = 10.0
_LISTENERS: Final = 200
_TRY_AGAIN: Final = 1013


class Live:
    """Serves the WebSocket; ``ask`` answers what everybody is told, from any thread."""

    def __init__(self, ask: Callable[[], dict[str, Any]]) -> None:
        self._ask = ask
        self._listeners: set[_Listener] = set()
        self._stored = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._teller: asyncio.Task[None] | None = None

    def stored(self) -> None:
        """Say that something was committed; from any thread."""
        loop = self._loop
        if loop is not None and self._listeners and not loop.is_closed():
            loop.call_soon_threadsafe(self._stored.set)

    async def listen(self, socket: WebSocket) -> None:
        """Serve one page until it leaves."""
        await socket.accept()
        if len(self._listeners) >= _LISTENERS:
            await socket.close(_TRY_AGAIN, "too many pages are open")
            return
        self._loop = asyncio.get_running_loop()
        listener = _Listener(socket)
        self._listeners.add(listener)
        self._stored.set()  # the first word comes at once
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())
        try:
            await listener.serve()
        finally:
            self._listeners.discard(listener)

    async def _tell(self) -> None:
        while self._listeners:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stored.wait(), _PULSE)
            self._stored.clear()
            try:
                word = json.dumps(await run_in_threadpool(self._ask))
            except Exception as error:  # noqa: BLE001  pages fall back to asking, and are told what is wrong
                _log.warning("pages are told nothing: %s", type(error).__name__)
                word = ""
            for listener in self._listeners:
                listener.tell(word)
            await asyncio.sleep(_TURN)


class _Listener:
    """One open page."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._newest = ""
        self._told = asyncio.Event()

    def tell(self, word: str) -> None:
        if word:
            self._newest = word
            self._told.set()

    async def serve(self) -> None:
        """Send what is told until the page leaves or stops reading."""
        sending = asyncio.create_task(self._send())
        leaving = asyncio.create_task(self._left())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            await asyncio.wait_for(self._socket.send_text(self._newest), _PATIENCE)

    async def _left(self) -> None:
        try:
            while True:
                await self._socket.receive_text()  # pages say nothing; this notices that they leave
        except WebSocketDisconnect:
            return
