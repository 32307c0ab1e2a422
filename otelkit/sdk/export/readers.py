"""Metrics out: a reader that hands collected metrics to the lane, and the clock that asks it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otelkit.sdk.export.lane import Batch
from otelkit.sdk.export.points import Baseline, Contributions, LabelCleaner, clean
from otelkit.sdk.fork import quiet
from otelkit.sdk.guard import guard

__all__ = ["PushReader", "Ticker"]


class PushReader(MetricReader):
    """Collects on request, cleans, encodes, delivers; always cumulative.

    Args:
        deliver: takes the encoded request with its number of points.
        labels: cleans attributes.
        wanted: metric name → whether it is exported; keeps other libraries' copies of what otelkit derives out.
        weighed: adds what sampled observations stand for.
    """

    def __init__(
        self,
        deliver: Callable[[Batch], None],
        labels: LabelCleaner,
        wanted: Callable[[str], bool] = lambda name: True,
        weighed: Callable[[MetricsData], MetricsData] = lambda data: data,
    ) -> None:
        super().__init__()
        self._deliver = deliver
        self._labels = labels
        self._wanted = wanted
        self._weighed = weighed
        self._baseline = Baseline()
        self._contributions = Contributions()
        self._inheriting = False

    def absorb(self, request: ExportMetricsServiceRequest) -> None:
        """Report from now on what a child that has ended counted."""
        self._contributions.take(request)

    def inherit(self) -> None:
        """In a forked child: what the provider holds now is the parent's, and reported by it."""
        self._baseline = Baseline()
        self._inheriting = True
        try:
            self.collect()
        finally:
            self._inheriting = False

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        request = encode_metrics(self._weighed(metrics_data))
        if self._inheriting:
            self._baseline.take(request)
            return
        self._baseline.subtract(request)
        points = clean(request, self._labels, self._wanted)
        if points:
            self._contributions.add_to(request)
            self._deliver(Batch(request.SerializeToString(), points))

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
