"""How fast spans become durable: ``python benchmarks/ingest.py [SPANS]``.

A server in a process of its own gets OTLP/HTTP requests of 512 spans over four connections and answers after COMMIT.
The measure is the ratio to a bare SQLite ``executemany`` of the very rows the server stored (spans, payloads, traces;
same schema, same pragmas, one transaction a batch) in the same run on the same machine.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from load import bodies

BATCH = 512
CONNECTIONS = 4
RATE = 5_000  # spans a second by their own clocks: a busy service's, a third of what is to be stored in a second
_SERVE = """
import sys
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
server = Server(ServerConfig(port=0, database=sys.argv[1]))
print(server.url, flush=True)
server.run()
"""


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, database: Path) -> None:
        started = time.perf_counter()
        command = [sys.executable, "-c", _SERVE, str(database)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self.process.pid, {min(os.sched_getaffinity(0))})  # one core for the server
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.get("/healthz")
        self.start_seconds = time.perf_counter() - started

    def connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def get(self, path: str) -> dict[str, object]:
        for _ in range(200):
            connection = self.connection()
            try:
                connection.request("GET", path)
                return json.loads(connection.getresponse().read())  # type: ignore[no-any-return]
            except ConnectionRefusedError:
                time.sleep(0.02)
            finally:
                connection.close()
        raise RuntimeError("the server does not answer")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def send(server: ServerProcess, requests: list[tuple[bytes, int]]) -> float:
    """Send everything over a few connections and return the seconds until the last answer."""
    lock, todo, failures = threading.Lock(), iter(requests), []

    def work() -> None:
        connection = server.connection()
        while True:
            with lock:
                request = next(todo, None)
            if request is None:
                return
            connection.request("POST", "/v1/traces", request[0], {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append(answer.status)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return time.perf_counter() - started


def bare(database: Path, copy: Path) -> float:
    """Insert the stored rows into an empty database with the same schema; return the seconds it took."""
    source = sqlite3.connect(database)
    target = sqlite3.connect(copy, isolation_level=None)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = NORMAL")
    tables = ("trace", "payload", "span")
    rows = {}
    for table in tables:
        for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", (table,)):
            target.execute(sql)
        rows[table] = source.execute(f"SELECT * FROM {table}").fetchall()
    batches = max(1, len(rows["span"]) // BATCH)
    started = time.perf_counter()
    for number in range(batches):
        target.execute("BEGIN IMMEDIATE")
        for table in tables:
            low, high = (len(rows[table]) * at // batches for at in (number, number + 1))
            marks = ",".join("?" * len(rows[table][0]))
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table][low:high])
        target.execute("COMMIT")
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    now = time.time_ns()
    requests = list(bodies(count, batch=BATCH, first=now - count * 10**9 // RATE, last=now))
    total = sum(spans for _, spans in requests)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "otelkit.db")
        server = ServerProcess(database)
        idle = server.rss_mb()
        before = server.cpu_seconds()
        seconds = send(server, requests)
        cpu, loaded = server.cpu_seconds() - before, server.rss_mb()
        stored = server.get("/api/status")["stored"]
        server.stop()
        assert stored["spans"] == total, stored  # type: ignore[index]
        size = database.stat().st_size
        reference = bare(database, Path(folder, "bare.db"))
    sent = sum(len(body) for body, _ in requests)
    print(f"spans sent and stored    {total:,} in {len(requests)} requests, {sent / total:.0f} B of OTLP each")
    print(f"durable spans/s          {total / seconds:,.0f}")
    print(f"bare executemany rows/s  {total / reference:,.0f} spans (with their payloads and traces)")
    print(f"ratio to bare            {reference / seconds:.2f}")
    print(f"server CPU a span        {cpu / total * 1e6:.0f} µs")
    print(f"disk a span              {size / total:.0f} B")
    print(f"RSS idle → loaded        {idle:.0f} → {loaded:.0f} MB")
    print(f"start to first answer    {server.start_seconds:.2f} s")


if __name__ == "__main__":
    main()
