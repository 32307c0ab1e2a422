"""Load over kept-alive connections, each asking again when it is answered: ``PORT CONNECTIONS SECONDS``."""

from __future__ import annotations

import asyncio
import json
import sys
import time

_REQUEST = b"GET /hello/you HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
_END = b'{"hello":"you"}'


class Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.answered = 0
        self.asking = True
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if self._waiting.endswith(_END):
            if not self._waiting.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(self._waiting)
            self._waiting = b""
            self.answered += 1
            if self.asking:
                self._transport.write(_REQUEST)


async def main(port: int, connections: int, seconds: float) -> None:
    """Ask for that long; print how many answers came."""
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    askers = [(await loop.create_connection(Asker, "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(seconds)
    taken = time.perf_counter() - begun
    answered = sum(asker.answered for asker in askers)
    for asker in askers:
        asker.asking = False
    await asyncio.sleep(0.1)
    print(json.dumps({"requests": answered, "seconds": taken}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
