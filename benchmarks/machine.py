"""What reading the machine and the process costs, as a share of one core at one report every ten seconds."""

from __future__ import annotations

import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks import harness
from otelkit.sdk.integrations.system.machine import Machine

REPORTS = 60
EVERY = 10.0  # seconds
MOST = 0.2  # per cent of a core


def measure_all() -> harness.Report:
    """CPU of collecting every figure once, beside that of an empty provider, spread over the time between reports."""
    empty, full = InMemoryMetricReader(), InMemoryMetricReader()
    providers = [MeterProvider([empty], shutdown_on_exit=False), MeterProvider([full], shutdown_on_exit=False)]
    machine = Machine(providers[1].get_meter("benchmark"), f"benchmark {time.time()}")
    base, own = (_cpu(reader) for reader in (empty, full))
    machine.stop()
    share = (own - base) / EVERY * 100
    return harness.Report(
        "Figures of the machine and the process, every 10 s",
        ["", "CPU of one report", "of one core"],
        [["host, process and garbage collector", f"{(own - base) * 1000:.2f} ms", f"{share:.3f} % (at most {MOST} %)"]],
        {"report_ms": (own - base) * 1000, "core_percent": share},
    )


def _cpu(reader: InMemoryMetricReader) -> float:
    """The median of seconds of CPU that a collection takes; each one reads anew."""
    found = []
    for _ in range(REPORTS):
        time.sleep(0.51)  # one reading serves half a second
        before = time.process_time()
        reader.get_metrics_data()
        found.append(time.process_time() - before)
    return sorted(found)[len(found) // 2]
