"""What one decorated call costs, against the bare OpenTelemetry SDK with the same attributes, to the same null sink.

Both trace ``add(a, b)`` inside one parent span. The bare SDK is a TracerProvider with a BatchSpanProcessor whose queue
is long enough to lose nothing, and the OTLP/HTTP exporter. otelkit also derives metrics and redacts. *burst*: calls in
one tight loop; *paced*: bursts of 50 with idle gaps, as a service has them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from benchmarks import harness

CALLS = {"burst": 10_000, "paced": 3_000}
ROUNDS = 3
_BARE, _METRICS, _OTELKIT = "bare SDK", "bare SDK and two metrics", "otelkit @traced_tool"
_PACE, _GAP = 50, 0.01


def measure_all() -> harness.Report:
    """Measure in processes of their own, interleaved."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with harness.process("null_sink") as sink:
        address = harness.first_line(sink)
        for pace, calls in CALLS.items():

            def measure(variant: str, pace: str = pace, calls: int = calls) -> dict[str, float]:
                figures = harness.result(harness.start("decorated", variant, pace, address, cores=set()))
                lost = calls + 2 - harness.get(f"{address}/taken")["spans"]
                return {**figures, "lost": lost}

            found[pace] = harness.interleaved((_BARE, _METRICS, _OTELKIT), ROUNDS, measure)
    report = harness.Report(
        "One traced call: exported, with otelkit also measured and redacted",
        ["", "on the caller", "", "CPU a span", "", "spans lost"],
        data=found,
    )
    for pace, variants in found.items():
        base = variants[_BARE]
        for variant, figures in variants.items():
            report.rows.append(
                [
                    f"{variant}, {pace}",
                    harness.times(figures["caller_us"], base["caller_us"]),
                    f"{figures['caller_us']:.1f} µs",
                    harness.times(figures["cpu_us"], base["cpu_us"]),
                    f"{figures['cpu_us']:.0f} µs",
                    f"{figures['lost']:.0f}",
                ]
            )
    return report


# --- in the process that is measured --------------------------------------------------------------------------


def _add(a: int, b: int) -> int:
    return a + b


def _bare(address: str, *, metrics: bool) -> tuple[Callable[[int, int], int], Callable[[], object]]:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    exporter = OTLPSpanExporter(f"{address}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=2 * max(CALLS.values())))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("bench")
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(f"{address}/v1/metrics"))])
    meter = meters.get_meter("bench")
    duration, count = meter.create_histogram("gen_ai.execute_tool.duration", "s"), meter.create_counter("tool.calls")
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.type": "function",
        "otelkit.tool.integration": "numbers",
        "otelkit.tool.action": "add",
    }
    labels = {"gen_ai.tool.name": "add", "gen_ai.tool.type": "function"}

    def traced(a: int, b: int) -> int:
        with tracer.start_as_current_span("execute_tool add", attributes=attributes):
            return _add(a, b)

    def measured(a: int, b: int) -> int:
        with tracer.start_as_current_span("execute_tool add", attributes=attributes):
            started = time.perf_counter()
            result = _add(a, b)
            duration.record(time.perf_counter() - started, labels)
            count.add(1, labels)
            return result

    return (measured, lambda: (provider.shutdown(), meters.shutdown())) if metrics else (traced, provider.shutdown)


def _otelkit(address: str) -> tuple[Callable[[int, int], int], Callable[[], object]]:
    import otelkit

    otelkit.init(service="bench", endpoint=address, instrument=False)
    traced = otelkit.traced_tool(integration="numbers", action="add")(_add)
    return traced, lambda: otelkit.shutdown(30)


def _run(variant: str, pace: str, address: str) -> dict[str, float]:
    """Figures of one process: CPU of the calling thread a call, CPU of the process a span until all is delivered."""
    call, finish = _otelkit(address) if variant == _OTELKIT else _bare(address, metrics=variant == _METRICS)
    from opentelemetry import trace

    calls, tracer = CALLS[pace], trace.get_tracer("bench")
    call(1, 1)
    time.sleep(1.5)  # what starts in the background with the first span (price tables, threads) is not the calls'
    cpu, caller = time.process_time(), 0.0
    with tracer.start_as_current_span("parent"):
        for _ in range(calls // _PACE):
            begun = time.thread_time()
            for number in range(_PACE):
                call(number, 1)
            caller += time.thread_time() - begun
            if pace == "paced":
                time.sleep(_GAP)
    finish()
    return {"caller_us": caller / calls * 1e6, "cpu_us": (time.process_time() - cpu) / calls * 1e6}


if __name__ == "__main__":
    print(json.dumps(_run(*sys.argv[1:])))
