"""A PostHog for tests: takes events over HTTP by the real one's rules, keeps one of each, fails as scripted.

::

    with PostHogSink() as posthog:
        ...                                            # send to posthog.address with posthog.token
        assert posthog.wait_for(1)
        assert posthog.named("chat_message_sent")[0].properties["streaming"] is True

Both capture APIs are there (``/batch/`` and ``/i/v1/analytics/events``), and ``/i/v0/ai/batch/`` for large AI events.
The rules themselves are in :mod:`otelkit.testing.posthog_rules`.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final

from otelkit.testing.posthog_rules import MOST_BODY, RefusedError, Stored, authorised, v0_batch, v1_batch
from otelkit.testing.quiet_server import QuietServer

__all__ = ["PostHogAnswer", "PostHogSink", "Stored"]

_V0: Final = frozenset({"/batch/", "/batch", "/i/v0/ai/batch/"})
_V1: Final = "/i/v1/analytics/events"


@dataclass(frozen=True, slots=True)
class PostHogAnswer:
    """What to do with a request instead of only taking it.

    Attributes:
        status: the HTTP status; 0 hangs up without an answer.
        delay: seconds before the answer.
        headers: such as ``Retry-After``.
        takes: whether the events are stored all the same: a time-out after they were accepted, for instance.
    """

    status: int = 200
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: bool = False


class PostHogSink:
    """A small HTTP server with one project; a context manager.

    Args:
        token: the project's.
        port: 0 takes a free one.
        quota: events after which the rest is taken with ``quota_limited`` and not stored; None for no end.

    Attributes:
        attempts: how often each deduplication key came, also when its request was then refused by the script.
        dropped: events that were taken and not stored, by reason, as the real one does without a word.
        refused: why requests were refused, by reason.
        requests: how many requests came.
    """

    def __init__(self, token: str = "phc_test", *, port: int = 0, quota: int | None = None) -> None:  # noqa: S107
        self.token = token
        self.attempts: Counter[tuple[str, str, str, str]] = Counter()
        self.dropped: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.requests = 0
        self._quota = quota
        self._stored: dict[tuple[str, str, str, str], Stored] = {}
        self._script: deque[PostHogAnswer] = deque()
        self._lock = threading.Lock()
        self._server = QuietServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="posthog-sink", daemon=True
        )

    @property
    def address(self) -> str:
        """What to set as ``POSTHOG_HOST``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def events(self) -> list[Stored]:
        """Every event once, in the order in which it first came."""
        with self._lock:
            return list(self._stored.values())

    def named(self, event: str) -> list[Stored]:
        """The stored events of one name."""
        return [stored for stored in self.events if stored.event == event]

    def then(self, *answers: PostHogAnswer) -> None:
        """Answer the next requests so."""
        with self._lock:
            self._script.extend(answers)

    def wait_for(self, events: int, seconds: float = 10.0) -> bool:
        """Wait until so many different events are stored."""
        end = time.monotonic() + seconds
        while len(self._stored) < events and time.monotonic() < end:
            time.sleep(0.01)
        return len(self._stored) >= events

    def __enter__(self) -> PostHogSink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[PostHogAnswer, dict[str, Any]]:
        with self._lock:
            self.requests += 1
            scripted = self._script.popleft() if self._script else PostHogAnswer()
        fails = scripted.status != 200
        try:
            events, answer, dropped = _read(path, headers, raw, self.token)
        except RefusedError as refused:
            with self._lock:
                self.refused[str(refused)] += 1
            return PostHogAnswer(scripted.status if fails else refused.status), {"detail": str(refused)}
        with self._lock:
            self.attempts.update(event.key for event in events)
            if fails and not scripted.takes:
                return scripted, {"detail": "as scripted"}
            self.dropped.update(dropped)
            if self._store(events):
                answer["quota_limited"] = ["events"]
        return scripted, answer

    def _store(self, events: list[Stored]) -> bool:
        """Keep what is new; returns whether the quota left some out."""
        limited = 0
        for event in events:
            if event.key in self._stored:
                continue
            if self._quota is not None and len(self._stored) >= self._quota:
                limited += 1
            else:
                self._stored[event.key] = event
        if limited:
            self.dropped["quota"] += limited
        return bool(limited)


def _read(
    path: str, headers: Mapping[str, str], raw: bytes, token: str
) -> tuple[list[Stored], dict[str, Any], list[str]]:
    """Return the events of a request, the answer to it, and why some are dropped without a word."""
    body = _body(headers, raw)
    now = datetime.now(UTC)
    if path == _V1:
        authorised(headers.get("Authorization", "").removeprefix("Bearer "), token)
        events, results = v1_batch(headers, body, now)
        return events, {"results": results}, []
    if path not in _V0:
        raise RefusedError(404, f"no such endpoint: {path}")
    authorised(body.get("api_key"), token)
    events, dropped = v0_batch(body.get("batch"), now)
    return events, {"status": 1}, dropped


def _body(headers: Mapping[str, str], raw: bytes) -> dict[str, Any]:
    try:
        text = gzip.decompress(raw) if headers.get("Content-Encoding") == "gzip" else raw
        if len(text) > MOST_BODY:
            raise RefusedError(413, "body larger than 20 MB")
        found = json.loads(text)
    except (OSError, EOFError, ValueError, zlib.error):
        raise RefusedError(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no object")
    return found


def _handler(sink: PostHogSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer, content = sink._take(self.path.partition("?")[0], dict(self.headers), raw)
            time.sleep(answer.delay)
            if answer.status == 0:
                self.close_connection = True
                return
            body = json.dumps(content).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: what came is in the sink."""

    return Handler
