"""Metrics out: a reader that hands collected metrics to the lane, and the clock that asks it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otelkit.sdk.export.lane import Batch
from otelkit.sdk.fork import quiet
from otelkit.sdk.guard import guard

__all__ = ["PushReader", "Ticker"]


class PushReader(MetricReader):
    """Collects on request, redacts string attributes, encodes, delivers; always cumulative.

    Args:
        deliver: takes the encoded request with its number of points.
        redact: text → text, applied to every string attribute of points, scopes and resources.
        wanted: metric name → whether it is exported; keeps other libraries' copies of what otelkit derives out.
    """

    def __init__(
        self,
        deliver: Callable[[Batch], None],
        redact: Callable[[str], str],
        wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        super().__init__()
        self._deliver = deliver
        self._redact = lru_cache(maxsize=8192)(redact)
        self._wanted = wanted

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        request = encode_metrics(metrics_data)
        points = self._clean(request)
        if points:
            self._deliver(Batch(request.SerializeToString(), points))

    def _clean(self, request: ExportMetricsServiceRequest) -> int:
        points = 0
        for resource in request.resource_metrics:
            self._redact_all(resource.resource.attributes)
            for scope in resource.scope_metrics:
                kept = [metric for metric in scope.metrics if self._wanted(metric.name)]
                del scope.metrics[:]
                scope.metrics.extend(kept)
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data") or "gauge")
                    points += len(data.data_points)
                    for point in data.data_points:
                        self._redact_all(point.attributes)
                        for exemplar in getattr(point, "exemplars", ()):
                            # What a View took off a point must not leave through its example.
                            del exemplar.filtered_attributes[:]
        return points

    def _redact_all(self, attributes: Any) -> None:
        for attribute in attributes:
            if attribute.value.HasField("string_value"):
                attribute.value.string_value = self._redact(attribute.value.string_value)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to stop: the bootstrap collects a last time itself."""


class Ticker:
    """Calls ``function`` every ``seconds`` on a daemon thread until stopped."""

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self._seconds = seconds
        self._function = function
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otelkit-metrics", daemon=True)

    def start(self) -> None:
        """Start ticking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking; does not wait for a tick in progress."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            with guard, quiet:
                self._function()
