"""Workers as people start them, with telemetry to a sink, and a process that enqueues inside a request's span."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from otelkit.model import MetricPoint, Span
from otelkit.testing.otlp_sink import OtlpSink

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def environment(sink: OtlpSink, broker: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BROKER": broker,
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.address,
        "OTELKIT_FLUSH_SECONDS": "0.05",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "OTELKIT_QUEUE_SECONDS": "1",
        "OTELKIT_SERVICE": "shop",
        "PYTHONUNBUFFERED": "1",
    }


class Running:
    """A worker of the tests'."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")


@contextlib.contextmanager
def worker(
    module: list[str], told: Mapping[str, str], folder: Path, *, ready: str = "", python: str = sys.executable
) -> Iterator[Running]:
    """Run ``otelkit run -- python -m module`` until the block ends."""
    log = folder / f"worker-{time.monotonic_ns()}.log"
    command = [python, "-m", "otelkit.cli", "run", "--", python, "-m", *module]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=HERE, env=dict(told), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    running = Running(process, log)
    try:
        eventually(lambda: ready in running.output, running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert "internal error swallowed" not in running.output, running.output


def enqueue(code: str, told: Mapping[str, str], python: str = sys.executable) -> tuple[str, str]:
    """Run ``code`` inside a span of a service of its own; return the span's trace and span id."""
    program = (
        "import otelkit\notelkit.init(service='web')\n"
        "from opentelemetry import trace\n"
        "with trace.get_tracer('web').start_as_current_span('POST /orders') as span:\n"
        + "".join(f"    {line}\n" for line in code.splitlines())
        + "    found = span.get_span_context()\n"
        "print(f'{found.trace_id:032x} {found.span_id:016x}')\n"
        "otelkit.shutdown()\n"
    )
    done = subprocess.run([python, "-c", program], cwd=HERE, env=dict(told), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "internal error swallowed" not in done.stderr, done.stderr
    trace_id, span_id = done.stdout.split()[-2:]
    return trace_id, span_id


def eventually(holds: Callable[[], object], running: Running | None = None, seconds: float = 30.0) -> None:
    """Wait until something holds, or fail with what the worker printed."""
    end = time.monotonic() + seconds
    while not holds():
        shown = running.output if running is not None else ""
        assert time.monotonic() < end, f"it never came to hold\n{shown}"
        assert running is None or running.process.poll() is None or holds(), shown
        time.sleep(0.05)


def runs(sink: OtlpSink, name: str) -> list[Span]:
    """Runs of one job, in the order in which they began."""
    return sorted((span for span in sink.spans if span.name == f"run_job {name}"), key=lambda span: span.start)


def total(sink: OtlpSink, metric: str, **labels: str) -> float:
    """The sum over all series of ``metric`` with these labels (written with _ for dots) of their newest points."""
    return sum(_number(point) for point in points(sink, metric, **labels))


def points(sink: OtlpSink, metric: str, **labels: str) -> list[MetricPoint]:
    """The newest point of each series, a process apart."""
    newest: dict[tuple[str, ...], MetricPoint] = {}
    for point in sink.points:
        if point.name == metric:
            place = str(point.resource.attributes.get("service.instance.id"))
            newest[(place, *sorted(f"{key}={value}" for key, value in point.attributes.items()))] = point
    wanted = {key.replace("_", "."): value for key, value in labels.items()}
    return [
        point
        for point in newest.values()
        if all(str(point.attributes.get(key)) == value for key, value in wanted.items())
    ]


def _number(point: MetricPoint) -> float:
    return float(point.samples if point.value is None else point.value)
