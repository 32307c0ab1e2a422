"""How long a record takes from leaving the service to where it is looked at, through the standard profile.

The whole pipeline runs with its committed files; `otelkit doctor` sends and looks. To each figure comes what the SDK
waits before it sends: OTELKIT_FLUSH_SECONDS for spans and logs, OTEL_METRIC_EXPORT_INTERVAL for metrics.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import harness
from tests.stack.parts import PARTS
from tests.stack.pipeline import Pipeline

ROUNDS: Final = 10
_SCRAPE_SECONDS: Final = 15.0


def measure_all() -> harness.Report:
    """Send a marked record of each kind ten times, at different moments of the scrape interval."""
    report = harness.Report("From the service to where it is seen", ["", "median", "longest"])
    if not all(part.built for part in PARTS):
        report.note = "Not measured: the programs are not built; run `make stack`."
        return report
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, Pipeline(Path(folder) / "home") as pipeline:
        chance = random.Random(1)
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0, _SCRAPE_SECONDS / 2))
            for name, seconds in _one(pipeline):
                found.setdefault(name, []).append(seconds)
    for name, seconds in found.items():
        report.rows.append([name, f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s"])
    report.data = found
    return report


def _one(pipeline: Pipeline) -> list[tuple[str, float]]:
    words = [word for name, url in pipeline.addresses().items() for word in (f"--{name}", url)]
    command = [sys.executable, "-m", "otelkit.cli", "doctor", "--json", *words]
    environment = {**os.environ, "OTEL_SERVICE_NAME": "delay"}
    report = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    arrived = [line for line in report["lines"] if line["found"].endswith("arrived")]
    return [(f"{line['found'].removesuffix(' arrived')}, {line['hop']}", line["seconds"]) for line in arrived]
