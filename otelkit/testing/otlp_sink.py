"""An OTLP/HTTP endpoint that remembers what it was sent and answers as a test scripts it.

::

    with OtlpSink() as sink:
        otelkit.init(app, endpoint=sink.address)
        ...
        otelkit.flush()
        assert sink.span("execute_tool find_orders").attributes["gen_ai.tool.name"] == "find_orders"
"""

from __future__ import annotations

import gzip
import threading
import time
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, NamedTuple

from otelkit.mapping.otlp import decode_logs, decode_metrics, decode_spans
from otelkit.model import LogRecord, MetricPoint, Span
from otelkit.testing.quiet_server import QuietServer

__all__ = ["Answer", "OtlpSink", "Request"]


class Answer(NamedTuple):
    """One scripted answer; ``delay`` in seconds; status 0 closes the connection without an answer."""

    status: int = 200
    headers: Mapping[str, str] = {}
    delay: float = 0.0
    body: bytes = b""


class Request(NamedTuple):
    """One received request; ``body`` is decompressed."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


class OtlpSink:
    """Listens on a free port of 127.0.0.1 between ``start`` and ``stop`` (or in a ``with`` block).

    Args:
        port: 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._script: deque[Answer] = deque()
        self._always: Answer = Answer()
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self._http = QuietServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        """What to set as OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> OtlpSink:
        """Start listening."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; what was received stays."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> OtlpSink:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def script(self, *answers: Answer, then: Answer | None = None) -> None:
        """Give these answers to the next requests, in order; after them ``then`` (default: 200)."""
        with self._lock:
            self._script.extend(answers)
            self._always = then or Answer()

    @property
    def spans(self) -> list[Span]:
        """Spans of all requests that were answered with success."""
        return [span for body in self._accepted("/v1/traces") for span in decode_spans(body).records]

    @property
    def logs(self) -> list[LogRecord]:
        """Log records of all requests that were answered with success."""
        return [record for body in self._accepted("/v1/logs") for record in decode_logs(body).records]

    @property
    def points(self) -> list[MetricPoint]:
        """Metric points of all requests that were answered with success."""
        return [point for body in self._accepted("/v1/metrics") for point in decode_metrics(body).records]

    def span(self, name: str) -> Span:
        """The only span of that name.

        Raises:
            LookupError: there is none, or there are several.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} spans named {name!r}; there are {sorted({s.name for s in self.spans})}")
        return found[0]

    def latest(self, name: str) -> list[MetricPoint]:
        """The newest point of each series of the metric ``name``."""
        newest: dict[tuple[tuple[str, Any], ...], MetricPoint] = {}
        for point in self.points:
            if point.name == name:
                newest[tuple(sorted((key, str(value)) for key, value in point.attributes.items()))] = point
        return list(newest.values())

    def wait_for(self, requests: int, seconds: float = 10.0) -> bool:
        """Wait until that many requests have been answered."""
        end = time.monotonic() + seconds
        while len(self.requests) < requests and time.monotonic() < end:
            time.sleep(0.01)
        return len(self.requests) >= requests

    def _accepted(self, path: str) -> list[bytes]:
        return [request.body for request in list(self.requests) if request.path == path and request.status == 200]

    def _answer(self) -> Answer:
        with self._lock:
            return self._script.popleft() if self._script else self._always

    def _remember(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)


def _handler(sink: OtlpSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = sink._answer()
            time.sleep(answer.delay)
            sink._remember(Request(self.path, dict(self.headers), body, answer.status))
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: requests are in ``sink.requests``."""

    return Handler
