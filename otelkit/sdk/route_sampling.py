"""``OTELKIT_METRIC_SAMPLING``: of busy routes one request in n is recorded, and stands for n.

Recording a histogram costs many microseconds a request. Recording one value n times would save nothing, and scaling
what was recorded when it is exported would let counts fall. So of each n observations one, drawn at random, is
recorded, and its weight beyond 1 is kept here and added when metrics are read; what has come since the last whole n is
added then too, by one of it. Counts are exact at every reading and never fall; sums and buckets are right in
expectation.
"""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, MetricsData
from wrapt import ObjectProxy

from otelkit.sdk.guard import guard
from otelkit.semconv.attributes import Core

__all__ = ["RouteSampling"]

# Of an instrument that names none: the SDK's.
_DEFAULT_BOUNDS: Final = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000)
_MOST_SERIES: Final = 2000  # as the SDK has for one instrument
_random: Final = random.Random()  # noqa: S311  no secret


class _Series:
    """One series: what waits to be stood for, and the weight that was added so far."""

    __slots__ = ("bounds", "buckets", "candidate", "count", "pending", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.buckets = [0] * (len(bounds) + 1)
        self.count = 0
        self.total = 0.0
        self.pending = 0
        self.candidate = 0.0

    def seen(self, value: float) -> None:
        self.pending += 1
        if self.pending == 1 or _random.random() * self.pending < 1:  # each of them is as likely to be kept
            self.candidate = value

    def add(self, weight: int) -> None:
        """Let the candidate stand for ``weight`` more observations."""
        self.buckets[bisect_left(self.bounds, self.candidate)] += weight
        self.count += weight
        self.total += weight * self.candidate
        self.pending = 0


class RouteSampling:
    """The weights of one process's request histograms.

    Args:
        rates: share by method and route (``GET /health`` → 0.1), each one in a whole number.
        aliases: other names that metrics are read under.
    """

    def __init__(self, rates: Mapping[str, float], aliases: Mapping[str, str] = MappingProxyType({})) -> None:
        self._aliases = aliases
        self._every = {route: round(1 / rate) for route, rate in rates.items() if rate < 1}
        self._series: dict[tuple[str, frozenset[tuple[str, Any]]], _Series] = {}
        self._lock = threading.Lock()

    def over(self, provider: Any) -> Any:
        """``provider`` whose histograms of requests are sampled; itself where no route is."""
        return _Provider(provider, self) if self._every else provider

    def to_record(self, name: str, bounds: Sequence[float], value: float, attributes: Any) -> float | None:
        """Take an observation: what is to be recorded now, None for nothing."""
        every = self._every.get(f"{attributes.get(Core.HTTP_METHOD)} {attributes.get(Core.HTTP_ROUTE)}")
        if every is None:
            return value
        key = (self._aliases.get(name, name), frozenset(attributes.items()))
        with self._lock:
            series = self._series.get(key)
            if series is None:
                if len(self._series) < _MOST_SERIES:
                    self._series[key] = _Series(bounds)
                return value  # so that the series is there: what is added later needs one to be added to
            series.seen(value)
            if series.pending < every:
                return None
            series.add(every - 1)
            return series.candidate

    def weighed(self, data: MetricsData) -> MetricsData:
        """What a reader collected, with the weights added."""
        if not self._series:
            return data
        names = {name for name, _ in self._series}
        return replace(
            data,
            resource_metrics=[
                replace(
                    resource,
                    scope_metrics=[
                        replace(
                            scope,
                            metrics=[
                                self._metric(metric) if metric.name in names else metric for metric in scope.metrics
                            ],
                        )
                        for scope in resource.scope_metrics
                    ],
                )
                for resource in data.resource_metrics
            ],
        )

    def _metric(self, metric: Any) -> Any:
        if not isinstance(metric.data, Histogram):
            return metric
        points = [self._point(metric.name, point) for point in metric.data.data_points]
        return replace(metric, data=replace(metric.data, data_points=points))

    def _point(self, name: str, point: HistogramDataPoint) -> HistogramDataPoint:
        with self._lock:
            series = self._series.get((name, frozenset((point.attributes or {}).items())))
            if series is None:
                return point
            if series.pending:
                series.add(series.pending)
            counts = list(point.bucket_counts)
            for at, weight in enumerate(series.buckets):
                if weight:
                    # A view may have other bounds: then by the upper end of ours.
                    low = series.bounds[at] if at < len(series.bounds) else float("inf")
                    same = tuple(point.explicit_bounds) == series.bounds
                    counts[at if same else bisect_left(point.explicit_bounds, low)] += weight
            return replace(point, count=point.count + series.count, sum=point.sum + series.total, bucket_counts=counts)


class _Provider(ObjectProxy[Any]):
    def __init__(self, provider: Any, sampling: RouteSampling) -> None:
        super().__init__(provider)
        self._self_sampling = sampling

    def get_meter(self, *args: Any, **kwargs: Any) -> Any:
        """A meter whose histograms are sampled."""
        return _Meter(self.__wrapped__.get_meter(*args, **kwargs), self._self_sampling)


class _Meter(ObjectProxy[Any]):
    def __init__(self, meter: Any, sampling: RouteSampling) -> None:
        super().__init__(meter)
        self._self_sampling = sampling

    def create_histogram(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A sampled histogram."""
        bounds = kwargs.get("explicit_bucket_boundaries_advisory") or _DEFAULT_BOUNDS
        return _Sampled(self.__wrapped__.create_histogram(name, *args, **kwargs), name, bounds, self._self_sampling)


class _Sampled(ObjectProxy[Any]):
    def __init__(self, histogram: Any, name: str, bounds: Sequence[float], sampling: RouteSampling) -> None:
        super().__init__(histogram)
        self._self_name, self._self_bounds, self._self_sampling = name, bounds, sampling

    def record(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record, or let another one stand for it."""
        value: float | None = amount
        with guard:
            value = self._self_sampling.to_record(self._self_name, self._self_bounds, amount, attributes or {})
        if value is not None:
            self.__wrapped__.record(value, attributes, context)
