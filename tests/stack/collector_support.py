"""A real Collector between a plain OpenTelemetry client and sinks that remember what arrives."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from otelkit.provision.collector.options import parsed
from otelkit.provision.collector.profiles import render
from otelkit.testing.otlp_sink import OtlpSink
from tests.stack.grpc_sink import GrpcSink
from tests.stack.running import Collector, until

__all__ = ["Client", "Rig", "rig"]


class Providers(NamedTuple):
    """What a client's instruments of other scopes come from."""

    tracer: TracerProvider
    logger: LoggerProvider
    meter: MeterProvider


class Client:
    """A service with the bare OpenTelemetry SDK, which exports each record as it ends."""

    def __init__(self, endpoint: str, headers: Mapping[str, str] | None = None, **resource: str) -> None:
        attributes = {"service.name": "plain", **{key.replace("__", "."): value for key, value in resource.items()}}
        self.resource = Resource.create(attributes)
        told = dict(headers or {})
        traces = TracerProvider(resource=self.resource, shutdown_on_exit=False)
        traces.add_span_processor(
            SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=told, timeout=5))
        )
        self.tracer = traces.get_tracer("plain")
        logs = LoggerProvider(resource=self.resource, shutdown_on_exit=False)
        logs.add_log_record_processor(
            SimpleLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs", headers=told, timeout=5))
        )
        self.logger = logs.get_logger("plain")
        exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=told, timeout=5)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
        metrics = MeterProvider([reader], resource=self.resource, shutdown_on_exit=False)
        self.meter = metrics.get_meter("plain")
        self.providers = Providers(traces, logs, metrics)

    def flush_metrics(self) -> None:
        """Export what the instruments hold now."""
        assert self.providers.meter.force_flush(5_000)


class Rig:
    """A running Collector and what stands behind it."""

    def __init__(self, collector: Collector, loki: OtlpSink, server: OtlpSink, traces: GrpcSink) -> None:
        self.collector, self.loki, self.server, self.traces = collector, loki, server, traces

    def client(self, **resource: str) -> Client:
        """Return a plain client of the Collector."""
        return Client(self.collector.url, **resource)

    def samples(self, prefix: str = "") -> list[Sample]:
        """Return what Prometheus would scrape now."""
        address = f"http://127.0.0.1:{self.collector.prometheus_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return [sample for family in families for sample in family.samples if sample.name.startswith(prefix)]

    def scraped(self, name: str) -> str:
        """Return the scrape's text in OpenMetrics, once ``name`` is in it."""
        address = f"http://127.0.0.1:{self.collector.prometheus_port}/metrics"
        asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text"})

        def look() -> str:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                text = str(answer.read().decode())
            return text if name in text else ""

        return until(look, 15, f"{name} is scraped")

    def never(self, happens: Callable[[], object], seconds: float = 1.0) -> None:
        """Fail when something happens in the time in which everything else has long arrived."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert not happens()
            time.sleep(0.1)


class Rendered(Collector):
    """The Collector on a file of a profile, rendered with options."""

    def __init__(self, home: Path, file: str, words: Sequence[str], told: Mapping[str, str]) -> None:
        super().__init__(home, Path(file).stem, told)
        profile = "gateway" if file == "agent.yaml" else Path(file).stem
        path = home / file
        path.write_text(render(profile, parsed(words, profile))[file], "utf-8")
        self.configure(["--config", str(path)], self._environment)


@contextmanager
def rig(home: Path, file: str = "standard.yaml", *words: str, **told: str) -> Iterator[Rig]:
    """Run a Collector on a committed file, or with ``words`` on one rendered with these options."""
    with ExitStack() as stack:
        loki, server, traces = (stack.enter_context(part) for part in (OtlpSink(), OtlpSink(), GrpcSink()))
        addresses = {"LOKI": loki.address, "SERVER": server.address, "TRACES": traces.address, **told}
        if words:
            collector: Collector = Rendered(home, file, words, addresses)
        else:
            collector = Collector(home, Path(file).stem, addresses)
        stack.callback(collector.stop)
        collector.start()
        yield Rig(collector, loki, server, traces)
