"""How fast pages are answered: ``python benchmarks/queries.py [SPANS]`` (200,000 by default, spread over 24 hours).

Every question of the page is asked over HTTP, 20 times each, while nothing else happens; milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from ingest import BATCH, ServerProcess, send
from load import bodies

TIMES = 20
LIMIT_MS = 100.0


def questions(server: ServerProcess) -> dict[str, str]:
    first = server.get("/api/traces?range=24h&limit=200")
    row = first["traces"][100]  # type: ignore[index]
    return {
        "overview, 1 h": "/api/overview?range=1h",
        "overview, 24 h": "/api/overview?range=24h",
        "traces, newest": "/api/traces?range=24h",
        "traces, slowest": "/api/traces?range=24h&sort=slowest",
        "traces, failing": "/api/traces?range=24h&status=error",
        "traces, one model": "/api/traces?range=24h&model=gpt-4o",
        "traces, one user": f"/api/traces?user={row['user']}",
        "traces, words": "/api/traces?q=return+policy+desks+bou",
        "traces, page 2": f"/api/traces?range=24h&limit=200&cursor={first['next_cursor']}",
        "traces, a filter": "/api/traces?range=24h&filter=duration:>2s+model:gpt-4o",
        "one trace": f"/api/traces/{row['trace_id']}",
        "conversations, 24 h": "/api/conversations?range=24h",
        "conversations, costly": "/api/conversations?range=24h&sort=dearest",
        "one conversation": f"/api/conversations/{row['conversation']}",
        "top users, 24 h": "/api/top?by=user&range=24h",
        "top models, 24 h": "/api/top?by=model&range=24h",
        "retrieval, 24 h": "/api/retrieval?range=24h",
        "tools, 24 h": "/api/tools?range=24h",
        "logs": "/api/logs?range=24h",
        "models, 24 h": "/api/models?range=24h",
        "services, 24 h": "/api/services?range=24h",
        "services map, 24 h": "/api/services/map?range=24h",
        "a trace's transcript": f"/api/traces/{row['trace_id']}/transcript",
        "steps, 24 h": "/api/steps?range=24h",
        "facets, 24 h": "/api/facets?range=24h",
        "status": "/api/status",
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    now = time.time_ns()
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder, "otelkit.db"))
        requests = bodies(count, batch=BATCH * 4, first=now - 24 * 3600 * 10**9, last=now)
        while some := [request for _, request in zip(range(20), requests, strict=False)]:
            send(server, some)
        stored = server.get("/api/status")["stored"]
        print(f"{stored}")
        print(f"{'question':22} {'p50':>8} {'p95':>8}")
        slow = []
        for name, path in questions(server).items():
            taken = []
            for _ in range(TIMES):
                started = time.perf_counter()
                server.get(path)
                taken.append((time.perf_counter() - started) * 1000)
            p95 = statistics.quantiles(taken, n=20)[-1]
            print(f"{name:22} {statistics.median(taken):8.1f} {p95:8.1f}")
            if p95 > LIMIT_MS:
                slow.append(name)
        server.stop()
    print(f"slower than {LIMIT_MS:.0f} ms: {slow}" if slow else f"all within {LIMIT_MS:.0f} ms")


if __name__ == "__main__":
    main()
