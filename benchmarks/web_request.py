"""What one request of a FastAPI hello-world costs: bare, FastAPI's native telemetry, contrib, otelkit.

otelkit stands here twice: with requests alone, and with the operations signals (machine and process, databases, jobs).

The service is uvicorn with one worker on a core of its own; load (keep-alive connections over raw sockets) and the null
sink run on the others. Everything is exported over OTLP/HTTP: traces and metrics, with queues long enough to lose
nothing. otelkit also adds request ids, redacts and looks for a session.
"""

from __future__ import annotations

import sys
import time
import urllib.request
from contextlib import suppress
from typing import Any

from benchmarks import harness

VARIANTS = (
    "bare app",
    "native telemetry",
    "contrib",
    "contrib, no send/receive spans",
    "otelkit, requests alone",
    "otelkit.init(app)",
)
ROUNDS = 3
SECONDS = 2.0
CONNECTIONS = 16
_BARE, _NATIVE, _CONTRIB, _CONTRIB_ONE, _ALONE, _OTELKIT = VARIANTS


def measure_all() -> harness.Report:
    """Measure in processes of their own, interleaved."""
    with harness.process("null_sink") as sink:
        address = harness.first_line(sink)
        found = harness.interleaved(VARIANTS, ROUNDS, lambda variant: _measure(variant, address))
    report = harness.Report(
        "One FastAPI request (hello world, one worker on one core)",
        ["", "requests/s", "", "CPU a request", "", "spans arrived a request"],
        data=found,
    )
    base = found[_BARE]
    for variant, figures in found.items():
        report.rows.append(
            [
                variant,
                harness.times(figures["per_second"], base["per_second"]),
                f"{figures['per_second']:,.0f}",
                harness.times(figures["cpu_us"], base["cpu_us"]),
                f"{figures['cpu_us']:.0f} µs",
                f"{figures['spans']:.2f}",
            ]
        )
    return report


def _measure(variant: str, sink: str) -> dict[str, float]:
    with harness.process("web_request", variant, sink, cores=harness.MEASURED) as service:
        port = harness.first_line(service)
        warm = _load(port, 0.7)  # imports, caches, price tables
        cpu = harness.cpu_seconds(service.pid)
        load = _load(port, SECONDS)
        cpu = harness.cpu_seconds(service.pid) - cpu
    done, all_done = load["requests"], warm["requests"] + load["requests"]
    spans = harness.get(f"{sink}/taken")["spans"]  # all: the service has delivered the rest at its end
    return {"per_second": done / load["seconds"], "cpu_us": cpu / done * 1e6, "spans": spans / all_done}


def _load(port: str, seconds: float) -> dict[str, float]:
    return harness.result(harness.start("web_load", port, str(CONNECTIONS), str(seconds)))


# --- the service ----------------------------------------------------------------------------------------------


def _sdk(address: str) -> tuple[Any, Any]:
    """Providers of the plain SDK, exporting as otelkit does."""
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "bench"})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces"), max_queue_size=200_000))
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(f"{address}/v1/metrics"))], resource)
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(meters)
    return traces, meters


def _app(variant: str, address: str) -> Any:
    from fastapi import FastAPI

    telemetry: dict[str, Any] = {}
    if variant not in (_BARE, _ALONE, _OTELKIT):
        traces, meters = _sdk(address)
        telemetry = {"tracer_provider": traces, "meter_provider": meters, "operation_spans": False}
    app = FastAPI(telemetry=telemetry) if variant == _NATIVE else FastAPI()

    @app.get("/hello/{name}")
    async def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    if variant in (_CONTRIB, _CONTRIB_ONE):
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        without: Any = ["send", "receive"] if variant == _CONTRIB_ONE else None
        FastAPIInstrumentor.instrument_app(app, tracer_provider=traces, meter_provider=meters, exclude_spans=without)
    elif variant in (_ALONE, _OTELKIT):
        import otelkit

        everything = variant == _OTELKIT
        mode = "auto" if everything else "off"
        otelkit.init(app, service="bench", endpoint=address, instrument=everything, system_metrics=mode)
    return app


def _serve(variant: str, address: str) -> None:
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(_app(variant, address), log_level="error", access_log=False))
    import threading

    def say() -> None:
        while True:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/you", timeout=5).close()
                print(port, flush=True)
                return
            time.sleep(0.02)

    threading.Thread(target=say, daemon=True).start()
    server.run([listening])


if __name__ == "__main__":
    _serve(*sys.argv[1:])
