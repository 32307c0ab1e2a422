"""Sampled request metrics: counts exact at every reading, never falling, sums and buckets right in expectation."""

from __future__ import annotations

import random
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

from otelkit.errors import SettingsError
from otelkit.sdk.route_sampling import RouteSampling
from otelkit.settings import load
from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk.jobs.test_in_process import run

BOUNDS = [0.1, 0.2, 0.5, 1.0]
HEALTH = {"http.request.method": "GET", "http.route": "/health", "http.response.status_code": 200}
OTHER = {"http.request.method": "GET", "http.route": "/other"}


class Sampled:
    """A histogram under sampling, how often the SDK was asked to record, and what readers see."""

    def __init__(self, rate: float) -> None:
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.sampling = RouteSampling({"GET /health": rate})
        meter = self.sampling.over(provider).get_meter("tests")
        self.histogram = meter.create_histogram("took", explicit_bucket_boundaries_advisory=BOUNDS)

    def read(self, weighed: bool = True) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        assert isinstance(data, MetricsData)
        data = self.sampling.weighed(data) if weighed else data
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        return {point.attributes["http.route"]: point for point in metric.data.data_points}


def test_counts_are_exact_at_every_reading_and_never_fall() -> None:
    sampled, chance = Sampled(0.1), random.Random(3)
    before = [0] * (len(BOUNDS) + 1)
    for n in range(1, 2001):
        sampled.histogram.record(chance.random() * 1.5, HEALTH)
        if chance.random() < 0.02:
            point = sampled.read()["/health"]
            assert point.count == n == sum(point.bucket_counts)
            assert all(now >= then for now, then in zip(point.bucket_counts, before, strict=True))
            before = list(point.bucket_counts)
    assert sampled.read(weighed=False)["/health"].count < 260, "one in ten is recorded, not each ten times"


def test_sums_and_buckets_are_right_in_expectation() -> None:
    chance = random.Random(5)
    values = [chance.expovariate(3) for _ in range(20_000)]
    exact, sampled = Sampled(1), Sampled(0.1)
    for value in values:
        exact.histogram.record(value, HEALTH)
        sampled.histogram.record(value, HEALTH)
    true, told = exact.read()["/health"], sampled.read()["/health"]
    assert told.count == true.count == 20_000
    assert told.sum == pytest.approx(true.sum, rel=0.06)
    for now, wanted in zip(told.bucket_counts, true.bucket_counts, strict=True):
        assert now == pytest.approx(wanted, rel=0.12)


def test_other_routes_are_recorded_as_they_are() -> None:
    sampled = Sampled(0.01)
    for _ in range(50):
        sampled.histogram.record(0.3, OTHER)
    assert sampled.read(weighed=False)["/other"].count == 50


@pytest.mark.parametrize("text", ["GET /health", "GET /health=0", "GET /health=2", "/health=0.1", "GET /health=0.3"])
def test_a_wrong_setting_says_what_is_allowed(text: str) -> None:
    with pytest.raises(SettingsError, match=r"one in a whole number, such as GET /health=0\.1"):
        load({"OTELKIT_METRIC_SAMPLING": text})


SERVICE = """
import fastapi, otelkit, random
from fastapi.testclient import TestClient
app = fastapi.FastAPI()
otelkit.init(app, service="shop", prometheus=True, metric_sampling={"GET /orders/{number}": 0.1})

@app.get("/orders/{number}")
def order(number: int): return number

@app.get("/other")
def other(): pass

client = TestClient(app)
for n in range(137): client.get(f"/orders/{n}")
otelkit.flush()
for n in range(66): client.get(f"/orders/{n}")
for n in range(5): client.get("/other")
otelkit.flush()
print(client.get("/metrics").text)
"""


def test_a_service_counts_every_request_over_otlp_and_in_prometheus() -> None:
    with OtlpSink() as sink:
        page = run(SERVICE, sink)
        routes = {
            point.attributes["http.route"]: point
            for point in sink.latest("http.server.request.duration")
            if "http.route" in point.attributes
        }
        assert routes["/orders/{number}"].samples == sum(routes["/orders/{number}"].buckets) == 203
        assert routes["/other"].samples == 5
        counts = [line for line in page.splitlines() if "request_duration_seconds_count" in line and "/orders" in line]
        assert [line.rpartition(" ")[2] for line in counts] == ["203.0"]
        assert sum(span.name == "GET /orders/{number}" for span in sink.spans) == 203, "traces are not sampled by this"
