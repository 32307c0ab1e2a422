"""``GET /metrics`` in the process, for one worker; with more, the Collector is scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["PrometheusPage"]


class PrometheusPage:
    """What readers on otelkit's and the global MeterProvider collect; label values are redacted.

    Args:
        redact: text → text, applied to every label value.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._sources: dict[str, CollectorRegistry] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Redacted(self._sources, lru_cache(maxsize=8192)(redact)))

    def reader(self, source: str) -> MetricReader:
        """A reader for one provider; replaces an earlier one of the same ``source`` (in a fork, the parent's).

        Only the first source writes ``target_info``.
        """
        first = next(iter(self._sources), source) == source
        registry = self._sources[source] = CollectorRegistry()
        return PrometheusMetricReader(disable_target_info=not first, scope_info_enabled=False, registry=registry)

    async def endpoint(self, request: Any) -> Any:
        """The page, as a Starlette endpoint."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        body = await run_in_threadpool(generate_latest, self._registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)


class _Redacted:
    """A collector over other registries."""

    def __init__(self, sources: Mapping[str, CollectorRegistry], redact: Callable[[str], str]) -> None:
        self._sources = sources
        self._redact = redact

    def collect(self) -> Iterator[Metric]:
        for metric in chain.from_iterable(registry.collect() for registry in self._sources.values()):
            metric.samples = [
                sample._replace(labels={key: self._redact(value) for key, value in sample.labels.items()})
                for sample in metric.samples
            ]
            yield metric

    def describe(self) -> Iterable[Metric]:
        return ()
