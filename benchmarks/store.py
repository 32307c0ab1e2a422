"""The server's benchmarks, each a command of its own, as tables: durable ingest, and the page's questions."""

from __future__ import annotations

import re
import subprocess
import sys

from benchmarks import harness

_GAP = re.compile(r" {2,}")


def ingest() -> harness.Report:
    """Durable spans a second; see ``ingest.py``."""
    lines = [_GAP.split(line, maxsplit=1) for line in _run("ingest.py", "100000")]
    rows = [line for line in lines if len(line) == 2]
    return harness.Report("Durable ingest", ["", "figure"], rows, dict(rows))


def queries() -> harness.Report:
    """Milliseconds an answer of the page's API takes; see ``queries.py``."""
    lines = [_GAP.split(line.strip()) for line in _run("queries.py")]
    rows = [line for line in lines if len(line) == 3 and line[0] != "question"]
    return harness.Report(
        "The page's questions at 200,000 spans",
        ["question", "p50 ms", "p95 ms"],
        rows,
        {name: {"p50_ms": float(p50), "p95_ms": float(p95)} for name, p50, p95 in rows},
    )


def _run(script: str, *arguments: str) -> list[str]:
    command = [sys.executable, str(harness.ROOT / "benchmarks" / script), *arguments]
    done = subprocess.run(command, cwd=harness.ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()
