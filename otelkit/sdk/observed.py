"""Gauges that are read when metrics are collected, by parts of otelkit that outlive a fork's new runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from opentelemetry.metrics import CallbackOptions, Observation

from otelkit.semconv.metrics import JobMetrics, MetricDef, RequestMetrics

__all__ = ["GAUGES", "observe", "read"]

Values: TypeAlias = Iterable[tuple[float, Mapping[str, str]]]

GAUGES: Final = (
    JobMetrics.QUEUE_LENGTH,
    JobMetrics.QUEUE_OLDEST,
    RequestMetrics.BUDGET_LIMIT,
    RequestMetrics.BUDGET_VALUE,
    RequestMetrics.BUDGET_EXCEEDED,
)
"""What may be observed; without anybody who does, a gauge has no points."""

_readers: dict[MetricDef, Callable[[], Values]] = {}


def observe(metric: MetricDef, values: Callable[[], Values]) -> None:
    """Have ``values`` (value and attributes) read for ``metric`` from now on."""
    _readers[metric] = values


def read(metric: MetricDef, options: CallbackOptions) -> list[Observation]:
    """What ``metric`` shows now."""
    values = _readers.get(metric)
    return [] if values is None else [Observation(value, attributes) for value, attributes in values()]
