"""An OTLP/HTTP endpoint in a process of its own that takes everything and does nothing with it until it is asked.

``GET /taken`` says how many spans and requests came since it was last asked, so that nobody is fast by losing things.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_taken: list[tuple[bytes, bytes]] = []


class Sink(asyncio.Protocol):
    """One kept-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._waiting) < whole:
                if b"100-continue" in head:
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            self._answer(head, self._waiting[end + 4 : whole])
            self._waiting = self._waiting[whole:]

    def _answer(self, head: bytes, body: bytes) -> None:
        answer = b""
        if head.startswith(b"GET /taken"):
            answer = json.dumps(_count()).encode()
        else:
            _taken.append((head, body))
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))


def _count() -> dict[str, int]:
    spans = 0
    for head, body in _taken:
        if head.startswith(b"POST /v1/traces"):
            plain = gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body
            request = ExportTraceServiceRequest.FromString(plain)
            spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    found = {"spans": spans, "requests": len(_taken), "bytes": sum(len(body) for _, body in _taken)}
    _taken.clear()
    return found


async def main() -> None:
    """Listen on a free port, say which, and stay."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
