"""``GET /metrics`` in the process, for one worker; with more, the Collector is scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.samples import Sample

from otelkit.sdk.export.points import LabelCleaner

__all__ = ["PrometheusPage"]


class PrometheusPage:
    """What readers on otelkit's and the global MeterProvider collect; label values are redacted.

    Args:
        labels: cleans labels.
        derived: beginning of the names otelkit derives itself; other libraries' copies of them are left out.
    """

    def __init__(self, labels: LabelCleaner, derived: str) -> None:
        self._sources: dict[str, CollectorRegistry] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Cleaned(self._sources, labels, derived.replace(".", "_")))

    def reader(self, source: str, weighed: Callable[[MetricsData], MetricsData] = lambda data: data) -> MetricReader:
        """A reader for one provider; replaces an earlier one of the same ``source`` (in a fork, the parent's).

        ``weighed`` adds what sampled observations stand for. Only the first source writes ``target_info``.
        """
        first = next(iter(self._sources), source) == source
        registry = self._sources[source] = CollectorRegistry()
        return _Weighing(weighed, disable_target_info=not first, scope_info_enabled=False, registry=registry)

    async def endpoint(self, request: Any) -> Any:
        """The page, as a Starlette endpoint."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        body = await run_in_threadpool(generate_latest, self._registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)


class _Weighing(PrometheusMetricReader):
    def __init__(self, weighed: Callable[[MetricsData], MetricsData], **options: Any) -> None:
        self._weighed = weighed
        super().__init__(**options)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._weighed(metrics_data), timeout_millis, **kwargs)


class _Cleaned:
    """A collector over other registries."""

    def __init__(self, sources: Mapping[str, CollectorRegistry], labels: LabelCleaner, derived: str) -> None:
        self._sources = sources
        self._labels = labels
        self._derived = derived

    def collect(self) -> Iterator[Metric]:
        for source, registry in self._sources.items():
            for metric in registry.collect():
                if source == "otelkit" or not metric.name.startswith(self._derived):
                    metric.samples = self._clean(metric)
                    yield metric

    def describe(self) -> Iterable[Metric]:
        return ()

    def _clean(self, metric: Metric) -> list[Sample]:
        """Samples with clean labels; ones that become equal are added up, of gauges the last one stays."""
        merged: dict[tuple[str, tuple[tuple[str, str], ...]], Sample] = {}
        for sample in metric.samples:
            labels = self._labels(sample.labels)
            key = (sample.name, tuple(sorted(labels.items())))
            before = merged.get(key)
            value = sample.value if before is None or metric.type == "gauge" else before.value + sample.value
            merged[key] = sample._replace(labels=labels, value=value)
        return list(merged.values())
