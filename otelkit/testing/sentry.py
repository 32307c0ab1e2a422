"""A Sentry for tests: takes envelopes over HTTP as the real one does, refuses what it would refuse, keeps every byte.

::

    with SentrySink() as sentry:
        otelkit.init(sentry_dsn=sentry.dsn)
        …
        assert sentry.wait_for(1)
        assert sentry.events[0]["exception"]["values"][-1]["type"] == "ValueError"
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final

from otelkit.testing.quiet_server import QuietServer

__all__ = ["SentryAnswer", "SentrySink"]

_KEY: Final = "0123456789abcdef0123456789abcdef"
_PROJECT: Final = "42"
_MOST_COMPRESSED: Final = 20 * 1024 * 1024
_MOST_EVENT: Final = 1024 * 1024
_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_EVENTS: Final = frozenset({"event", "transaction"})


class _RefusedError(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class SentryAnswer:
    """What to answer instead of taking an envelope: a status (0: hang up), after a delay in seconds."""

    status: int = 200
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


class SentrySink:
    """A small HTTP server with one project; a context manager.

    Attributes:
        bodies: every request's body, decompressed.
        headers: every request's headers.
        events: errors and messages that were taken, as dicts.
        transactions: transactions that were taken.
        refused: why requests were refused.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._script: deque[SentryAnswer] = deque()
        self._lock = threading.Lock()
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, name="sentry-sink", daemon=True)

    @property
    def dsn(self) -> str:
        """What to set as ``SENTRY_DSN``."""
        return f"http://{_KEY}@127.0.0.1:{self._server.server_address[1]}/{_PROJECT}"

    def then(self, *answers: SentryAnswer) -> None:
        """Answer the next requests so."""
        with self._lock:
            self._script.extend(answers)

    def wait_for(self, events: int, seconds: float = 10.0) -> bool:
        """Wait until so many events have been taken."""
        end = time.monotonic() + seconds
        while len(self.events) < events and time.monotonic() < end:
            time.sleep(0.01)
        return len(self.events) >= events

    def __enter__(self) -> SentrySink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[SentryAnswer, bytes]:
        body = _decompressed(headers, raw)
        with self._lock:
            self.bodies.append(body)
            self.headers.append(dict(headers))
            answer = self._script.popleft() if self._script else SentryAnswer()
        if answer.status != 200 or answer.delay:
            return answer, b""
        try:
            header, items = _envelope(path, headers, body)
            with self._lock:
                for kind, payload in items:
                    if kind in _EVENTS:
                        (self.events if kind == "event" else self.transactions).append(payload)
        except _RefusedError as refused:
            self.refused.append(str(refused))
            return SentryAnswer(refused.status), json.dumps({"detail": str(refused)}).encode()
        return answer, json.dumps({"id": header.get("event_id")}).encode()


def _decompressed(headers: Mapping[str, str], raw: bytes) -> bytes:
    encoding = headers.get("Content-Encoding", "")
    if encoding == "gzip":
        return gzip.decompress(raw)
    if encoding == "deflate":
        return zlib.decompress(raw)
    if encoding == "br":
        import brotli  # type: ignore[import-not-found,unused-ignore]  # whoever sends it has it

        return bytes(brotli.decompress(raw))
    return raw


def _envelope(path: str, headers: Mapping[str, str], body: bytes) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Read an envelope as Sentry's develop documentation defines it."""
    if path != f"/api/{_PROJECT}/envelope/":
        raise _RefusedError(404, f"no such endpoint: {path}")
    auth = dict(
        part.strip().partition("=")[::2] for part in headers.get("X-Sentry-Auth", "").partition(" ")[2].split(",")
    )
    if auth.get("sentry_version") != "7" or auth.get("sentry_key") != _KEY:
        raise _RefusedError(403, "bad authentication")
    if len(body) > _MOST_COMPRESSED:
        raise _RefusedError(413, "envelope too large")
    line, _, rest = body.partition(b"\n")
    header = _json(line, "envelope header")
    items = list(_items(rest))
    events = [payload for kind, payload in items if kind in _EVENTS]
    if len(events) > 1:
        raise _RefusedError(400, "more than one event in an envelope")
    for event in events:
        event_id = event.get("event_id", "")
        if not _EVENT_ID.match(event_id) or header.get("event_id") != event_id:
            raise _RefusedError(400, "event_id missing, malformed, or another than the envelope's")
    return header, items


def _items(rest: bytes) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    while rest.strip(b"\n"):
        line, _, rest = rest.lstrip(b"\n").partition(b"\n")
        header = _json(line, "item header")
        if "type" not in header:
            raise _RefusedError(400, "item without a type")
        length = header.get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        else:
            if len(rest) < length or (rest[length : length + 1] not in (b"", b"\n")):
                raise _RefusedError(400, "item's length does not fit")
            payload, rest = rest[:length], rest[length + 1 :]
        if header["type"] in _EVENTS and len(payload) > _MOST_EVENT:
            raise _RefusedError(413, "event too large")
        found.append((header["type"], _json(payload, header["type"])))
    return found


def _json(text: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise _RefusedError(400, f"{what} is no JSON") from None
    if not isinstance(found, dict):
        raise _RefusedError(400, f"{what} is no object")
    return found


def _handler(sink: SentrySink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer, body = sink._take(self.path, dict(self.headers), raw)
            time.sleep(answer.delay)
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: what came is in the sink."""

    return Handler
