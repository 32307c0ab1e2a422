"""``kill -9`` under load, again and again: what was acknowledged is there, once, as it was sent."""

from __future__ import annotations

import http.client
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from server_support import SERVICE, Client, make_span, scaled

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.model import LogRecord, Span
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import schema
from otelkit.server.storage.payloads import PayloadReader

SENDERS = 3
_SERVE = """
import sys
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
server = Server(ServerConfig(port=0, database=sys.argv[1]))
print(server.url, flush=True)
server.run()
"""


class Ledger:
    """What senders know: what was acknowledged, and what may or may not have arrived."""

    def __init__(self) -> None:
        self.spans: dict[bytes, Span] = {}
        self.logs: set[str] = set()
        self.unsure: list[Span] = []
        self._lock = threading.Lock()

    def acknowledged(self, spans: list[Span], logs: list[LogRecord]) -> None:
        with self._lock:
            self.spans.update((span.span_id, span) for span in spans)
            self.logs.update(str(record.body) for record in logs)

    def unanswered(self, spans: list[Span]) -> None:
        with self._lock:
            self.unsure.extend(spans)

    def take_unsure(self, rng: random.Random) -> list[Span]:
        """Return some of what nobody answered for, cut as a retry through a Collector would."""
        with self._lock:
            rng.shuffle(self.unsure)
            some, self.unsure = self.unsure[:20], self.unsure[20:]
            return some


def send_until_it_dies(url: str, ledger: Ledger, seed: int) -> None:
    address, rng = urlsplit(url), random.Random(seed)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    while True:
        spans = [*a_trace(rng), *ledger.take_unsure(rng)]
        logs = [LogRecord(time.time_ns(), 0, 9, "INFO", secrets.token_hex(16), resource=SERVICE)]
        try:
            if not _posted(connection, "/v1/traces", encode_spans(spans)):
                ledger.unanswered(spans)
                continue
            ledger.acknowledged(spans, [])
            if _posted(connection, "/v1/logs", encode_logs(logs)):
                ledger.acknowledged([], logs)
        except (OSError, http.client.HTTPException):
            if spans[0].span_id not in ledger.spans:
                ledger.unanswered(spans)
            return


def a_trace(rng: random.Random) -> list[Span]:
    trace_id, root = rng.randbytes(16), rng.randbytes(8)
    below = [
        make_span(
            f"step {n}", trace_id=trace_id, parent_id=root, at=n, attributes={"n": n, "text": rng.randbytes(20).hex()}
        )
        for n in range(rng.randrange(1, 30))
    ]
    return [*below, make_span("root", trace_id=trace_id, span_id=root, ms=100)]


def _posted(connection: http.client.HTTPConnection, path: str, body: bytes) -> bool:
    connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    database, ledger, rng = tmp_path / "killed.db", Ledger(), random.Random(4)
    for attempt in range(scaled(5, 60)):
        process = subprocess.Popen([sys.executable, "-c", _SERVE, str(database)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        senders = [
            threading.Thread(target=send_until_it_dies, args=(url, ledger, attempt * SENDERS + n))
            for n in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        time.sleep(rng.uniform(0.1, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for sender in senders:
            sender.join()
    assert len(ledger.spans) > 100
    with Server(ServerConfig(port=0, database=str(database))) as server:
        compare(server, ledger)


def compare(server: Server, ledger: Ledger) -> None:
    """Record by record, then the figures that pages show."""
    client, reader = Client(server.url), PayloadReader()
    for at in range(0, len(ledger.unsure), 100):  # what nobody answered for is sent once more
        client.send(ledger.unsure[at : at + 100])
    with server.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        rows = {row.span_id: row for row in connection.execute(schema.span.select())}
        sent = ledger.spans | {span.span_id: span for span in ledger.unsure}
        assert set(rows) == set(sent)
        blocks = reader.read(connection, {row.payload for row in rows.values()})
        for span_id, span in sent.items():
            row = rows[span_id]
            assert (row.parent_id or b"", row.start, row.duration) == (
                span.parent_id,
                span.start,
                span.end - span.start,
            )
            assert blocks[row.payload][1 + row.place]["a"] == dict(span.attributes)
        bodies = [row.body for row in connection.execute(schema.log.select())]
        assert len(bodies) == len(set(bodies))
        assert ledger.logs <= set(bodies)
    service = client.ask("/api/services?range=all")["services"][0]
    assert service["spans"] == len(rows)
    traces = len({span.trace_id for span in sent.values()})
    assert client.ask("/api/status")["stored"]["spans"] == len(rows)
    assert client.ask("/api/traces?range=all&limit=1")["total"] == min(traces, 10_000)
