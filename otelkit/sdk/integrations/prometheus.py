"""``GET /metrics`` in the process, for one worker; with more, the Collector is scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["PrometheusPage"]


class PrometheusPage:
    """A registry of its own, filled by readers on otelkit's and the global MeterProvider; label values are redacted.

    Args:
        redact: text → text, applied to every label value.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._inner = CollectorRegistry()
        self._registry = CollectorRegistry()
        self._registry.register(_Redacted(self._inner, lru_cache(maxsize=8192)(redact)))
        self._readers = 0

    def reader(self) -> MetricReader:
        """One more reader for this page; only the first one writes ``target_info``."""
        self._readers += 1
        return PrometheusMetricReader(
            disable_target_info=self._readers > 1, scope_info_enabled=False, registry=self._inner
        )

    async def endpoint(self, request: Any) -> Any:
        """The page, as a Starlette endpoint."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        body = await run_in_threadpool(generate_latest, self._registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)


class _Redacted:
    """A collector over another registry."""

    def __init__(self, inner: CollectorRegistry, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [
                sample._replace(labels={key: self._redact(value) for key, value in sample.labels.items()})
                for sample in metric.samples
            ]
            yield metric

    def describe(self) -> Iterable[Metric]:
        return ()
