"""What the standard profile costs in the Collector, a span: against the barest pipeline, otlp → debug.

The real program runs on a core of its own; the load (the retrieval chatbot's spans, requests of 512) and the sinks run
on the others. The figure is CPU until every span has left for the trace store.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

from benchmarks import harness, load
from otelkit.cli.processes import free_port
from otelkit.mapping.otlp import encode_spans
from otelkit.provision.collector.options import parsed
from otelkit.provision.collector.profiles import render
from otelkit.semconv.attributes import Otelkit
from tests.stack.parts import COLLECTOR

SPANS: Final = 20_000
BATCH: Final = 512
ROUNDS: Final = 3
BARE, OTELKIT, PLAIN, NO_DERIVED = VARIANTS = (
    "otlp → debug",
    "standard, services with otelkit",
    "standard, plain OpenTelemetry services",
    "the same with derived=false",
)
_PORTS: Final = ("HTTP", "GRPC", "PROMETHEUS", "METRICS", "HEALTH")


def measure_all() -> harness.Report:
    """Measure every variant in turn, a fresh process each time."""
    report = harness.Report("The Collector: CPU a span", ["", "CPU a span", "", "memory"])
    if not COLLECTOR.built:
        report.note = "Not measured: the Collector is not built; run `make stack`."
        return report
    with harness.process("null_sink") as server, harness.process("grpc_sink") as traces:
        sinks = {"SERVER": harness.first_line(server), "TRACES": harness.first_line(traces)}
        found = harness.interleaved(VARIANTS, ROUNDS, lambda variant: _measure(variant, sinks))
    report.data = found
    for variant, figures in found.items():
        ratio = harness.times(figures["cpu_us"], found[BARE]["cpu_us"])
        report.rows.append([variant, ratio, f"{figures['cpu_us']:.0f} µs", f"{figures['rss_mb']:.0f} MB"])
    return report


def _measure(variant: str, sinks: Mapping[str, str]) -> dict[str, float]:
    bodies = list(_bodies(measured=variant == OTELKIT))
    with _collector(variant, sinks) as (pid, ports):
        for body in bodies[:2]:
            _post(ports["HTTP"], body)
        _until_sent(ports["METRICS"], 2 * BATCH)
        before = harness.cpu_seconds(pid)
        for body in bodies[2:]:
            _post(ports["HTTP"], body)
        total = BATCH * len(bodies)
        _until_sent(ports["METRICS"], total)
        cpu = harness.cpu_seconds(pid) - before
        status = Path(f"/proc/{pid}/status").read_text()
    rss = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return {"cpu_us": cpu / (total - 2 * BATCH) * 1e6, "rss_mb": rss}


def _bodies(*, measured: bool) -> Iterator[bytes]:
    """Requests of a service that measures itself, or of one that does not."""
    now, waiting = time.time_ns(), []
    for spans in load.spans(SPANS, first=now - 60 * 10**9, last=now):
        for span in spans:
            attributes = {**span.resource.attributes, **({Otelkit.METRICS: "sdk"} if measured else {})}
            waiting.append(span._replace(resource=span.resource._replace(attributes=attributes)))
        while len(waiting) >= BATCH:
            yield encode_spans(waiting[:BATCH])
            waiting = waiting[BATCH:]


@contextmanager
def _collector(variant: str, sinks: Mapping[str, str]) -> Iterator[tuple[int, Mapping[str, int]]]:
    ports = {name: free_port() for name in _PORTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "configuration.yaml")
        words = ["derived=false"] if variant == NO_DERIVED else []
        text = render("standard", parsed(words, "standard"))["standard.yaml"]
        path.write_text(_bare(text) if variant == BARE else text)
        told = {f"OTELKIT_COLLECTOR_{name}_PORT": str(port) for name, port in ports.items()}
        told |= {f"OTELKIT_COLLECTOR_{name}": address for name, address in sinks.items()}
        told |= {"OTELKIT_COLLECTOR_QUEUES": f"{folder}/queues", "PATH": os.environ["PATH"]}
        program = COLLECTOR.folder / COLLECTOR.programs[0]
        running = subprocess.Popen([program, "--config", path], env=told, stderr=subprocess.DEVNULL)
        os.sched_setaffinity(running.pid, harness.MEASURED)
        try:
            _until_ready(ports["HEALTH"])
            yield running.pid, ports
        finally:
            running.terminate()
            running.wait(30)


def _bare(text: str) -> str:
    """The same file's receiver, health check and own metrics, and nothing between it and ``debug``."""
    document = yaml.safe_load(text)
    return yaml.safe_dump(
        {
            "extensions": {"health_check": document["extensions"]["health_check"]},
            "receivers": document["receivers"],
            "exporters": {"debug": {"verbosity": "basic"}},
            "service": {
                "extensions": ["health_check"],
                "telemetry": document["service"]["telemetry"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["debug"]}},
            },
        }
    )


def _post(port: int, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", body, headers)
    with urllib.request.urlopen(request, timeout=30):
        pass


def _until_ready(port: int) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the Collector does not start")


def _until_sent(port: int, spans: int) -> None:
    """Wait until the trace store's exporter, or debug, has sent them all."""
    for _ in range(600):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        sent = [line for line in lines if line.startswith("otelcol_exporter_sent_spans{")]
        if any(float(line.rsplit(" ", 1)[1]) >= spans for line in sent if "otelkit" not in line.partition("}")[0]):
            return
        time.sleep(0.1)
    raise RuntimeError("the Collector has not sent everything")
