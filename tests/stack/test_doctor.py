"""``otelkit doctor`` through the real pipeline: every hop is said, and a broken one is found behind the Collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from otelkit.testing.quiet_server import QuietServer
from tests.stack.pipeline import Pipeline
from tests.stack.running import COMMITTED, Collector, until


def doctor(pipeline: Pipeline, *words: str) -> dict[str, Any]:
    named = [word for name, address in pipeline.addresses().items() for word in (f"--{name}", address)]
    done = subprocess.run(
        [sys.executable, "-m", "otelkit.cli", "doctor", "--json", *named, *words],
        env={**os.environ, "OTEL_SERVICE_NAME": "shop"}, cwd=COMMITTED.parent, capture_output=True, timeout=120,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    return report


def arrivals(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (line["hop"], line["found"])
        for line in report["lines"]
        if line["verdict"] == "ok" and "arrived" in line["found"]
    }


def test_each_record_is_followed_to_its_end(pipeline: Pipeline) -> None:
    report = doctor(pipeline)
    assert report["ok"], report
    assert arrivals(report) == {
        ("prometheus", "the metric arrived"), ("loki", "the log arrived"), ("loki", "the event arrived"),
        ("traces", "the trace arrived"), ("server", "the trace arrived"), ("server", "the event arrived"),
    }  # fmt: skip


def test_an_exporter_that_cannot_deliver_is_named(faulty: Pipeline) -> None:
    faulty.loki.kill()
    listening = QuietServer(("127.0.0.1", faulty.loki.port), _Unwell)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        report = doctor(faulty, "--wait", "10", "--prometheus", "none", "--traces", "none")
    finally:
        listening.shutdown()
        listening.server_close()
        faulty.loki.start()
    failures = [line for line in report["lines"] if line["verdict"] == "fail"]
    assert {line["hop"] for line in failures} == {"loki"}
    assert all("otlp_http/loki cannot deliver" in line["advice"] for line in failures)


class _Unwell(BaseHTTPRequestHandler):
    """Says it is Loki, and takes nothing."""

    def do_GET(self) -> None:
        body = b'{"version": "3"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_pipeline_that_drops_logs_is_found(pipeline: Pipeline, tmp_path: Path) -> None:
    home = tmp_path / "dropping"
    loki = f"{pipeline.loki.url}/otlp"
    dropping = Collector(
        home, "standard", {"SERVER": pipeline.server.url, "LOKI": loki, "TRACES": "http://127.0.0.1:1"}
    )
    content = yaml.safe_load((COMMITTED / "config" / "standard.yaml").read_text())
    content["processors"]["filter/all"] = {"logs": {"log_record": ["true"]}}
    pipelines = content["service"]["pipelines"].values()
    next(legs for legs in pipelines if "otlp_http/loki" in legs["exporters"])["processors"].append("filter/all")
    changed = home / "changed.yaml"
    changed.write_text(yaml.safe_dump(content))
    dropping.runs(changed)
    dropping.start()
    try:
        words = ["--endpoint", dropping.url, "--collector", f"http://127.0.0.1:{dropping.metrics_port}", "--wait", "8"]
        report = doctor(pipeline, *words, "--prometheus", "none", "--traces", "none", "--server", "none")
    finally:
        dropping.stop()
    advice = [line["advice"] for line in report["lines"] if line["hop"] == "loki" and line["verdict"] == "fail"]
    assert len(advice) == 2
    assert all("filter/all" in text for text in advice), advice


def test_a_metric_with_more_series_than_are_kept_apart_is_a_warning(pipeline: Pipeline) -> None:
    """An SDK past its limit of attribute sets adds up the rest under the attribute that the specification names."""
    exporter = OTLPMetricExporter(f"{pipeline.collector.url}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    provider = MeterProvider([reader], Resource({"service.name": "sprawling"}))
    counter = provider.get_meter("test").create_counter("visits")
    counter.add(1, {"otel.metric.overflow": True})
    provider.shutdown()
    until(lambda: pipeline.prometheus.query('visits_total{otel_metric_overflow="true"}'), 60, "the overflow")
    report = doctor(pipeline, "--wait", "30")
    warned = [line for line in report["lines"] if line["verdict"] == "warn"]
    assert [line["found"] for line in warned] == ["visits_total of sprawling has more series than are kept apart"]
